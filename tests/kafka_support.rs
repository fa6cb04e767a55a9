//! The services that other tests stand on do what those tests take for granted.

mod support;

use support::kafka::{Broker, fresh_topic, produce, read_topic, registry, shared, tool};

#[test]
fn records_come_back_with_their_headers() {
    let broker = shared();
    let topic = fresh_topic(broker.bootstrap(), "echo", 2);
    let records = [(0, Some(&b"k"[..]), Some(&b"v"[..]), &[("trace", "1")][..]), (1, None, None, &[])];
    produce(broker.bootstrap(), &topic, &records);
    let found = read_topic(broker.bootstrap(), &topic, true);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].key.as_deref(), found[0].value.as_deref()), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!(found[0].headers, [("trace".to_owned(), Some(b"1".to_vec()))]);
    assert_eq!((found[1].partition, found[1].value.as_deref()), (1, None));
}

#[test]
fn a_killed_broker_still_has_its_records() {
    let broker = Broker::start();
    let topic = fresh_topic(broker.bootstrap(), "kept", 1);
    produce(broker.bootstrap(), &topic, &[(0, None, Some(b"before"), &[])]);
    broker.kill();
    broker.restart();
    produce(broker.bootstrap(), &topic, &[(0, None, Some(b"after"), &[])]);
    let values: Vec<_> = read_topic(broker.bootstrap(), &topic, true).into_iter().map(|record| record.value).collect();
    assert_eq!(values, [Some(b"before".to_vec()), Some(b"after".to_vec())]);
}

#[test]
fn the_tools_of_kafka_are_there() {
    let broker = shared();
    let topic = fresh_topic(broker.bootstrap(), "listed", 3);
    let arguments = ["--bootstrap-server", broker.bootstrap(), "--describe", "--topic", &topic];
    let output = tool("org.apache.kafka.tools.TopicCommand", &arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("PartitionCount: 3"), "{said}");
}

#[test]
fn the_registry_speaks_the_api_of_confluent() {
    use evenkeel::connector::format::{Format, FormatOptions, RegistryAddress, decoder};
    let mut options = FormatOptions::new(Format::Avro, "nobody");
    options.registry = Some(RegistryAddress { url: registry().to_owned(), credentials: None });
    let said = decoder(&options).err().unwrap().to_string();
    assert!(said.contains("no subject `nobody-value`"), "{said}");
}
