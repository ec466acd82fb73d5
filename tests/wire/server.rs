//! A server that records what it is asked and plays a script: answers, dropped connections, bodies
//! that break off. It speaks just enough HTTP/1.1, by hand, because a framework would not drop a
//! connection on request.

use async_trait::async_trait;
use hsmc::domain::email::Email;
use hsmc::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use hsmc::domain::port::{Budget, Gate, Observed, Permit, Priority};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// One move of the server.
pub enum Play {
    /// An answer.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection closes after the request was read.
    Drop,
    /// Status and half a body, then the connection closes.
    Cut(u16),
    /// No answer, and the connection stays open.
    Silence,
}

pub fn json(status: u16, body: Value) -> Play {
    Play::Answer(status, vec![("content-type", "application/json".to_owned())], body.to_string().into_bytes())
}

pub fn text(status: u16, body: &str) -> Play {
    Play::Answer(status, vec![("content-type", "text/html".to_owned())], body.as_bytes().to_vec())
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Asked {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn query(&self, name: &str) -> Option<String> {
        let url = Url::parse(&format!("http://server{}", self.target)).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path())
    }
}

#[derive(Clone)]
pub struct Server {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    plays: Arc<Mutex<VecDeque<Play>>>,
}

impl Server {
    pub async fn start(plays: Vec<Play>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/base/", listener.local_addr().unwrap())).unwrap();
        let server = Server { url, asked: Arc::default(), plays: Arc::new(Mutex::new(plays.into())) };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().converse(stream));
            }
        });
        server
    }

    pub fn plan(&self, play: Play) {
        self.plays.lock().unwrap().push_back(play);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn last(&self) -> Asked {
        self.asked().pop().expect("nothing was asked")
    }

    async fn converse(self, mut stream: TcpStream) {
        let Some(asked) = read(&mut stream).await else { return };
        self.asked.lock().unwrap().push(asked);
        let play = self.plays.lock().unwrap().pop_front();
        let (head, body) = match play {
            Some(Play::Answer(status, headers, body)) => (head(status, &headers, body.len()), body),
            Some(Play::Cut(status)) => (head(status, &[], 100), b"{\"results\":[".to_vec()),
            Some(Play::Drop) => return,
            Some(Play::Silence) => std::future::pending().await,
            None => (head(418, &[], 0), Vec::new()),
        };
        // A client that hung up needs no answer.
        if stream.write_all(head.as_bytes()).await.is_ok() {
            stream.write_all(&body).await.ok();
        }
    }
}

fn head(status: u16, headers: &[(&str, String)], length: usize) -> String {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{length}{more}\r\n")
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let asked = Asked { method, target, headers, body: Value::Null };
    let length: usize = asked.header("content-length").map_or(0, |text| text.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { body: serde_json::from_slice(&bytes[end..]).unwrap_or(Value::Null), ..asked })
}

/// A gate that lets nothing through.
pub struct ClosedGate;

#[async_trait]
impl Gate for ClosedGate {
    async fn admit(&self, _: Priority, _: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        Err(CallFailure {
            service: Service::HubSpot,
            class: FailureClass::Unauthorized,
            refusal: RefusalCode::Other,
            status: None,
            what: "admit".to_owned(),
            message: "the account is stopped".to_owned(),
            trace: None,
        })
    }

    fn service(&self) -> Service {
        Service::HubSpot
    }
}

/// A gate that admits everything and keeps what it is told.
pub struct RecordingGate {
    service: Service,
    pub admitted: Mutex<Vec<(Priority, Budget)>>,
    pub seen: Arc<Mutex<Vec<Observed>>>,
}

impl RecordingGate {
    pub fn new(service: Service) -> Arc<RecordingGate> {
        Arc::new(RecordingGate { service, admitted: Mutex::default(), seen: Arc::default() })
    }

    pub fn last(&self) -> Observed {
        self.seen.lock().unwrap().last().cloned().expect("nothing was reported")
    }
}

struct Reporter(Arc<Mutex<Vec<Observed>>>);

impl Permit for Reporter {
    fn report(self: Box<Self>, observed: Observed) {
        self.0.lock().unwrap().push(observed);
    }
}

#[async_trait]
impl Gate for RecordingGate {
    async fn admit(&self, priority: Priority, budget: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        self.admitted.lock().unwrap().push((priority, budget));
        Ok(Box::new(Reporter(self.seen.clone())))
    }

    fn service(&self) -> Service {
        self.service
    }
}

pub fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}
