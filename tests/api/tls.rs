//! The API over TLS, with a certificate made for the test.

use crate::support::Stage;
use hsmc::app::api;
use hsmc::domain::code::Code;
use hsmc::domain::token::TokenScope;
use reqwest::{Certificate, Client};
use std::path::Path;
use std::sync::Arc;

/// A certificate of this machine and its key, as files in a folder.
fn certificate(folder: &Path, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

fn lines(folder: &Path, certificate: &str, key: &str) -> String {
    let folder = folder.display();
    format!("tls_cert = \"{folder}/{certificate}.pem\"\ntls_key = \"{folder}/{key}.key\"")
}

#[tokio::test]
async fn whoever_trusts_the_certificate_is_answered_over_tls_and_nobody_without() {
    let folder = tempfile::tempdir().unwrap();
    let pem = certificate(folder.path(), "own");
    let stage = Stage::with(&lines(folder.path(), "own", "own")).await;
    let token = stage.token(TokenScope::Read, None).await;
    let base = stage.base.replace("http:", "https:");
    let trusting =
        Client::builder().tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()]).build().unwrap();
    for _ in 0..3 {
        let response = trusting.get(format!("{base}/v1/status")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("strict-transport-security"));
    }
    assert!(stage.client().get(format!("{base}/health")).send().await.unwrap_err().is_connect());
    assert!(stage.client().get(format!("{}/health", stage.base)).send().await.is_err(), "not without TLS");
    let refused = trusting.get(format!("{base}/v1/status")).send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn a_key_of_another_certificate_is_no_way_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "own");
    certificate(folder.path(), "other");
    let stage = Stage::with("").await;
    for (key, certificate) in [("other", "own"), ("own", "missing")] {
        let text = std::fs::read_to_string(stage.config()).unwrap();
        let at = folder.path().join("hsmc.toml");
        std::fs::write(&at, format!("{text}\n{}\n", lines(folder.path(), certificate, key))).unwrap();
        let config = hsmc::config::load(&at, &hsmc::config::Environment::default()).unwrap();
        let app = hsmc::app::App::open(config, &at, &folder.path().join(format!("state-{key}")), "daemon");
        let app = Arc::new(app.unwrap_or_else(|problem| panic!("{problem}")));
        let trouble = api::serve(&app, &at).await.unwrap_err();
        assert_eq!((trouble.code, trouble.exit), (Code::ApiNotServed, 2), "{}", trouble.message);
    }
}
