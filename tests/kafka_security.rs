//! TLS and SASL against a real broker, and passwords that are seen nowhere. Needs `--features kafka-ssl` and `openssl`.

#![cfg(feature = "kafka-ssl")]

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::blocks;
use support::kafka::{Broker, Options};
use support::stream::{Line, free_port};

const USER: &str = "watch";
/// One for each mechanism, so that none is let in by the other's.
const PLAIN_SECRET: &str = "plain-opensesame-41";
const SCRAM_SECRET: &str = "scram-opensesame-42";
const WRONG_SECRET: &str = "wrong-opensesame-43";
/// What all of them have in common.
const NEEDLE: &str = "opensesame";

/// A broker that lets strangers in at one port, for the tests' own clients, and asks for TLS and a password at the other.
struct Guarded {
    inside: String,
    outside: String,
    authority: PathBuf,
    stranger: PathBuf,
    _broker: Broker,
}

fn openssl(arguments: &[&str], folder: &Path) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate authority of its own, signed by itself.
fn authority(name: &str, folder: &Path) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let files = ["-keyout", &key, "-out", &certificate, "-subj", "/CN=evenkeel tests"];
    openssl(&[&["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"][..], &files].concat(), folder);
}

/// The broker's key and certificate, and of other people a certificate that did not sign it.
fn certificates(folder: &Path) {
    authority("authority", folder);
    authority("stranger", folder);
    let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-keyout", "broker.key", "-out", "broker.crt"];
    let named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    openssl(&[&request[..], &signed, &named].concat(), folder);
    let both = ["broker.key", "broker.crt", "authority.pem"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    fs::write(folder.join("broker.pem"), both.concat()).unwrap();
}

fn guarded() -> &'static Guarded {
    static SHARED: OnceLock<Guarded> = OnceLock::new();
    SHARED.get_or_init(|| {
        let inside = format!("127.0.0.1:{}", free_port());
        let found = OnceLock::new();
        let broker = Broker::start_with(|folder| {
            certificates(folder);
            found.set(folder.to_owned()).unwrap();
            let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
            let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            Options {
                properties: vec![
                    format!("listeners=SASL_SSL://127.0.0.1:{{port}},INSIDE://{inside},CONTROLLER://127.0.0.1:{{controller}}"),
                    format!("advertised.listeners=SASL_SSL://localhost:{{port}},INSIDE://{inside}"),
                    "listener.security.protocol.map=SASL_SSL:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
                    "inter.broker.listener.name=INSIDE".to_owned(),
                    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
                    format!("listener.name.sasl_ssl.plain.sasl.jaas.config={plain} user_{USER}=\"{PLAIN_SECRET}\";"),
                    format!("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}"),
                    format!("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}"),
                    "ssl.keystore.type=PEM".to_owned(),
                    format!("ssl.keystore.location={}", folder.join("broker.pem").display()),
                ],
                format: ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                    .iter()
                    .flat_map(|name| {
                        ["--add-scram".to_owned(), format!("{name}=[name={USER},password={SCRAM_SECRET}]")]
                    })
                    .collect(),
            }
        });
        let folder = found.get().unwrap();
        Guarded {
            inside,
            outside: broker.bootstrap().replace("127.0.0.1", "localhost"),
            authority: folder.join("authority.pem"),
            stranger: folder.join("stranger.pem"),
            _broker: broker,
        }
    })
}

/// A pipeline at the guarded port, and what it takes to be let in.
fn line(mechanism: &str, secret: &str, authority: &Path) -> (Line, Vec<String>) {
    let guarded = guarded();
    let line = Line::new(&guarded.inside, 1, "");
    let file = line.scene.path("secret");
    fs::write(&file, format!("{secret}\n")).unwrap();
    let property = |name: &str, value: &str| format!("source.kafka.properties.{name}={value}");
    let sets = vec![
        property("bootstrap.servers", &guarded.outside),
        property("broker.address.family", "v4"),
        property("security.protocol", "SASL_SSL"),
        property("sasl.mechanisms", mechanism),
        property("sasl.username", USER),
        property("sasl.password_file", &file.display().to_string()),
        property("ssl.ca.location", &authority.display().to_string()),
        // All that librdkafka has to say.
        property("debug", "all"),
        "--log-level=trace".to_owned(),
    ];
    (line, sets)
}

fn words(sets: &[String]) -> Vec<&str> {
    sets.iter().map(String::as_str).collect()
}

/// Insists that no file of a scene holds a secret but the one it came from.
fn nothing_is_told(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            nothing_is_told(&path);
        } else if path.file_name().is_some_and(|name| name != "secret") {
            let bytes = fs::read(&path).unwrap();
            let told = bytes.windows(NEEDLE.len()).any(|window| window == NEEDLE.as_bytes());
            assert!(!told, "{} has the secret", path.display());
        }
    }
}

#[test]
fn rows_pass_with_every_mechanism_and_no_password_is_told() {
    let rows = blocks(300, 21);
    for (mechanism, secret) in
        [("PLAIN", PLAIN_SECRET), ("SCRAM-SHA-256", SCRAM_SECRET), ("SCRAM-SHA-512", SCRAM_SECRET)]
    {
        let (line, sets) = line(mechanism, secret, &guarded().authority);
        let sets = words(&sets);
        line.feed(&rows, 1);
        let running = line.await_outcomes(line.scene.start(&sets), rows.len());
        running.signal("TERM");
        let ended = running.wait();
        assert_eq!(ended.code(), 0, "{mechanism}: {}", ended.err);
        assert!(ended.err.contains("librdkafka: ") && ended.err.contains(mechanism), "librdkafka said nothing");
        for word in ["verify", "validate"] {
            let checked = line.scene.command(word, &sets);
            assert_eq!(checked.code(), 0, "{mechanism}: {}", checked.err);
            assert!(!format!("{checked:?}").contains(NEEDLE), "{checked:?}");
        }
        assert!(!format!("{ended:?}").contains(NEEDLE), "{mechanism}: {}", ended.err);
        nothing_is_told(&line.scene.path("run"));
    }
}

#[test]
fn who_is_not_let_in_is_told_why_without_the_password() {
    let (line, sets) = line("SCRAM-SHA-512", WRONG_SECRET, &guarded().authority);
    let ended = line.scene.run(&words(&sets));
    ended.says(69, &["uthentication"]);
    assert!(!format!("{ended:?}").contains(NEEDLE), "{}", ended.err);
}

#[test]
fn a_broker_that_nobody_vouches_for_is_not_talked_to() {
    let (line, sets) = line("PLAIN", PLAIN_SECRET, &guarded().stranger);
    let ended = line.scene.run(&words(&sets));
    ended.says(69, &["certificate verify failed"]);
    assert!(!format!("{ended:?}").contains(NEEDLE), "{}", ended.err);
}

#[test]
fn a_password_in_the_wrong_place_is_not_told_either() {
    let (line, sets) = line("PLAIN", PLAIN_SECRET, &guarded().authority);
    let given = format!("source.kafka.properties.sasl.password={PLAIN_SECRET}");
    let unknown = format!("source.kafka.properties.sasl.passwort={PLAIN_SECRET}");
    let outside = format!("sink.kafka.sasl.password={PLAIN_SECRET}");
    for (set, code) in [(&given, 78), (&unknown, 78), (&outside, 78)] {
        let ended = line.scene.run(&[&words(&sets)[..], &[set]].concat());
        assert_eq!(ended.code(), code, "{}", ended.err);
        assert!(!format!("{ended:?}").contains(NEEDLE), "{}", ended.err);
    }
}
