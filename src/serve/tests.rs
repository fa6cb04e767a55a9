use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::*;
use crate::telemetry::{Labels, Metrics, install};

fn telemetry() -> (Metrics, Exposition) {
    let labels =
        Labels { pipeline: "har", version: "1.2.3", backend: "flex", clusters: 3, reasons: &[], partitions: &[] };
    install(&labels).unwrap()
}

/// Status line and headers, and the body, of one request.
fn request(address: SocketAddr, line: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[test]
fn metrics_are_served_as_they_are_counted() {
    let (metrics, exposition) = telemetry();
    let server = Server::start("127.0.0.1:0", exposition, Health::default()).unwrap();
    assert_ne!(server.address().port(), 0);
    metrics.rows_assigned.increment(41);
    let (head, body) = request(server.address(), "GET /metrics");
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("evenkeel_rows_total{pipeline=\"har\",stage=\"assigned\"} 41"), "{body}");
    metrics.rows_assigned.increment(1);
    assert!(request(server.address(), "GET /metrics").1.contains("stage=\"assigned\"} 42"));
}

#[test]
fn readiness_and_liveness_follow_the_pipeline() {
    let health = Health::default();
    let server = Server::start("127.0.0.1:0", telemetry().1, health.clone()).unwrap();
    let (head, body) = request(server.address(), "GET /readyz");
    assert!(head.starts_with("http/1.1 503") && body == "starting\n", "{head} {body}");
    assert!(request(server.address(), "GET /livez").0.starts_with("http/1.1 200"));
    health.ready();
    assert_eq!(request(server.address(), "GET /readyz").1, "ok\n");
    health.dead("worker 1 stopped");
    let (head, body) = request(server.address(), "GET /livez");
    assert!(head.starts_with("http/1.1 503") && body == "worker 1 stopped\n", "{head} {body}");
}

#[test]
fn the_index_names_every_path_and_other_paths_are_not_found() {
    let server = Server::start("localhost:0", telemetry().1, Health::default()).unwrap();
    let body = request(server.address(), "GET /").1;
    assert!(["/metrics", "/livez", "/readyz"].iter().all(|path| body.contains(path)), "{body}");
    assert!(request(server.address(), "GET /secret").0.starts_with("http/1.1 404"));
    assert!(request(server.address(), "POST /metrics").0.starts_with("http/1.1 405"));
}

#[test]
fn a_browser_is_shown_the_live_page_and_others_the_list_of_paths() {
    let (metrics, exposition) = telemetry();
    let server = Server::start("127.0.0.1:0", exposition, Health::default()).unwrap();
    metrics.rows_read.increment(41);
    // As Firefox asks.
    let (head, body) = request(
        server.address(),
        "GET / HTTP/1.1\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nX-Line:",
    );
    assert!(head.contains("content-type: text/html; charset=utf-8") && head.contains("no-store"), "{head}");
    assert!(body.contains("data-rows=\"41\"") && body.contains("not ready: starting"), "{body}");
    assert!(!body.contains("http://") && !body.contains("https://") && !body.contains("src="), "nothing is loaded");
    // As curl asks.
    let (head, body) = request(server.address(), "GET / HTTP/1.1\r\nAccept: */*\r\nX-Line:");
    assert!(head.contains("content-type: text/plain") && body.starts_with("evenkeel\n"), "{head} {body}");
}

#[test]
fn a_taken_port_is_named_before_anything_runs() {
    let first = Server::start("127.0.0.1:0", telemetry().1, Health::default()).unwrap();
    let listen = first.address().to_string();
    let error = Server::start(&listen, telemetry().1, Health::default()).unwrap_err();
    assert!(matches!(error, ServeError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&listen) && error.to_string().contains("serve.listen"), "{error}");
}

#[test]
fn what_is_no_address_is_said_to_be_none() {
    for listen in ["9464", "", "127.0.0.1:99999"] {
        let error = Server::start(listen, telemetry().1, Health::default()).unwrap_err();
        assert!(matches!(error, ServeError::Address { .. }), "{listen}: {error:?}");
        assert!(error.to_string().contains("127.0.0.1:9464"), "{error}");
    }
}

#[test]
fn a_dropped_server_frees_its_port_even_with_idle_connections() {
    let server = Server::start("127.0.0.1:0", telemetry().1, Health::default()).unwrap();
    let address = server.address();
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(TcpStream::connect(address).is_err());
    Server::start(&address.to_string(), telemetry().1, Health::default()).unwrap();
}
