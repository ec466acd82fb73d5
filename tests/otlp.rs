//! Traces, as a receiver on this machine gets them from the real binary.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use hsmc::sandbox::scenario;
use hsmc::serve::sandbox_http;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What came to which path.
type Taken = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes one request after another.
fn receive(listener: TcpListener, taken: Taken) {
    for stream in listener.incoming() {
        let mut reader = BufReader::new(stream.unwrap());
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first).unwrap_or(0) == 0 {
                break;
            }
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                let header = header.trim().to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if header.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            taken.lock().unwrap().push((first.trim().to_owned(), body));
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_and_its_calls_are_traced_and_nobody_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    std::thread::spawn({
        let taken = Arc::clone(&taken);
        move || receive(listener, taken)
    });
    let sandbox = Arc::new(Mutex::new(scenario::tiny(1)));
    let served = sandbox_http::serve(Arc::clone(&sandbox), 0).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = scenario::config_toml(&served.hubspot_url(), &served.mailchimp_url());
    std::fs::write(folder.path().join("hsmc.toml"), config).unwrap();
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut hsmc = Command::new(env!("CARGO_BIN_EXE_hsmc"));
        hsmc.args(["sync", "--yes"]).current_dir(path).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        hsmc.output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let taken = taken.lock().unwrap();
    assert!(!taken.is_empty() && taken.iter().all(|(first, _)| first.starts_with("POST /v1/traces ")));
    let all: Vec<u8> = taken.iter().flat_map(|(_, body)| body.clone()).collect();
    let holds = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    for name in ["run", "reading", "planning", "applying", "call", "HubSpot", "Mailchimp", "hsmc"] {
        assert!(holds(name), "no {name}");
    }
    assert!(!holds("@example") && !holds("sandbox-hubspot"), "an address or a token is in a trace");
}
