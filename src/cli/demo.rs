//! The demo: simulated accounts, a plan, a run, and the proof from the accounts' own state. It needs no
//! credentials and no config, and leaves nothing behind.

use super::error::Failure;
use super::progress::Progress;
use super::render;
use super::table::Layout;
use super::{Answer, system::System};
use crate::cli::Backend;
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::What;
use crate::sandbox::{Sandbox, scenario};
use crate::serve::requests::{Call, PlanRequest, Subject, SyncRequest};
use crate::serve::sandbox_http::{self, Served};
use crate::serve::socket::{self, Asked};
use crate::serve::views::{DemoView, MovePhase, StatusAnswer, StatusView, SyncAnswer};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::process::{Child, Command};

/// Where the kills fall: after these shares of all the changes that an undisturbed run makes.
const KILLS: [f64; 3] = [0.2, 0.45, 0.7];
/// How long the daemon may take between two looks at its effects.
const LOOK: Duration = Duration::from_millis(5);
/// A daemon that has not come so far by then never will.
const LONGEST: Duration = Duration::from_secs(15);
/// Added to each answer where the daemon is killed, so that kills fall into calls.
const LATENCY: Duration = Duration::from_millis(15);

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(seed: u64) -> Answer<Scratch> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = std::env::temp_dir().join(format!("hsmc-demo-{}-{seed}-{since}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|problem| Failure::failed(Code::Inside, format!("{}: {problem}", path.display())))?;
        Ok(Scratch(path))
    }

    fn system(&self, served: &Served) -> Answer<System> {
        let config = self.0.join("hsmc.toml");
        let text = scenario::config_toml(&served.hubspot_url(), &served.mailchimp_url());
        std::fs::write(&config, text)
            .map_err(|problem| Failure::failed(Code::Inside, format!("{}: {problem}", config.display())))?;
        Ok(System { config, state: self.0.join("state") })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(problem) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%problem, "the demo's directory stays");
        }
    }
}

fn held(sandbox: &Mutex<Sandbox>) -> MutexGuard<'_, Sandbox> {
    sandbox.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(sandbox: &Arc<Mutex<Sandbox>>, latency: Duration) -> Answer<Served> {
    sandbox_http::serve_slowly(Arc::clone(sandbox), 0, latency).await.map_err(|problem| {
        Failure::failed(Code::Inside, format!("no port on 127.0.0.1 can be had: {problem}"))
    })
}

/// Plans, shows the plan, applies it, shows status and report, and checks the outcome.
pub async fn calm(seed: u64, progress: &dyn Progress) -> Answer<DemoView> {
    let scratch = Scratch::new(seed)?;
    let sandbox = Arc::new(Mutex::new(scenario::tiny(seed)));
    let served = serve(&sandbox, Duration::ZERO).await?;
    let system = scratch.system(&served)?;
    let layout = Layout::PLAIN;
    progress.say(
        "Two simulated accounts, about forty people, nothing real.\nFirst the plan: nothing is changed.\n",
    );
    let plan = system.plan(PlanRequest::default(), progress).await?;
    progress.say(&render::plan(&plan, layout));
    progress.say(
        "Now one run. It touches more than a quarter of the audience, so a gate asks;\n--yes says yes.\n",
    );
    let answer = system.sync(SyncRequest { yes: true, ..SyncRequest::default() }, progress).await?;
    if let SyncAnswer::Ran(report) = &answer {
        progress.say(&render::report(report, layout));
    }
    if let StatusAnswer::Overview(status) = system.status(Subject::All).await? {
        progress.say(&render::status(&status, layout));
    }
    let after_first = held(&sandbox).effects.len();
    progress.say("Once more, with nothing changed meanwhile.\n");
    let again = system.sync(SyncRequest { yes: true, ..SyncRequest::default() }, progress).await?;
    let sandbox = held(&sandbox);
    let mut checks = common_checks(&sandbox);
    checks.push(("the run came to its end".to_owned(), ended_well(&answer)));
    checks.push((
        "the second run changed nothing".to_owned(),
        sandbox.effects.len() == after_first && ended_well(&again),
    ));
    Ok(DemoView { checks, seed })
}

