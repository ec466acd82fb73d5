//! What was begun over HTTP and goes on: a run, an approval. Each has a number, and whoever asks by it sees how it
//! stands and what came of it. Only the newest are remembered; what they did is in the journal.

use super::problem::Problem;
use super::{Api, Owner};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::serve::requests::Call;
use crate::serve::views::RunView;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// So many are remembered.
const REMEMBERED: usize = 200;
/// How often the run behind one is looked at for whoever follows it.
const LOOK: Duration = Duration::from_millis(500);

/// How something that was begun stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Standing {
    /// It goes on.
    Running,
    /// It came to its end: see `answer`.
    Done,
    /// It was not done: see `problem`.
    Failed,
}

/// Something that was begun.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct OperationView {
    /// Its number, as long as this process runs.
    pub(super) id: u64,
    /// What: `sync`, `approve`.
    pub(super) what: String,
    /// How it stands.
    pub(super) state: Standing,
    /// When it began.
    pub(super) started: Timestamp,
    /// When it ended.
    pub(super) ended: Option<Timestamp>,
    /// What came of it: the report of a run, or a plan.
    pub(super) answer: Option<serde_json::Value>,
    /// Why it was not done.
    pub(super) problem: Option<Problem>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    all: BTreeMap<u64, watch::Receiver<OperationView>>,
}

/// Those that are remembered.
#[derive(Default)]
pub(super) struct Operations(Mutex<Kept>);

impl Operations {
    /// Begins a call, and answers at once.
    pub(super) fn begin(&self, owner: &Arc<dyn Owner>, what: &str, call: Call) -> OperationView {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let view = OperationView {
            id: kept.last,
            what: what.to_owned(),
            state: Standing::Running,
            started: owner.now(),
            ended: None,
            answer: None,
            problem: None,
        };
        let (tell, told) = watch::channel(view.clone());
        kept.all.insert(view.id, told);
        while kept.all.len() > REMEMBERED {
            // The oldest that is over; with none over, all are kept.
            let over = |told: &watch::Receiver<OperationView>| told.borrow().state != Standing::Running;
            let Some(oldest) = kept.all.iter().find(|(_, told)| over(told)).map(|(id, _)| *id) else { break };
            kept.all.remove(&oldest);
        }
        drop(kept);
        let owner = Arc::clone(owner);
        tokio::spawn(async move {
            let done = owner.call(call).await;
            tell.send_modify(|view| {
                view.ended = Some(owner.now());
                match done {
                    Ok(answer) => {
                        view.state = Standing::Done;
                        view.answer = Some(answer);
                    }
                    Err(trouble) => {
                        view.state = Standing::Failed;
                        view.problem = Some(Problem::of(&trouble));
                    }
                }
            });
        });
        view
    }

    fn told(&self, id: u64) -> Result<watch::Receiver<OperationView>, Problem> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.all.get(&id).cloned().ok_or_else(|| {
            let detail = format!(
                "nothing of the number {id} was begun over HTTP since hsmc started, or it is long over"
            );
            Problem::new(StatusCode::NOT_FOUND, Code::NothingSuch, detail)
        })
    }

    pub(super) fn one(&self, id: u64) -> Result<OperationView, Problem> {
        Ok(self.told(id)?.borrow().clone())
    }

    pub(super) fn all(&self) -> Vec<OperationView> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.all.values().rev().map(|told| told.borrow().clone()).collect()
    }
}

/// What somebody who follows has been told last.
struct Following {
    api: Arc<Api>,
    told: watch::Receiver<OperationView>,
    run: Option<RunView>,
    is_first: bool,
    is_over: bool,
}

/// Tells how it stands: `operation` when that changes, `run` when the run behind it does; ends when it is over.
pub(super) fn follow(api: Arc<Api>, id: u64) -> Result<Response, Problem> {
    let told = api.operations.told(id)?;
    let following = Following { api, told, run: None, is_first: true, is_over: false };
    let events = stream::unfold(following, |mut following| async move {
        loop {
            if following.is_over {
                return None;
            }
            let view = following.told.borrow_and_update().clone();
            if following.is_first || view.state != Standing::Running {
                following.is_first = false;
                following.is_over = view.state != Standing::Running;
                return Some((event("operation", &view), following));
            }
            let run = following.api.owner.newest_run().ok().flatten();
            if run.is_some() && run != following.run {
                following.run.clone_from(&run);
                return Some((event("run", &run), following));
            }
            // Whichever comes first; a task that broke off never tells, and its channel closes.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, following.told.changed()).await {
                following.is_over = following.told.borrow().state == Standing::Running;
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn event<T: Serialize>(name: &str, value: &T) -> Result<Event, Infallible> {
    let text = serde_json::to_string(value).unwrap_or_default();
    Ok(Event::default().event(name).data(text))
}
