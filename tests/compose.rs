//! `docker-compose.yml`: what it asks of whoever runs it, and its commands and broker settings, run without containers.

mod common;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use support::kafka::{Broker, Options, class_path, read_topic};
use tempfile::TempDir;

/// Paths of keys and what is there, in order: `services.kafka.image` and `apache/kafka:4.3.0`. Items of a list repeat its path.
/// It knows of YAML what the file uses: blocks by two spaces, lists of one level, comments, quotes.
fn entries() -> Vec<(String, String)> {
    let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docker-compose.yml")).unwrap();
    let (mut keys, mut entries) = (Vec::<String>::new(), Vec::new());
    for line in file.lines() {
        let text = line.split("  #").next().unwrap().trim_end();
        let bare = text.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let depth = (text.len() - bare.len()) / 2;
        if let Some(item) = bare.strip_prefix("- ") {
            entries.push((keys.join("."), item.trim_matches('"').to_owned()));
            continue;
        }
        let (key, value) = bare.split_once(':').unwrap_or_else(|| panic!("no key: {line}"));
        keys.truncate(depth);
        assert_eq!(keys.len(), depth, "indented too far: {line}");
        keys.push(key.to_owned());
        entries.push((keys.join("."), value.trim().trim_matches('"').to_owned()));
    }
    entries
}

fn value(path: &str) -> String {
    let found = entries().into_iter().find(|(key, _)| key == path);
    found.unwrap_or_else(|| panic!("docker-compose.yml has no {path}")).1
}

/// A list of words of a service, with the broker of this test.
fn words(service: &str, key: &str, bootstrap: &str) -> Vec<String> {
    let words: Vec<String> = serde_json::from_str(&value(&format!("services.{service}.{key}"))).unwrap();
    words.iter().map(|word| word.replace("kafka:9092", bootstrap)).collect()
}

fn services() -> BTreeSet<String> {
    entries()
        .iter()
        .filter_map(|(path, _)| Some(path.strip_prefix("services.")?.split('.').next()?.to_owned()))
        .collect()
}

#[test]
fn images_are_pinned_and_ports_are_local() {
    for service in services() {
        let image = value(&format!("services.{service}.image"));
        let (name, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{service}: {image} has no version"));
        assert!(!name.is_empty() && tag.contains(|c: char| c.is_ascii_digit()), "{service}: {image}");
        for (path, port) in entries() {
            let public =
                path == format!("services.{service}.ports") && !port.is_empty() && !port.starts_with("127.0.0.1:");
            assert!(!public, "{service} listens on {port}");
        }
    }
}

#[test]
fn whatever_is_waited_for_can_be_waited_for() {
    let (entries, services) = (entries(), services());
    let has = |path: String| entries.iter().any(|(key, _)| *key == path || key.starts_with(&format!("{path}.")));
    let mut waits = 0;
    for (path, condition) in &entries {
        let [_, service, "depends_on", on, "condition"] = path.split('.').collect::<Vec<_>>()[..] else { continue };
        waits += 1;
        assert!(services.contains(on), "{service} waits for {on}");
        match condition.as_str() {
            "service_healthy" => assert!(has(format!("services.{on}.healthcheck.test")), "{on} has no health check"),
            "service_completed_successfully" => assert!(!has(format!("services.{on}.restart")), "{on} never ends"),
            other => panic!("{service} waits for {on} to be {other}"),
        }
    }
    assert!(waits >= 3, "{waits}");
    for (path, volume) in &entries {
        let [_, service, "volumes"] = path.split('.').collect::<Vec<_>>()[..] else { continue };
        match volume.split(':').next().unwrap() {
            "" => {}
            folder if folder.starts_with("./") => {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).is_dir(), "{service}: there is no {folder}");
            }
            name => assert!(has(format!("volumes.{name}")), "{service}: volume {name} is not declared"),
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A broker with the settings of the service, at ports of this machine.
fn broker() -> Broker {
    let outside = free_port();
    let settings = entries().into_iter().filter_map(|(path, value)| {
        let name = path.strip_prefix("services.kafka.environment.KAFKA_")?.replace('_', ".").to_lowercase();
        // The quorum is joined another way, and the folder is a test's own.
        let kept = !["controller.quorum.voters", "log.dirs", "node.id"].contains(&name.as_str());
        let here = value
            .replace("//kafka:", "//127.0.0.1:")
            .replace("//:", "//127.0.0.1:")
            .replace(":9092", ":{port}")
            .replace(":9093", ":{controller}")
            .replace(":9094", &format!(":{outside}"));
        kept.then(|| format!("{name}={here}"))
    });
    let properties: Vec<String> = settings.collect();
    assert!(properties.len() >= 10, "{properties:?}");
    Broker::start_with(|_| Options { properties: properties.clone(), ..Options::default() })
}

fn evenkeel(words: &[String], more: &[&str], bootstrap: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(words).args(more).env("KAFKA", bootstrap);
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn what_docker_compose_starts_works_without_it() {
    let broker = broker();
    let bootstrap = broker.bootstrap();
    let folder = TempDir::new().unwrap();
    let topics = folder.path().join("kafka-topics.sh");
    let java = format!("#!/bin/sh\nexec java -cp '{}' org.apache.kafka.tools.TopicCommand \"$@\"\n", class_path());
    fs::write(&topics, java).unwrap();
    fs::set_permissions(&topics, fs::Permissions::from_mode(0o755)).unwrap();
    let initialiser = [words("topics", "entrypoint", bootstrap), words("topics", "command", bootstrap)].concat();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut initialise = Command::new(&initialiser[0]);
    initialise.current_dir(env!("CARGO_MANIFEST_DIR")).args(&initialiser[1..]).env("PATH", path);
    // `docker compose up` again runs it again.
    for _ in 0..2 {
        let done = initialise.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    let mut replayer = evenkeel(&words("replayer", "command", bootstrap), &[], bootstrap);
    let run_dir = format!("pipeline.run_dir={}", folder.path().join("run").display());
    let small = ["--set", &run_dir, "--set", "serve.listen=127.0.0.1:0", "--set", "learning.warmup_rows=60"];
    let small = [&small[..], &["--set", "learning.warmup_steps=10", "--set", "checkpoint.every_s=1"]].concat();
    let mut run = evenkeel(&words("evenkeel", "command", bootstrap), &small, bootstrap);

    let start = Instant::now();
    let mut rows = Vec::new();
    while rows.is_empty() {
        assert!(start.elapsed() < common::DEADLINE, "nothing came out");
        assert!(run.try_wait().unwrap().is_none(), "evenkeel ended");
        std::thread::sleep(std::time::Duration::from_millis(300));
        rows = read_topic(bootstrap, "watch.assignments", true);
    }
    let row: serde_json::Value = serde_json::from_slice(rows[0].value.as_ref().unwrap()).unwrap();
    assert_eq!(row["source"], "watch.readings");
    assert!(row["key"].as_str().is_some_and(|key| key.contains('/')), "{row}");
    replayer.kill().unwrap();
    replayer.wait().unwrap();
    assert!(Command::new("kill").arg(run.id().to_string()).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(read_topic(bootstrap, "watch.dead-letters", true).is_empty());
}