/// Kills a daemon with SIGKILL in the middle of its moves, again and again, and compares what is left with
/// a run that nobody disturbed.
pub async fn crash(seed: u64, progress: &dyn Progress) -> Answer<DemoView> {
    let (undisturbed, changes) = undisturbed(seed).await?;
    let scratch = Scratch::new(seed)?;
    let sandbox = Arc::new(Mutex::new(scenario::tiny(seed)));
    let served = serve(&sandbox, LATENCY).await?;
    let system = scratch.system(&served)?;
    progress.say(
        "A daemon works on two simulated accounts, and is killed with SIGKILL in the\nmiddle of its moves.",
    );
    let mut kills = 0;
    let mut cut_off = 0;
    for share in KILLS {
        let mut daemon = start(&system)?;
        let before = held(&sandbox).effects.len();
        let at = ((changes as f64 * share) as usize).max(before + 1);
        let come_so_far = || std::future::ready(held(&sandbox).effects.len() >= at).boxed();
        if wait(&mut daemon, come_so_far).await {
            kill(&mut daemon).await?;
            kills += 1;
            let half = half_moved(&held(&sandbox));
            cut_off += half;
            progress.say(&format!(
                "killed after {} changes on both sides; handovers cut in the middle: {half}",
                held(&sandbox).effects.len()
            ));
        } else {
            kill(&mut daemon).await?;
            break;
        }
    }
    progress.say("Started once more, and left alone.");
    let mut daemon = start(&system)?;
    let since = now();
    let finished = wait(&mut daemon, || is_idle(&system.state, since).boxed()).await;
    if !finished && let Ok(StatusAnswer::Overview(status)) = system.status(Subject::All).await {
        progress.say(&render::status(&status, Layout::PLAIN));
    }
    // The demo's directory goes away with everything in it: no orderly stop is needed.
    kill(&mut daemon).await?;
    let sandbox = held(&sandbox);
    let mut checks = common_checks(&sandbox);
    checks.insert(
        0,
        (
            format!("the daemon was killed {kills} times with SIGKILL, {cut_off} handovers in the middle"),
            kills > 0,
        ),
    );
    checks.push(("after the last start it came to rest by itself".to_owned(), finished));
    checks.push(("nobody is half moved".to_owned(), half_moved(&sandbox) == 0));
    let outcome = picture(&sandbox);
    for line in differences(&undisturbed, &outcome) {
        progress.say(&line);
    }
    checks.push(("everyone is where an undisturbed run puts them".to_owned(), outcome == undisturbed));
    Ok(DemoView { checks, seed })
}

/// What a run that nobody disturbs leaves behind.
async fn undisturbed(seed: u64) -> Answer<(BTreeMap<String, Value>, usize)> {
    let scratch = Scratch::new(seed)?;
    let sandbox = Arc::new(Mutex::new(scenario::tiny(seed)));
    let served = serve(&sandbox, Duration::ZERO).await?;
    let system = scratch.system(&served)?;
    system.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &super::Silent).await?;
    let sandbox = held(&sandbox);
    Ok((picture(&sandbox), sandbox.effects.len()))
}

fn start(system: &System) -> Answer<Child> {
    let binary = std::env::current_exe().map_err(|problem| {
        Failure::failed(Code::Inside, format!("this program cannot be found: {problem}"))
    })?;
    Command::new(binary)
        .arg("--config")
        .arg(&system.config)
        .arg("--state")
        .arg(&system.state)
        .arg("daemon")
        // Nobody is there to say yes to the gate.
        .env("HSMC_SYNC__MAX_CHANGED_SHARE", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|problem| Failure::failed(Code::Inside, format!("the daemon cannot be started: {problem}")))
}

