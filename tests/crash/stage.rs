//! One pair of simulated accounts, one state directory, and the real binary between them.

use hsmc::sandbox::{Sandbox, What};
use hsmc::serve::sandbox_http::{self, Served};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// No process here takes nearly as long, unless it hangs.
const LONGEST: Duration = Duration::from_secs(90);
/// Instead of the two minutes that a lost call may still be running.
const STILL_RUNNING_MS: &str = "500";

/// A world to begin with: accounts, state directory, config. Cases work on copies.
pub struct Prepared {
    pub sandbox: Sandbox,
    pub state: TempDir,
    pub config: String,
}

/// A copy of a world, with accounts that answer.
pub struct Stage {
    pub sandbox: Arc<Mutex<Sandbox>>,
    pub folder: TempDir,
    before: usize,
    _served: Served,
}

/// How a process ended.
pub struct Ended {
    pub code: Option<i32>,
    pub killed: bool,
    pub said: String,
}

impl Stage {
    pub async fn of(prepared: &Prepared) -> Stage {
        let stage = Stage::new(prepared.sandbox.clone(), &prepared.config).await;
        copy(prepared.state.path(), &stage.folder.path().join("state"));
        stage
    }

    pub async fn new(sandbox: Sandbox, config: &str) -> Stage {
        Stage::slow(sandbox, config, Duration::ZERO).await
    }

    /// With accounts that take so long for each answer.
    pub async fn slow(sandbox: Sandbox, config: &str, latency: Duration) -> Stage {
        let before = sandbox.effects.len();
        let sandbox = Arc::new(Mutex::new(sandbox));
        let served = sandbox_http::serve_slowly(Arc::clone(&sandbox), 0, latency).await.unwrap();
        let folder = directory();
        let text = config
            .replace("@HUBSPOT@", &served.hubspot_url())
            .replace("@MAILCHIMP@", &served.mailchimp_url());
        fs::write(folder.path().join("hsmc.toml"), text).unwrap();
        Stage { sandbox, folder, before, _served: served }
    }

    /// What is there now, to begin other stages with.
    pub fn prepared(&self, config: &str) -> Prepared {
        let state = directory();
        copy(&self.folder.path().join("state"), state.path());
        Prepared { sandbox: self.held().clone(), state, config: config.to_owned() }
    }

    pub fn held(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap()
    }

    pub fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_hsmc"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HSMC_STILL_RUNNING_MS", STILL_RUNNING_MS)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    pub async fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let child = self.start(arguments, variables);
        let output = tokio::time::timeout(LONGEST, child.wait_with_output()).await;
        let Ok(output) = output else {
            return Ended { code: None, killed: false, said: "it hangs".to_owned() };
        };
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code(),
            killed: output.status.signal() == Some(9),
            said: text(&output.stdout) + &text(&output.stderr),
        }
    }

    pub async fn sync(&self) -> Ended {
        self.run(&["sync", "--yes"], &[]).await
    }

    /// Runs until a run changes nothing. How many runs that took, the last one not counted.
    pub async fn settle(&self, most: usize) -> Result<usize, String> {
        self.settle_from(most, &[]).await
    }

    /// The same, where the first run may end with one of these codes instead.
    pub async fn settle_from(&self, most: usize, first: &[i32]) -> Result<usize, String> {
        for run in 0..=most {
            self.held().calls.clear();
            let ended = self.sync().await;
            if run == 0 && ended.code.is_some_and(|code| first.contains(&code)) {
                continue;
            }
            if ended.code != Some(0) {
                return Err(format!("run {run} ended with {:?}: {}", ended.code, ended.said));
            }
            if self.held().calls.mutating() == 0 {
                return Ok(run);
            }
        }
        let calls = self.held().calls.all().clone();
        let calls: Vec<_> = calls.into_iter().filter(|(kind, _)| kind.mutating).collect();
        Err(format!("run {most} still changes something: {calls:?}"))
    }

    /// Open moves, by the command that operators use.
    pub async fn open_moves(&self) -> Option<u64> {
        let status = self.run(&["status", "--json"], &[]).await;
        let view: Value = serde_json::from_str(status.said.lines().next()?)
            .or_else(|_| serde_json::from_str(&status.said))
            .ok()?;
        view["open_moves"].as_u64()
    }

    /// What counts in the end: lists, opt-outs and properties of each contact, everything of each member.
    pub fn picture(&self) -> BTreeMap<String, Value> {
        let state = self.held().state();
        let mut picture = BTreeMap::new();
        for contact in state["hubspot"]["contacts"].as_object().unwrap().values() {
            let mut properties = contact["properties"].clone();
            let own = properties.as_object_mut().unwrap();
            own.retain(|name, value| !name.ends_with("date") && value.as_str() != Some(""));
            // By address: who of two new contacts gets which number is chance.
            picture.insert(
                format!("contact {}", contact["properties"]["email"]),
                json!({"lists": contact["lists"], "opted_out": contact["opted_out"], "properties": properties}),
            );
        }
        for (email, member) in state["mailchimp"]["members"].as_object().unwrap() {
            picture.insert(format!("member {email}"), member.clone());
        }
        picture
    }

    /// Every real change since the stage was set, with how often it happened. Doing something twice that
    /// held already is no change, so whatever is here twice was really done twice.
    pub fn changes(&self) -> BTreeMap<String, usize> {
        let mut changes = BTreeMap::new();
        let sandbox = self.held();
        for effect in sandbox.effects.since(self.before) {
            if matches!(effect.what, What::BatchSubmitted { .. }) {
                continue;
            }
            let mut what = json!(effect.what);
            for fields in what.as_object_mut().into_iter().flat_map(|what| what.values_mut()) {
                if let Some(contact) = fields["contact"].as_u64().and_then(|id| sandbox.hubspot.contact(id)) {
                    fields["contact"] = json!(contact.email());
                }
            }
            *changes.entry(what.to_string()).or_default() += 1;
        }
        changes
    }

    /// What must never be, whatever happened.
    pub fn wrongs(&self) -> Vec<String> {
        let sandbox = self.held();
        let mut wrongs: Vec<String> =
            sandbox.effects.violations().iter().map(|(rule, detail)| format!("{rule}: {detail}")).collect();
        let mut journeys: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for effect in sandbox.effects.since(self.before) {
            if let What::JourneyStarted { email, tag } = &effect.what {
                *journeys.entry((email, tag)).or_default() += 1;
            }
        }
        wrongs.extend(
            journeys
                .into_iter()
                .filter(|(_, times)| *times > 1)
                .map(|(who, _)| format!("journey twice: {who:?}")),
        );
        wrongs
    }
}

/// Where two pictures or two counts differ, one line each.
pub fn differences<T: PartialEq + std::fmt::Debug>(
    wanted: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    keys.into_iter()
        .filter(|key| wanted.get(*key) != found.get(*key))
        .map(|key| format!("{key}: undisturbed {:?}, here {:?}", wanted.get(key), found.get(key)))
        .collect()
}

/// In memory where that can be had: a kill, unlike a power cut, loses nothing that was written, and syncs
/// cost nothing there.
pub fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies a directory; sockets are left out.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
