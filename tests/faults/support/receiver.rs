//! Whoever is told of alerts: takes down what it gets, and answers as its script says; when that is over, 200.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Status(u16),
    /// 429, and to be left alone for so many seconds.
    LeaveAlone(u64),
    /// None, and the connection stays open.
    Hang,
    /// It took the message, and the answer is lost.
    Lose,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub headers: String,
    pub text: String,
    pub body: Value,
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    then: Arc<Mutex<Reply>>,
}

impl Receiver {
    pub async fn start(script: impl IntoIterator<Item = Reply>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            url: format!("http://{}/hook/of-nobody-else", listener.local_addr().unwrap()),
            received: Arc::default(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            then: Arc::new(Mutex::new(Reply::Status(200))),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().converse(stream));
            }
        });
        receiver
    }

    /// From now on, when the script is over.
    pub fn then(&self, reply: Reply) {
        *self.then.lock().unwrap() = reply;
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// `raised run-failed`, `resolved run-failed`, … of a generic webhook, in the order of arrival.
    pub fn words(&self) -> Vec<String> {
        let word = |body: &Value, name: &str| body[name].as_str().unwrap_or("?").to_owned();
        let all = self.received();
        all.iter().map(|got| format!("{} {}", word(&got.body, "event"), word(&got.body, "kind"))).collect()
    }

    async fn converse(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let Some((headers, text)) = read(&mut stream, &mut bytes).await else { return };
            let body = serde_json::from_str(&text).unwrap_or_default();
            self.received.lock().unwrap().push(Received { headers, text, body });
            let reply = self.script.lock().unwrap().pop_front().unwrap_or(*self.then.lock().unwrap());
            let (status, more) = match reply {
                Reply::Status(status) => (status, String::new()),
                Reply::LeaveAlone(seconds) => (429, format!("retry-after: {seconds}\r\n")),
                Reply::Hang => return std::future::pending().await,
                Reply::Lose => return,
            };
            let answer = format!("HTTP/1.1 {status} X\r\n{more}content-length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Head and body of the next request.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.trim().parse().unwrap();
            if body.len() >= length {
                let body = body[..length].to_owned();
                bytes.clear();
                return Some((head, body));
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
    }
}
