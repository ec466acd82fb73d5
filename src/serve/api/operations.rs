//! What was begun over HTTP and goes on: a run, an approval, a pull. Each has a number, and whoever asks by it sees how
//! it stands and what came of it. Only the newest are remembered; what they did is in the journal or the mirror.

use super::guard::Caller;
use super::problem::Problem;
use super::{Api, Owner};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::serve::pull::PullAnswer;
use crate::serve::requests::Call;
use crate::serve::undo::UndoAnswer;
use crate::serve::views::{Acknowledgement, SyncAnswer};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// So many are remembered.
const REMEMBERED: usize = 200;
/// So many may go on at once: most of them wait for one another.
const AT_ONCE: usize = 50;
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

/// What can be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Begun {
    /// One run.
    Sync,
    /// What a waiting run has shown is carried out.
    Approve,
    /// A run or a move is taken back.
    Undo,
    /// People are judged afresh.
    Release,
    /// HubSpot's objects are copied into the mirror.
    Pull,
}

/// What came of it; each as its command prints it.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it stands for what the owner answers, in the description only")]
enum CameOf {
    Sync(Box<SyncAnswer>),
    Undo(Box<UndoAnswer>),
    Release(Acknowledgement),
    Pull(PullAnswer),
}

/// Something that was begun.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct OperationView {
    /// Its number. It is remembered as long as this process runs, and no other one gets it afterwards.
    pub(super) id: u64,
    /// What.
    pub(super) what: Begun,
    /// How it stands.
    pub(super) state: Standing,
    /// When it began.
    pub(super) started: Timestamp,
    /// When it ended.
    pub(super) ended: Option<Timestamp>,
    /// What came of it.
    #[schemars(with = "Option<CameOf>")]
    pub(super) answer: Option<Value>,
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
    pub(super) fn begin(
        &self,
        owner: &Arc<dyn Owner>,
        what: Begun,
        call: Call,
    ) -> Result<OperationView, Problem> {
        if owner.is_leaving() {
            return Err(Problem::leaving());
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.all.values().filter(|told| told.borrow().state == Standing::Running).count() >= AT_ONCE {
            let detail = format!("{AT_ONCE} operations go on already; wait until one of them is over");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail);
            return Err(problem.retry_after(10));
        }
        // By the moment it begins, so that a number of before a restart is nobody else's after it.
        let now = owner.now();
        kept.last = u64::try_from(now.0).unwrap_or_default().max(kept.last + 1);
        let view = OperationView {
            id: kept.last,
            what,
            state: Standing::Running,
            started: now,
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
        Ok(view)
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
    caller: Option<Caller>,
    told: watch::Receiver<OperationView>,
    behind: Option<Value>,
    is_first: bool,
    is_over: bool,
}

impl Following {
    /// How what goes on behind it stands: the newest pull, or the newest run. What cannot be read is not told.
    async fn behind(&self) -> Option<(&'static str, Value)> {
        let owner = &self.api.owner;
        let what = self.told.borrow().what;
        let (name, view) = match what {
            Begun::Pull => ("pull", owner.newest_pull().await.ok()?.map(serde_json::to_value)),
            Begun::Sync | Begun::Approve | Begun::Undo | Begun::Release => {
                ("run", owner.newest_run().ok()?.map(serde_json::to_value))
            }
        };
        Some((name, view?.ok()?))
    }
}

/// Tells how it stands: `operation` when that changes, `run` or `pull` when what goes on behind it does; ends when it
/// is over, or the token is good no longer.
pub(super) fn follow(api: Arc<Api>, caller: Option<Caller>, id: u64) -> Result<Response, Problem> {
    let told = api.operations.told(id)?;
    let following = Following { api, caller, told, behind: None, is_first: true, is_over: false };
    let events = stream::unfold(following, |mut following| async move {
        loop {
            if following.is_over || !following.api.may_go_on(following.caller) {
                return None;
            }
            let view = following.told.borrow_and_update().clone();
            if following.is_first || view.state != Standing::Running {
                following.is_first = false;
                following.is_over = view.state != Standing::Running;
                return Some((event("operation", &view), following));
            }
            if let Some((name, behind)) = following.behind().await
                && following.behind.as_ref() != Some(&behind)
            {
                let event = event(name, &behind);
                following.behind = Some(behind);
                return Some((event, following));
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
