use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{JoinHandle, spawn};

use super::*;

/// Answers one request with `status` and `body`, and gives the request back.
fn answering(status: &str, body: &str) -> (Registry, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let server = spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            let done = line == "\r\n";
            request.push_str(&line);
            if done {
                break;
            }
        }
        let mut content = vec![0; length];
        reader.read_exact(&mut content).unwrap();
        request.push_str(&String::from_utf8(content).unwrap());
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    let credentials = Some(("keel".to_owned(), "s3cret".to_owned()));
    (Registry::new(&RegistryAddress { url, credentials }), server)
}

#[test]
fn a_schema_is_asked_for_by_its_id() {
    let (registry, server) = answering("200 OK", r#"{"schema": "\"string\""}"#);
    assert_eq!(registry.schema(7).unwrap().as_deref(), Some("\"string\""));
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /base/schemas/ids/7 HTTP/1.1"), "{request}");
    assert!(request.to_lowercase().contains("authorization: basic a2vlbdpzm2nyzxq="), "{request}");
}

#[test]
fn an_id_that_is_unknown_is_no_fault() {
    let (registry, server) = answering("404 Not Found", r#"{"error_code": 40403, "message": "Schema not found"}"#);
    assert_eq!(registry.schema(7).unwrap(), None);
    server.join().unwrap();
}

#[test]
fn registering_tells_the_subject_and_the_schema() {
    let (registry, server) = answering("200 OK", r#"{"id": 12}"#);
    assert_eq!(registry.register("my pumps/1-value", "\"string\"").unwrap(), 12);
    let request = server.join().unwrap();
    assert!(request.starts_with("POST /base/subjects/my%20pumps%2F1-value/versions "), "{request}");
    assert!(request.ends_with(r#"{"schema":"\"string\""}"#), "{request}");
}

#[test]
fn a_refusal_tells_why_and_a_broken_registry_may_be_asked_again() {
    let (registry, server) = answering("409 Conflict", r#"{"error_code": 409, "message": "incompatible"}"#);
    let error = registry.register("pumps-value", "\"string\"").unwrap_err();
    server.join().unwrap();
    assert!(error.to_string().contains("409: incompatible") && !error.is_temporary(), "{error}");
    let (registry, server) = answering("503 Service Unavailable", "busy");
    let error = registry.latest("pumps-value").unwrap_err();
    server.join().unwrap();
    assert!(error.to_string().contains("503") && error.is_temporary(), "{error}");
}

#[test]
fn a_registry_that_is_not_there_may_come_back() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let credentials = Some(("keel".to_owned(), "s3cret".to_owned()));
    let address = RegistryAddress { url: format!("http://{closed}"), credentials };
    let error = Registry::new(&address).schema(1).unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains(&closed.to_string()), "{error}");
    assert!(!format!("{error} {error:?} {address:?}").contains("s3cret"));
}

#[test]
fn schemas_of_other_kinds_are_refused() {
    for (body, words) in [
        (r#"{"schema": "{}", "schemaType": "PROTOBUF"}"#, "PROTOBUF"),
        (r#"{"schema": "{}", "references": [{"name": "a"}]}"#, "refers to other schemas"),
        ("<html>", "not that of a schema registry"),
    ] {
        let (registry, server) = answering("200 OK", body);
        let error = registry.latest("pumps-value").unwrap_err();
        server.join().unwrap();
        assert!(error.to_string().contains(words) && !error.is_temporary(), "{error}");
    }
}
