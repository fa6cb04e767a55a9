//! The rules of `[source.kafka]` and `[sink.kafka]`.

use super::Config;
use super::check::{Rule, at_least_one};
use crate::connector::format::Format;
use crate::connector::kafka::{
    Delivery, KafkaProperties, KafkaSinkParameters, KafkaSourceParameters, check_topic, covers_topic,
};

/// Checks both ends and what they ask of the rest.
pub(super) fn check(config: &Config, broken: &mut Vec<Rule>) {
    let mut fault = |key: &str, problem: String| broken.push(Rule::Kafka { key: key.to_owned(), problem });
    check_pairs(config, &mut fault);
    match (&config.source.kafka, &config.sink.kafka) {
        (None, None) => {}
        (None, Some(_)) => fault(
            "sink.kafka",
            "a topic is written from a topic; add [source.kafka], or publish files with `evenkeel replay`".to_owned(),
        ),
        (Some(source), sink) => {
            check_source(source, &mut fault);
            if let Some(sink) = sink {
                check_sink(sink, source, config, &mut fault);
            }
            if config.learning.passes > 1 {
                let passes = config.learning.passes;
                fault("learning.passes", format!("is {passes}: a topic has no end and is read once, set it to 1"));
            }
            check_transactions(source, sink.as_ref(), config, &mut fault);
            at_least_one("source.kafka.batch_rows", source.batch_rows as u64, broken);
            at_least_one("source.kafka.buffer_rows", source.buffer_rows as u64, broken);
            at_least_one("source.kafka.buffer_mb", source.buffer_mb as u64, broken);
            at_least_one("source.kafka.max_message_mb", source.max_message_mb as u64, broken);
        }
    }
}

/// Pairs name rows of the input: those of files in a file, those of topics in a topic.
fn check_pairs(config: &Config, fault: &mut impl FnMut(&str, String)) {
    let Some(supervision) = &config.supervision else { return };
    let Some(source) = &config.source.kafka else {
        if supervision.pairs_topic.is_some() {
            let problem = "names rows of topics: add [source.kafka], or list rows of files with `pairs`";
            fault("supervision.pairs_topic", problem.to_owned());
        }
        return;
    };
    if supervision.pairs.is_some() {
        let problem = "lists rows of files: with [source.kafka] use `pairs_topic` or `label_fraction`";
        fault("supervision.pairs", problem.to_owned());
    }
    let Some(topic) = &supervision.pairs_topic else { return };
    let sink = config.sink.kafka.as_ref();
    let written =
        [source.dead_letter_topic.as_ref(), sink.map(|sink| &sink.topic), sink.and_then(|s| s.drift_topic.as_ref())];
    let problem = if let Err(problem) = check_topic(topic, false) {
        problem
    } else if covers_topic(&source.topic, topic) {
        "is a topic of the input: pairs need one of their own that `source.kafka.topic` does not mean".to_owned()
    } else if written.contains(&Some(topic)) {
        "is a topic that this pipeline writes: pairs need one of their own".to_owned()
    } else if source.format == Format::ArrowIpc {
        "rows of one Arrow IPC message share an offset and cannot be named one by one: read rows as json or avro"
            .to_owned()
    } else {
        return;
    };
    fault("supervision.pairs_topic", problem);
}

fn check_properties(table: &str, properties: &KafkaProperties, fault: &mut impl FnMut(&str, String)) {
    let key = format!("{table}.properties");
    properties.problems().into_iter().for_each(|problem| fault(&key, problem));
}

fn check_source(source: &KafkaSourceParameters, fault: &mut impl FnMut(&str, String)) {
    if let Err(problem) = check_topic(&source.topic, true) {
        fault("source.kafka.topic", problem);
    }
    if let Some(topic) = &source.dead_letter_topic {
        if let Err(problem) = check_topic(topic, false) {
            fault("source.kafka.dead_letter_topic", problem);
        } else if *topic == source.topic {
            fault(
                "source.kafka.dead_letter_topic",
                "is the topic that is read: dead letters would come back".to_owned(),
            );
        }
    }
    if ["bootstrap.servers", "metadata.broker.list"].iter().all(|name| source.properties.get(name).is_none()) {
        fault("source.kafka.properties", "has no \"bootstrap.servers\": name the brokers, host:port".to_owned());
    }
    check_properties("source.kafka", &source.properties, fault);
}

