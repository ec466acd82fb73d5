//! The built binary, given what it cannot use: one clear message with the place and the way out, the right
//! exit code, and nothing changed. And what it says and does while it runs, and when it is told to stop.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use hsmc::domain::code::Code;
use hsmc::journal::store::live::LiveStore;
use hsmc::sandbox::Sandbox;
use hsmc::sandbox::scenario;
use hsmc::serve::sandbox_http::{self, Served};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Simulated accounts, and a folder with a config for them.
struct Ground {
    sandbox: Arc<Mutex<Sandbox>>,
    folder: tempfile::TempDir,
    config: String,
    _served: Served,
    _runtime: tokio::runtime::Runtime,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ground {
    fn new() -> Ground {
        Ground::slow(Duration::ZERO)
    }

    fn slow(latency: Duration) -> Ground {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let sandbox = Arc::new(Mutex::new(scenario::tiny(1)));
        let served = runtime.block_on(sandbox_http::serve_slowly(Arc::clone(&sandbox), 0, latency)).unwrap();
        let config = scenario::config_toml(&served.hubspot_url(), &served.mailchimp_url());
        let folder = tempfile::tempdir().unwrap();
        let ground = Ground { sandbox, folder, config, _served: served, _runtime: runtime };
        ground.write(&ground.config);
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, config: &str) {
        std::fs::write(self.path("hsmc.toml"), config).unwrap();
    }

    /// The config with one text replaced; it must be there.
    fn with(&self, from: &str, to: &str) -> &Ground {
        assert!(self.config.contains(from), "{from}");
        self.write(&self.config.replacen(from, to, 1));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmc"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command
    }

    fn hsmc(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn assert_unchanged(&self) {
        let sandbox = self.sandbox.lock().unwrap();
        assert!(sandbox.effects.is_empty(), "{:?}", sandbox.effects.all());
    }

    /// The command ends with this exit code and says these things in one message, the first of them the code whose
    /// page says more, and changes nothing.
    fn refuses(&self, arguments: &[&str], exit: i32, parts: &[&str]) {
        let said = self.hsmc(arguments);
        let shown = format!("{arguments:?}: {}{}", said.out, said.err);
        assert_eq!(said.code, Some(exit), "{shown}");
        assert_eq!(said.err.matches("error[").count(), 1, "one message: {shown}");
        let code: Code = parts[0].parse().expect("a code comes first");
        assert!(said.err.contains(&format!("error[{code}]: ")), "{code}: {shown}");
        assert!(said.err.contains(&format!("more: hsmc explain {code}")), "{code}: {shown}");
        for part in parts {
            assert!(said.err.contains(part), "{part} is missing: {shown}");
        }
        assert!(!said.err.contains("panicked"), "{shown}");
        self.assert_unchanged();
    }
}

/// Looks until it is so; the binary runs beside, on its own time.
fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_config_that_cannot_be_used_is_told_with_its_line() {
    let ground = Ground::new();
    let sync = ["sync", "--yes"];
    ground.refuses(
        &["sync", "--config", "none.toml"],
        2,
        &["HSMC1101", "none.toml", "cannot be read", "hsmc init"],
    );
    ground.with("[sync]", "[sync").refuses(&sync, 2, &["HSMC1102", "hsmc.toml:", "no TOML", "help: "]);
    ground.with("full_every", "ful_every").refuses(
        &sync,
        2,
        &["HSMC1103", "hsmc.toml:25 sync.ful_every", "knows no key", "did you mean `full_every`?"],
    );
    ground.with("\"sandbox-hubspot\"", "\"env:NOT_SET_HERE\"").refuses(
        &sync,
        2,
        &["HSMC1106", "hsmc.toml:8 hubspot.token", "NOT_SET_HERE is not set", "set NOT_SET_HERE before"],
    );
    assert!(!ground.path("state").exists(), "not even a state directory is made");
}

#[test]
fn accounts_that_are_not_what_the_config_says_are_told_with_its_line() {
    for command in [&["sync", "--yes"][..], &["plan"]] {
        // Of its own: a state directory is about the audience that Mailchimp was once found to have.
        let ground = Ground::new();
        ground.with("\"sandbox-hubspot\"", "\"wrong\"").refuses(
            command,
            2,
            &["HSMC2001", "hsmc.toml:8 hubspot.token", "help: use a service key"],
        );
        ground.with("sandbox-mailchimp-us1", "wrong-us1").refuses(
            command,
            2,
            &["HSMC2001", "hsmc.toml:16 mailchimp.api_key", "help: make a new API key"],
        );
        ground.with("aud0000001", "aud0000009").refuses(
            command,
            2,
            &["HSMC2005", "hsmc.toml:18 mailchimp.audience", "help: use the audience id"],
        );
        ground.with("4200042", "4200043").refuses(
            command,
            2,
            &["HSMC2003", "hsmc.toml:11 hubspot.portal_id", "portal 4200042, the config names 4200043"],
        );
        ground.with("id = \"720\"", "id = \"99720\"").refuses(
            command,
            2,
            &[
                "HSMC2101",
                "hsmc.toml:42 group[0].list[2].id",
                "HubSpot has no list 99720",
                "help: correct the id",
            ],
        );
        ground.with("FNAME = \"firstname\"", "FNAME = \"first_name\"").refuses(
            command,
            2,
            &["HSMC2105", "merge_fields.FNAME: HubSpot has no contact property first_name", "help: correct"],
        );
        // 762 and 773 are dynamic; here one of them is only a destination.
        ground.with("to = \"946\"", "to = \"773\"").refuses(
            command,
            2,
            &["HSMC2103", "hsmc.toml:", "773", "help: "],
        );
    }
}

#[test]
fn check_finds_the_same_with_the_same_lines_and_ends_with_2() {
    let ground = Ground::new();
    for (from, to, place, code) in [
        ("\"sandbox-hubspot\"", "\"wrong\"", "hsmc.toml:8 hubspot.token", "HSMC2001"),
        ("sandbox-mailchimp-us1", "wrong-us1", "hsmc.toml:16 mailchimp.api_key", "HSMC2001"),
        ("4200042", "4200043", "hsmc.toml:11 hubspot.portal_id", "HSMC2003"),
        ("id = \"720\"", "id = \"99720\"", "hsmc.toml:42 group[0].list[2].id", "HSMC2101"),
        ("full_every", "ful_every", "./hsmc.toml:25 sync.ful_every", "HSMC1103"),
    ] {
        let said = ground.with(from, to).hsmc(&["check"]);
        assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
        assert!(said.out.contains(&format!("error[{code}] {place}")), "{place}: {}", said.out);
    }
    ground.write(&ground.config);
    let said = ground.hsmc(&["check", "--json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    serde_json::from_str::<serde_json::Value>(&said.out).unwrap();
    ground.assert_unchanged();
}

#[test]
fn a_state_directory_that_cannot_be_used_is_told_with_its_path() {
    let ground = Ground::new();
    let sync = ["sync", "--yes"];
    let state = ground.path("state");
    {
        let _held = LiveStore::open(&state).unwrap();
        ground.refuses(&sync, 1, &["HSMC3001", "state", "is in use by another hsmc process", "help: "]);
    }
    let format = state.join("format");
    let known = std::fs::read_to_string(&format).unwrap();
    std::fs::write(&format, "999\n").unwrap();
    ground.refuses(
        &sync,
        1,
        &["HSMC3002", "state", "written by a newer hsmc", "format 999", "use that version"],
    );
    std::fs::write(&format, "rubbish\n").unwrap();
    ground.refuses(&sync, 1, &["HSMC3003", "state", "is damaged", "restore a backup"]);
    std::fs::write(&format, known).unwrap();
    let log = state.join("log");
    std::fs::rename(&log, state.join("lost")).unwrap();
    ground.refuses(&sync, 1, &["HSMC3003", "state", "is damaged", "`log` is missing", "restore a backup"]);
    std::fs::write(ground.path("file"), "no directory").unwrap();
    ground.refuses(&["sync", "--yes", "--state", "file"], 1, &["HSMC3005", "file"]);
}

#[test]
fn a_full_disk_is_told_and_what_was_acknowledged_goes_on_afterwards() {
    let ground = Ground::new();
    // The shell's limit for the size of a file stands in for the disk; its signal is ignored, so that the
    // write fails as on a full disk.
    for blocks in ["1", "8", "40"] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" sync --yes");
        let said: Said = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_hsmc")])
            .current_dir(ground.folder.path())
            .env_clear()
            .output()
            .unwrap()
            .into();
        let shown = format!("{blocks}: {}{}", said.out, said.err);
        assert_eq!(said.code, Some(1), "{shown}");
        assert!(!said.err.contains("panicked"), "{shown}");
        let told = format!("{}{}", said.out, said.err).to_lowercase();
        assert!(told.contains("too large") || told.contains("cannot be written"), "{shown}");
        assert!(said.err.contains("error[HSMC3004]") || said.out.contains("[HSMC3004]"), "{shown}");
        assert!(ground.sandbox.lock().unwrap().effects.violations().is_empty());
    }
    let mut last = ground.hsmc(&["sync", "--yes"]);
    if last.code != Some(0) {
        last = ground.hsmc(&["sync", "--yes"]);
    }
    assert_eq!(last.code, Some(0), "{}{}", last.out, last.err);
}

#[test]
fn a_disk_that_is_full_in_the_very_first_run_is_what_status_tells_of() {
    for blocks in ["1", "4"] {
        let ground = Ground::new();
        let without_room = |arguments: &str| -> Said {
            let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {arguments}");
            let mut command = Command::new("sh");
            command.args(["-c", &script, env!("CARGO_BIN_EXE_hsmc")]);
            command.current_dir(ground.folder.path()).env_clear().output().unwrap().into()
        };
        for arguments in ["sync --yes", "status", "sync --yes"] {
            let said = without_room(arguments);
            let told = format!("{}{}", said.out, said.err);
            assert!(told.contains("HSMC3004") || told.contains("the disk is full"), "{arguments}: {told}");
            for frightening in ["nothing has run", "corrupt", "panicked"] {
                assert!(!told.contains(frightening), "{blocks} {arguments}: {told}");
            }
            assert_eq!(said.code == Some(1), arguments != "status" || blocks == "1", "{arguments}: {told}");
        }
        // Somebody makes room.
        let last = (0..2).map(|_| ground.hsmc(&["sync", "--yes"])).find(|said| said.code == Some(0));
        assert!(last.is_some(), "{blocks}");
    }
}

#[test]
fn wrong_words_end_with_2_and_say_what_would_be_right() {
    let ground = Ground::new();
    ground.refuses(&["apply", "none.jsonl"], 2, &["HSMC1007", "none.jsonl", "hsmc plan --out"]);
    std::fs::write(ground.path("plan.jsonl"), "rubbish\n").unwrap();
    ground.refuses(&["apply", "plan.jsonl"], 2, &["HSMC1008", "plan.jsonl, line 1"]);
    ground.refuses(&["status", "7.7"], 2, &["HSMC1003", "there is no move 7.7", "help: "]);
    ground.refuses(&["runs", "show", "7"], 2, &["HSMC1003", "there is no run 7", "hsmc runs"]);
    ground.refuses(&["retry", "7.7"], 2, &["HSMC1003", "there is no move 7.7"]);
    ground.refuses(
        &["pause", "--person", "nobody@example.com"],
        2,
        &["HSMC1004", "nobody with this address", "hsmc plan"],
    );
    ground.refuses(&["sync", "--only", "list=1"], 2, &["HSMC1003", "the config names no list 1"]);
    ground.refuses(
        &["plan", "--out", "none/plan.jsonl"],
        2,
        &["HSMC1007", "no directory", "none to save the plan in"],
    );
}

#[test]
fn status_without_a_process_reads_the_summary_and_never_opens_the_store() {
    let ground = Ground::new();
    ground.refuses(&["status"], 2, &["HSMC1009", "nothing has run in", "hsmc plan"]);
    let said = ground.hsmc(&["sync", "--yes"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    // Whatever has happened to the store, the summary still tells.
    for part in ["index", "log", "snapshot"] {
        std::fs::remove_dir_all(ground.path("state").join(part)).unwrap();
    }
    let said = ground.hsmc(&["status", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let view: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let keys: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
    for key in [
        "at",
        "workspace",
        "process",
        "last_run",
        "current_run",
        "next_run_at",
        "moves",
        "open_moves",
        "by_phase",
        "lanes",
        "budgets",
        "pauses",
        "people",
    ] {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
    assert_eq!(view["process"], "not-running");
    assert_eq!(view["last_run"]["state"], "done");
    assert_eq!(view["open_moves"], 0);
    assert!(!said.out.contains('@'), "nobody is named");
    assert!(!ground.path("state").join("index").exists());
}

#[test]
fn status_answers_over_the_socket_while_a_sync_runs() {
    let ground = Ground::slow(Duration::from_millis(150));
    let mut sync = ground.start(&["sync", "--yes"]);
    let view = eventually("a running sync", || {
        let said = ground.hsmc(&["status", "--json"]);
        let view: serde_json::Value = serde_json::from_str(&said.out).ok()?;
        (view["process"]["running"]["what"] == "sync" && !view["current_run"].is_null()).then_some(view)
    });
    assert_eq!(view["process"]["running"]["pid"], sync.id());
    assert_eq!(view["current_run"]["state"], "running");
    assert_eq!(sync.wait().unwrap().code(), Some(0));
}

#[test]
fn sigterm_ends_a_daemon_with_0_and_a_sync_with_130_and_the_next_run_goes_on() {
    let ground = Ground::slow(Duration::from_millis(100));
    let running = |what: &'static str| {
        eventually(what, || {
            let said = ground.hsmc(&["status", "--json"]);
            let view: serde_json::Value = serde_json::from_str(&said.out).ok()?;
            (view["process"]["running"]["what"] == what && !view["current_run"].is_null()).then_some(())
        });
    };
    let sync = ground.start(&["sync", "--yes"]);
    running("sync");
    terminate(&sync);
    let said: Said = sync.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(130), "{}{}", said.out, said.err);

    let daemon = ground.start(&["daemon"]);
    running("daemon");
    let asked = Instant::now();
    terminate(&daemon);
    let said: Said = daemon.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(asked.elapsed() < Duration::from_secs(25));

    let mut last = ground.hsmc(&["sync", "--yes"]);
    if last.code != Some(0) {
        last = ground.hsmc(&["sync", "--yes"]);
    }
    assert_eq!(last.code, Some(0), "{}{}", last.out, last.err);
    let sandbox = ground.sandbox.lock().unwrap();
    assert!(sandbox.effects.violations().is_empty(), "{:?}", sandbox.effects.violations());
}

#[test]
fn the_log_file_holds_whole_lines_up_to_the_end_and_nobodys_address() {
    let ground = Ground::new();
    ground.with("[workspace]", "[log]\nfile = \"run.log\"\nlevel = \"trace\"\n\n[workspace]");
    let said = ground.hsmc(&["sync", "--yes", "-vvv"]);
    assert!(matches!(said.code, Some(0 | 4)), "{}", said.err);
    let text = std::fs::read_to_string(ground.path("run.log")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 20 && text.contains("move ended"), "{} lines", lines.len());
    for (what, text) in [("file", &text), ("standard error", &said.err)] {
        assert!(!text.contains("@example"), "an address in the log: {what}");
        for email in
            ground.sandbox.lock().unwrap().state()["mailchimp"]["members"].as_object().unwrap().keys()
        {
            let hash = hsmc::domain::email::Email::parse(email).unwrap().hash().hex();
            assert!(!text.contains(&hash), "a subscriber hash in the log: {what}");
        }
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(ground.path("run.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The flag goes before the config, and a place that is none is told of before anything is done.
    ground.hsmc(&["sync", "--yes", "--log-file", "other.log"]);
    let other = std::fs::read_to_string(ground.path("other.log")).unwrap();
    for part in ["run begins", "run is over: done"] {
        assert!(other.contains(part), "what happens, without being asked for more: {part} in {other}");
    }
    let said = ground.hsmc(&["sync", "--log-file", "nowhere/run.log"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("nowhere/run.log") && said.err.contains("--log-file"), "{}", said.err);
}

#[test]
fn a_wrong_command_line_names_its_code_and_every_code_is_explained_without_a_config() {
    let ground = Ground::new();
    let said = ground.hsmc(&["sync", "--faster"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("code HSMC1001; more: hsmc explain HSMC1001"), "{}", said.err);
    std::fs::remove_file(ground.path("hsmc.toml")).unwrap();
    for code in Code::ALL {
        let said = ground.hsmc(&["explain", &code.to_string()]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), code.page()), "{code}: {}", said.err);
    }
    let said = ground.hsmc(&["explain", "3001", "--json"]);
    let view: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&view["code"], &view["page"]), (&"HSMC3001".into(), &Code::StateInUse.page().into()));
    let all = ground.hsmc(&["explain"]).out;
    assert!(Code::ALL.iter().all(|code| all.contains(&code.to_string())), "{all}");
    ground.refuses(&["explain", "HSMC9999"], 2, &["HSMC1003", "HSMC9999", "`hsmc explain` lists"]);
    assert!(!ground.path("state").exists());
}

#[test]
fn with_json_a_failure_is_one_line_of_json_on_standard_error() {
    let ground = Ground::new();
    ground.with("full_every", "ful_every");
    let said = ground.hsmc(&["sync", "--yes", "--json"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    let told: serde_json::Value = serde_json::from_str(said.err.trim()).unwrap();
    let problem = &told["error"]["problems"][0];
    assert_eq!((&told["error"]["exit"], &problem["code"]), (&2.into(), &"HSMC1103".into()), "{told}");
    assert_eq!(problem["place"], "./hsmc.toml:25 sync.ful_every", "{told}");
    ground.assert_unchanged();
}
