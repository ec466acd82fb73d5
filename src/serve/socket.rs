//! The control socket: a Unix socket in the state directory, mode 0600, through which commands act while a
//! process owns the directory. One path for each operation, JSON in, JSON out.
//!
//! Never: deciding anything, or listening anywhere else.

use super::requests::{Call, Trouble};
use crate::domain::code::Code;
use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Requests are small: addresses and numbers.
const LARGEST_REQUEST: usize = 1 << 20;
/// Whoever listens answers a ping at once, whatever they are busy with.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// A Unix socket's path has room for about 100 bytes.
const LONGEST_PATH: usize = 100;

/// Who answers the socket.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Does what is asked; the answer is one of `views`, as JSON.
    async fn call(&self, call: Call) -> Result<serde_json::Value, Trouble>;
    /// Whether the process lets go of the directory: it takes on nothing any more, and what fails now was cut short,
    /// not refused.
    fn is_leaving(&self) -> bool;
}

/// What came of a question.
#[derive(Debug)]
pub enum Asked {
    /// The answer, or a refusal.
    Answered(Result<serde_json::Value, Trouble>),
    /// The process ended, or is about to, before it had an answer: nobody knows how far it came.
    Left(Trouble),
}

/// Where the socket of a state directory is: inside it, or, where that path is too long for a socket, in
/// the system's directory for temporary files under a name made from it.
pub fn path(state: &Path) -> PathBuf {
    let absolute = std::path::absolute(state).unwrap_or_else(|_| state.to_path_buf());
    let inside = absolute.join("control.sock");
    if inside.as_os_str().len() <= LONGEST_PATH {
        return inside;
    }
    let name = crc32fast::hash(absolute.as_os_str().as_encoded_bytes());
    std::env::temp_dir().join(format!("hsmc-{name:08x}.sock"))
}

/// A served socket. Dropping it stops the serving and removes the file.
pub struct Served {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
        if let Err(problem) = std::fs::remove_file(&self.path) {
            tracing::debug!(%problem, "the control socket was gone already");
        }
    }
}

/// Serves a state directory's socket. The caller owns the directory, so a left-over file is nobody's.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(state: &Path, control: Arc<dyn Control>) -> io::Result<Served> {
    let path = path(state);
    match std::fs::remove_file(&path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let router = Router::new()
        .route("/v1/ping", get(|| async { "hsmc" }))
        .route("/v1/call", post(answer))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(control);
    let task = tokio::spawn(async move {
        if let Err(problem) = axum::serve(listener, router).await {
            tracing::error!(%problem, "the control socket stopped answering");
        }
    });
    Ok(Served { path, task })
}

async fn answer(
    State(control): State<Arc<dyn Control>>,
    Json(call): Json<Call>,
) -> (StatusCode, Json<serde_json::Value>) {
    if control.is_leaving() && !matches!(call, Call::Status(_)) {
        let trouble = Trouble::failed(Code::NoAnswer, "the running hsmc is about to end");
        return (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::to_value(trouble).unwrap_or_default()));
    }
    // What was asked is done even when whoever asked hangs up: a run must not break off between two records.
    let asked = Arc::clone(&control);
    let done = tokio::spawn(async move { asked.call(call).await }).await;
    match done.unwrap_or_else(|problem| Err(Trouble::failed(Code::Inside, problem.to_string()))) {
        Ok(value) => (StatusCode::OK, Json(value)),
        Err(trouble) => {
            let left = control.is_leaving();
            let status = if left { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CONFLICT };
            (status, Json(serde_json::to_value(trouble).unwrap_or_default()))
        }
    }
}

/// Whether a process that owns this state directory listens.
pub async fn is_served(state: &Path) -> bool {
    UnixStream::connect(path(state)).await.is_ok()
}

/// Asks the process that owns a state directory; none when there is no such process.
pub async fn ask(state: &Path, call: &Call) -> Option<Asked> {
    let path = path(state);
    // A file without a listener is what a killed process leaves.
    UnixStream::connect(&path).await.ok()?;
    Some(exchange(&path, call).await)
}

async fn exchange(path: &Path, call: &Call) -> Asked {
    let silent = |problem: reqwest::Error| {
        Trouble::failed(Code::NoAnswer, format!("the running hsmc does not answer: {problem}"))
    };
    crate::tls::set_up();
    let client = reqwest::Client::builder().unix_socket(path).connect_timeout(Duration::from_secs(5)).build();
    let client = match client {
        Ok(client) => client,
        Err(problem) => return Asked::Answered(Err(silent(problem))),
    };
    let ping = client.get("http://hsmc/v1/ping").timeout(ANSWERS_WITHIN).send().await;
    if ping.is_err_and(|problem| problem.is_timeout()) {
        let what = "the running hsmc does not answer: it is stopped, or stands still";
        return Asked::Answered(Err(Trouble::failed(Code::NoAnswer, what).with_way_out(
            "nothing was asked of it; `systemctl status hsmc`, then let it go on (SIGCONT) or start it anew: it goes \
             on where it stood",
        )));
    }
    // Nothing limits how long an answer takes: where there is none, its process is gone.
    let response = match client.post("http://hsmc/v1/call").json(call).send().await {
        Ok(response) => response,
        Err(problem) => return Asked::Left(silent(problem)),
    };
    let status = response.status();
    let body: serde_json::Value = match response.json().await {
        Ok(body) => body,
        Err(problem) => return Asked::Left(silent(problem)),
    };
    if status == StatusCode::OK {
        return Asked::Answered(Ok(body));
    }
    let trouble = serde_json::from_value(body)
        .unwrap_or_else(|_| Trouble::failed(Code::NoAnswer, format!("the running hsmc refused ({status})")));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Asked::Left(trouble),
        _ => Asked::Answered(Err(trouble)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::requests::Subject;

    /// By `kill -STOP`, say: the system takes connections for a process that stands still.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_stands_still_is_told_of_instead_of_waited_for() {
        let state = tempfile::tempdir().unwrap();
        let _stands_still = UnixListener::bind(path(state.path())).unwrap();
        match ask(state.path(), &Call::Status(Subject::All)).await {
            Some(Asked::Answered(Err(trouble))) => {
                assert_eq!(trouble.code, Code::NoAnswer);
                assert!(trouble.message.contains("stands still"), "{trouble:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}