/// Whether it came so far before the daemon ended or time ran out.
async fn wait<'a>(daemon: &mut Child, is_so: impl Fn() -> BoxFuture<'a, bool>) -> bool {
    let waiting = async {
        while !is_so().await {
            tokio::select! {
                biased;
                _ = daemon.wait() => return false,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        true
    };
    tokio::time::timeout(LONGEST, waiting).await.unwrap_or(false)
}

async fn kill(daemon: &mut Child) -> Answer<()> {
    daemon
        .kill()
        .await
        .map_err(|problem| Failure::failed(Code::Inside, format!("the daemon cannot be killed: {problem}")))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Whether the daemon says that a run has ended since, and that nothing is open.
async fn is_idle(state: &Path, since: Timestamp) -> bool {
    let asked = socket::ask(state, &Call::Status(Subject::All)).await;
    let Some(Asked::Answered(Ok(answer))) = asked else { return false };
    let Ok(view) = serde_json::from_value::<StatusView>(answer) else { return false };
    let ended = view.last_run.as_ref().and_then(|run| run.ended);
    // A call whose answer a kill has swallowed may run on for two minutes on their side: before anything is
    // given up, hsmc looks once more then. A demo does not wait for that.
    let last_looks = view.moves.iter().all(|one| one.phase == MovePhase::Unwinding && one.next_try.is_some());
    view.current_run.is_none() && ended.is_some_and(|at| at >= since) && last_looks
}

fn ended_well(answer: &SyncAnswer) -> bool {
    match answer {
        SyncAnswer::Ran(report) => {
            report.run.state == crate::serve::views::RunState::Done && report.stuck.is_empty()
        }
        SyncAnswer::Planned(_) => false,
    }
}

fn common_checks(sandbox: &Sandbox) -> Vec<(String, bool)> {
    let violations = sandbox.effects.violations().is_empty();
    let mut journeys: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for effect in sandbox.effects.all() {
        if let What::JourneyStarted { email, tag } = &effect.what {
            *journeys.entry((email, tag)).or_default() += 1;
        }
    }
    let once = journeys.values().all(|times| *times == 1);
    vec![
        ("every call was one that a careful client makes".to_owned(), violations),
        (format!("{} customer journeys started, none of them twice", journeys.len()), once),
    ]
}

/// Handovers that are in their destination but still bear tags or are not archived, or the other way round.
fn half_moved(sandbox: &Sandbox) -> usize {
    let mut joined: BTreeMap<u64, bool> = BTreeMap::new();
    for effect in sandbox.effects.all() {
        match &effect.what {
            What::ListJoined { list, contact }
                if [946, 947, 948, 1005, 949, 1006].contains(list)
                    && effect.by == crate::sandbox::effects::Actor::Api =>
            {
                joined.insert(*contact, true);
            }
            What::ListLeft { list, contact } if [946, 947, 948, 1005, 949, 1006].contains(list) => {
                joined.remove(contact);
            }
            _ => {}
        }
    }
    joined
        .keys()
        .filter(|contact| {
            let Some(record) = sandbox.hubspot.contact(**contact) else { return false };
            sandbox.mailchimp.member(record.email()).is_some_and(|member| member.status.wire() != "archived")
        })
        .count()
}

/// What counts in the end: lists, status, tags, merge fields and opt-outs of everybody.
fn picture(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let state = sandbox.state();
    let mut picture = BTreeMap::new();
    let objects = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for (id, contact) in objects(at(&state, "/hubspot/contacts")) {
        let import = at(&contact, "/properties/import_list");
        picture.insert(
            format!("contact {id}"),
            json!({"lists": at(&contact, "/lists"), "opted_out": at(&contact, "/opted_out"), "import_list": import}),
        );
    }
    for (number, (_, member)) in objects(at(&state, "/mailchimp/members")).into_iter().enumerate() {
        picture.insert(format!("member {number}"), member);
    }
    picture
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn differences(wanted: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    keys.into_iter()
        .filter(|key| wanted.get(*key) != found.get(*key))
        .map(|key| {
            format!(
                "{key}: undisturbed {:?}, here {:?}",
                wanted.get(key).map(Value::to_string),
                found.get(key).map(Value::to_string)
            )
        })
        .take(10)
        .collect()
}
