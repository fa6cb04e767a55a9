//! A schema registry with Confluent's API.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::artefacts::{apicurio, missing, scratch};
use super::janitor::Janitor;

struct Registry {
    url: String,
    _service: Option<(Child, Janitor)>,
}

/// Base URL of the registry that all tests of this test binary share.
pub fn registry() -> &'static str {
    static SHARED: OnceLock<Registry> = OnceLock::new();
    let started = SHARED.get_or_init(|| match std::env::var("EVENKEEL_TEST_REGISTRY") {
        Ok(url) if !url.is_empty() => Registry { url, _service: None },
        _ => start(),
    });
    &started.url
}

fn start() -> Registry {
    let home = apicurio();
    let folder = scratch("apicurio");
    let janitor = Janitor::hire(&folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = folder.join("registry.log");
    let mut java = Command::new("java");
    java.current_dir(home).args(["-Xmx384m", "-Dquarkus.http.host=127.0.0.1"]);
    java.arg(format!("-Dquarkus.http.port={port}")).args(["-jar", "apicurio-registry-app-2.6.13.Final-runner.jar"]);
    java.stdin(Stdio::null()).stdout(File::create(&log).unwrap()).stderr(Stdio::null());
    let mut child = java.spawn().unwrap_or_else(|error| missing("java", &error.to_string()));
    janitor.watch(Some(child.id()));
    let start = Instant::now();
    while !std::fs::read_to_string(&log).unwrap_or_default().contains("Listening on") {
        let ended = child.try_wait().unwrap();
        let patient = ended.is_none() && start.elapsed() < Duration::from_secs(180);
        assert!(patient, "the registry does not start: {}", std::fs::read_to_string(&log).unwrap_or_default());
        sleep(Duration::from_millis(100));
    }
    Registry { url: format!("http://127.0.0.1:{port}/apis/ccompat/v7"), _service: Some((child, janitor)) }
}
