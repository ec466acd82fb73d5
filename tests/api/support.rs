//! A daemon's app on two simulated accounts, its API on a free port, and a client.

pub use crate::clock::Hurried;
use hsmc::app::{App, Ports, api};
use hsmc::config::{self, Environment};
use hsmc::domain::token::TokenScope;
use hsmc::sandbox::Sandbox;
use hsmc::sandbox::scenario::named;
use hsmc::serve::api::Served;
use hsmc::serve::sandbox_http;
use hsmc::serve::tokens::{TokenAnswer, TokenRequest};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Stage {
    pub app: Arc<App>,
    pub clock: Arc<Hurried>,
    pub sandbox: Arc<Mutex<Sandbox>>,
    pub base: String,
    client: Client,
    folder: tempfile::TempDir,
    _api: Served,
    accounts: sandbox_http::Served,
}

impl Stage {
    /// The smallest scenario, with these lines under `[api]`.
    pub async fn with(lines: &str) -> Stage {
        let clock = Arc::new(Hurried::new());
        let sandbox = Arc::new(Mutex::new(named("tiny", 1, None).unwrap()));
        let time = Arc::clone(&clock);
        let told: Arc<dyn Fn() -> _ + Send + Sync> = Arc::new(move || time.true_now());
        let accounts = sandbox_http::serve_by(Arc::clone(&sandbox), 0, Duration::ZERO, told).await.unwrap();
        let text = hsmc::sandbox::scenario::config_toml(&accounts.hubspot_url(), &accounts.mailchimp_url());
        let text = format!("{text}\n[api]\nlisten = \"127.0.0.1:0\"\n{lines}\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hsmc.toml");
        std::fs::write(&file, &text).unwrap();
        Stage::open(folder, clock, sandbox, accounts).await
    }

    async fn open(
        folder: tempfile::TempDir,
        clock: Arc<Hurried>,
        sandbox: Arc<Mutex<Sandbox>>,
        accounts: sandbox_http::Served,
    ) -> Stage {
        let file = folder.path().join("hsmc.toml");
        let config = config::load(&file, &Environment::default()).unwrap_or_else(|errors| panic!("{errors}"));
        let ports = Ports { clock: Arc::clone(&clock) as _, ..Ports::default() };
        let app = App::open_with(config, &file, &folder.path().join("state"), "daemon", ports);
        let app = Arc::new(app.unwrap_or_else(|problem| panic!("{problem}")));
        let served = api::serve(&app, &file).await.unwrap().unwrap();
        let base = format!("http://{}", served.address);
        Stage { app, clock, sandbox, base, client: Client::new(), folder, _api: served, accounts }
    }

    /// The same by another process.
    pub async fn restarted(self) -> Stage {
        self.restarted_with("", "").await
    }

    /// The same, with something in the config exchanged.
    pub async fn restarted_with(self, old: &str, new: &str) -> Stage {
        let Stage { app, clock, sandbox, folder, _api, accounts, .. } = self;
        drop(_api);
        app.close().await;
        drop(app);
        let file = folder.path().join("hsmc.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, if old.is_empty() { text } else { text.replace(old, new) }).unwrap();
        Stage::open(folder, clock, sandbox, accounts).await
    }

    pub async fn new() -> Stage {
        Stage::with("requests_per_minute = 100000").await
    }

    /// A new token.
    pub async fn token(&self, scope: TokenScope, expires: Option<Duration>) -> String {
        let request = TokenRequest::Create { name: "test".to_owned(), scope, expires };
        match self.app.tokens(request).await.unwrap() {
            TokenAnswer::Created { token, .. } => token,
            TokenAnswer::Tokens(_) => panic!("no token"),
        }
    }

    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// What is answered where it must be.
    pub async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Value {
        let response = self.send(method, path, Some(token), body).await;
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// The config file.
    pub fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("hsmc.toml")
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Every byte of the state directory's own files.
    pub fn bytes_on_disk(&self) -> Vec<u8> {
        let (mut bytes, mut folders) = (Vec::new(), vec![self.folder.path().join("state")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(read) = std::fs::read(&path) {
                    bytes.extend(read);
                }
            }
        }
        bytes
    }
}

/// A problem's status and code.
pub async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], id.as_str());
    (status, problem["code"].as_str().unwrap().to_owned())
}

/// The events of a stream, as name and data.
pub fn events(text: &str) -> Vec<(String, Value)> {
    let one = |part: &str| {
        let field = |name: &str| {
            let lines = part.lines().filter_map(|line| line.strip_prefix(name));
            lines.map(|line| line.trim_start().to_owned()).next()
        };
        Some((field("event:")?, serde_json::from_str(&field("data:")?).unwrap()))
    };
    text.split("\n\n").filter_map(one).collect()
}
