//! Traces, as a receiver on this machine gets them from the real binary.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use hsmc::sandbox::scenario;
use hsmc::serve::sandbox_http;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What came to which path.
type Taken = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes one connection after another, under TLS where there is a certificate.
fn receive(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, taken: &Taken) {
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        match tls {
            None => requests(stream, taken),
            Some(tls) => {
                let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                requests(StreamOwned::new(connection, stream), taken);
            }
        }
    }
}

/// Takes one request after another.
fn requests(stream: impl Read + Write, taken: &Taken) {
    let mut reader = BufReader::new(stream);
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
        reader.get_mut().flush().unwrap();
    }
}

/// A certificate for this machine, and the file that says it counts.
fn certificate(folder: &Path) -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("receiver.pem"), made.cert.pem()).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let ring = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    Arc::new(tls.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())
}

/// What a receiver gets of one run.
async fn traced(scheme: &str) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
    let tls = (scheme == "https").then(|| certificate(folder.path()));
    let taken = Arc::new(Mutex::new(Vec::new()));
    std::thread::spawn({
        let taken = Arc::clone(&taken);
        move || receive(&listener, tls.as_ref(), &taken)
    });
    let sandbox = Arc::new(Mutex::new(scenario::tiny(1)));
    let served = sandbox_http::serve(Arc::clone(&sandbox), 0).await.unwrap();
    let config = scenario::config_toml(&served.hubspot_url(), &served.mailchimp_url());
    std::fs::write(folder.path().join("hsmc.toml"), config).unwrap();
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut hsmc = Command::new(env!("CARGO_BIN_EXE_hsmc"));
        hsmc.args(["sync", "--yes"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        hsmc.env("SSL_CERT_FILE", path.join("receiver.pem")).current_dir(path);
        hsmc.output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let taken = taken.lock().unwrap();
    taken.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_and_its_calls_are_traced_and_nobody_is_named() {
    for scheme in ["http", "https"] {
        let taken = traced(scheme).await;
        assert!(!taken.is_empty(), "{scheme}");
        assert!(taken.iter().all(|(first, _)| first.starts_with("POST /v1/traces ")), "{scheme}");
        let all: Vec<u8> = taken.iter().flat_map(|(_, body)| body.clone()).collect();
        let holds = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
        for name in ["run", "reading", "planning", "applying", "call", "HubSpot", "Mailchimp", "hsmc"] {
            assert!(holds(name), "{scheme}: no {name}");
        }
        assert!(!holds("@example") && !holds("sandbox-hubspot"), "an address or a token is in a trace");
    }
}