fn check_sink(
    sink: &KafkaSinkParameters,
    source: &KafkaSourceParameters,
    config: &Config,
    fault: &mut impl FnMut(&str, String),
) {
    for (key, topic) in [("sink.kafka.topic", Some(&sink.topic)), ("sink.kafka.drift_topic", sink.drift_topic.as_ref())]
    {
        let Some(topic) = topic else { continue };
        if let Err(problem) = check_topic(topic, false) {
            fault(key, problem);
        } else if *topic == source.topic {
            fault(key, "is the topic that is read: its own output would come back".to_owned());
        }
    }
    if config.sink.parquet.dir.is_some() {
        fault("sink.parquet.dir", "with [sink.kafka] assignments go to a topic only; leave it out".to_owned());
    }
    check_properties("sink.kafka", &sink.properties, fault);
}

/// A transaction ends with a checkpoint, and checkpoints must come before the brokers lose patience.
fn check_transactions(
    source: &KafkaSourceParameters,
    sink: Option<&KafkaSinkParameters>,
    config: &Config,
    fault: &mut impl FnMut(&str, String),
) {
    let writes = sink.is_some() || source.dead_letter_topic.is_some();
    if source.delivery != Delivery::ExactlyOnce || !writes {
        return;
    }
    if config.checkpoint.keep < 2 {
        fault(
            "checkpoint.keep",
            "is 1: with exactly-once delivery at least 2 are kept, the one that was committed and the one that is to be"
                .to_owned(),
        );
    }
    let timeout = sink.map_or_else(|| std::time::Duration::from_secs(120), KafkaSinkParameters::transaction_timeout);
    if config.checkpoint.every_s * 2.0 > timeout.as_secs_f64() {
        fault(
            "checkpoint.every_s",
            format!(
                "is {}: a transaction is open for that long and the brokers abort it after {} s; give at most half of \
                 that, or raise \"transaction.timeout.ms\" in [sink.kafka.properties]",
                config.checkpoint.every_s,
                timeout.as_secs_f64()
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;
    use super::super::{Config, Plan, Rules, Source};

    const SMALL: &str = "\
[pipeline]
name = \"har\"
[source.kafka]
topic = \"har.features\"
format = \"arrow-ipc\"
[source.kafka.properties]
\"bootstrap.servers\" = \"localhost:9092\"
[features]
columns = [\"features\"]
[model]
clusters = 4
[sink.kafka]
topic = \"har.assignments\"
format = \"json\"
";

    fn checked(sets: &[&str]) -> Result<Plan, Rules> {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config: Config = parse("p.toml", SMALL, &sets, &|_| None).map_err(|error| panic!("{error}")).unwrap();
        config.check()
    }

    #[test]
    fn the_sink_has_the_connection_of_the_source() {
        let plan = checked(&["source.kafka.properties.client.rack=a"]).unwrap();
        let Source::Kafka(source) = plan.source() else { panic!("not Kafka") };
        assert_eq!((source.group(plan.name()), source.properties.get("client.rack")), ("har", Some("a")));
        let sink = plan.kafka_sink().unwrap();
        assert_eq!(
            (sink.properties.get("bootstrap.servers"), sink.properties.get("client.rack")),
            (Some("localhost:9092"), None)
        );
    }

    #[test]
    fn every_rule_names_its_key() {
        for (set, key, part) in [
            ("source.kafka.topic=a b", "source.kafka.topic", "no topic name"),
            ("source.kafka.dead_letter_topic=^x", "source.kafka.dead_letter_topic", "name one topic"),
            ("source.kafka.dead_letter_topic=har.features", "source.kafka.dead_letter_topic", "come back"),
            ("sink.kafka.topic=har.features", "sink.kafka.topic", "come back"),
            ("source.kafka.properties.linger.ms=soon", "source.kafka.properties", "linger.ms"),
            ("source.kafka.properties.enable.auto.commit=true", "source.kafka.properties", "cannot be set"),
            ("sink.kafka.properties.\"transaction.timeout.ms\"=15000", "checkpoint.every_s", "at most half"),
            ("checkpoint.keep=1", "checkpoint.keep", "at least 2"),
            ("learning.passes=2", "learning.passes", "no end"),
            ("sink.parquet.dir=out", "sink.parquet.dir", "leave it out"),
            ("source.kafka.buffer_rows=0", "source.kafka.buffer_rows", "at least 1"),
            ("source.parquet.paths=[\"a\"]", "two sources", "keep one"),
        ] {
            let text = checked(&[set]).unwrap_err().to_string();
            assert!(text.contains(key) && text.contains(part) && text.lines().count() == 1, "{set}: {text}");
        }
        checked(&["checkpoint.keep=1", "source.kafka.delivery=at-least-once"]).unwrap();
    }

    #[test]
    fn pairs_have_a_topic_of_their_own_and_name_rows_that_have_an_offset_each() {
        let taught = |sets: &[&str]| {
            let rows =
                ["model.objective=balanced", "source.kafka.format=json", "source.kafka.dead_letter_topic=har.dead"];
            checked(&[&rows, sets].concat())
        };
        let plan = taught(&["supervision.pairs_topic=har.pairs"]).unwrap();
        assert_eq!(plan.supervision().unwrap().pairs_topic.as_deref(), Some("har.pairs"));
        taught(&["supervision.pairs_topic=har.pairs", "source.kafka.topic=^har\\.f.*"]).unwrap();
        for (sets, key, part) in [
            (&["supervision.pairs_topic=^har"][..], "supervision.pairs_topic", "name one topic"),
            (&["supervision.pairs_topic=har.features"], "supervision.pairs_topic", "a topic of the input"),
            (
                &["supervision.pairs_topic=har.pairs", "source.kafka.topic=^har\\."],
                "supervision.pairs_topic",
                "a topic of the input",
            ),
            (&["supervision.pairs_topic=har.dead"], "supervision.pairs_topic", "this pipeline writes"),
            (&["supervision.pairs_topic=har.assignments"], "supervision.pairs_topic", "this pipeline writes"),
            (
                &["supervision.pairs_topic=har.pairs", "source.kafka.format=arrow-ipc"],
                "supervision.pairs_topic",
                "share an offset",
            ),
            (&["supervision.pairs=pairs.parquet"], "supervision.pairs", "use `pairs_topic`"),
            (
                &["supervision.pairs_topic=har.pairs", "supervision.label_fraction=0.1", "features.label=y"],
                "[supervision]",
                "give one of them",
            ),
        ] {
            let text = taught(sets).unwrap_err().to_string();
            assert!(text.contains(key) && text.contains(part) && text.lines().count() == 1, "{sets:?}: {text}");
        }
    }

    #[test]
    fn a_mistyped_property_is_answered_with_its_line_and_the_nearest_name() {
        let text = SMALL.replace("bootstrap.servers", "botstrap.servers");
        let error = parse::<Config>("p.toml", &text, &[], &|_| None).unwrap_err().to_string();
        assert!(
            error.contains("p.toml:7") && error.contains("did you mean `source.kafka.properties.bootstrap.servers`"),
            "{error}"
        );
    }

    #[test]
    fn a_password_comes_from_a_file_and_is_printed_nowhere() {
        let file = std::env::temp_dir().join(format!("evenkeel-password-{}", std::process::id()));
        std::fs::write(&file, "hunter2\n").unwrap();
        let table = format!("[sink.kafka.properties]\n\"sasl.password_file\" = {:?}\n", file.display().to_string());
        let config: Config = parse("p.toml", &format!("{SMALL}{table}"), &[], &|_| None).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(config.sink.kafka.as_ref().unwrap().properties.get("sasl.password"), Some("hunter2"));
        let printed = format!("{config:?} {}", config.to_toml().unwrap());
        assert!(!printed.contains("hunter2") && printed.contains("<redacted>"), "{printed}");
    }
}
