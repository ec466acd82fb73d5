//! The real daemon, told by SIGHUP that its config has changed.

use crate::stage::Stage;
use crate::world::{Due, World, prepare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// Asks for the status until it is as wanted.
async fn until(stage: &Stage, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let status = stage.run(&["status", "--json"], &[]).await;
        if let Ok(view) = serde_json::from_str::<Value>(&status.said)
            && wanted(&view)
        {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never comes");
}

fn notice(view: &Value) -> &str {
    view["notices"][0].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_config_is_taken_over_between_runs_or_refused_as_a_whole() {
    let stage = Stage::of(&prepare(World::Plain, &[Due::Enroll], 1).await).await;
    let file = stage.folder.path().join("hsmc.toml");
    let config = fs::read_to_string(&file).unwrap();
    let mut daemon = stage.start(&["daemon"], &[]);
    let pid = Pid::from_raw(i32::try_from(daemon.id().unwrap()).unwrap());
    let idle = |view: &Value| view["next_run_at"].is_number() && view["process"]["running"].is_object();
    let first = until(&stage, idle).await;
    let runs = first["last_run"]["id"].clone();

    for (from, to, named) in [
        ("apply = \"always\"", "apply = \"perhaps\"", "sync.apply"),
        ("portal_id = 4200042", "portal_id = 1", "hubspot.portal_id"),
        ("aud0000001", "aud0000002", "mailchimp.audience"),
    ] {
        fs::write(&file, config.replace(from, to)).unwrap();
        kill(pid, Signal::SIGHUP).unwrap();
        let view = until(&stage, |view| notice(view).contains(named)).await;
        assert!(notice(&view).starts_with("config change refused [HSMC1"), "{view}");
        assert_eq!(view["workspace"], "crash", "it goes on with what it has");
    }

    fs::write(&file, config.replace("name = \"crash\"", "name = \"renamed\"")).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    let view = until(&stage, |view| view["workspace"] == "renamed" && idle(view)).await;
    assert_eq!(notice(&view), "");
    assert_eq!(view["last_run"]["id"], runs, "a changed config is no reason for a run");
    assert!(view["next_run_at"].as_i64() <= first["next_run_at"].as_i64());

    kill(pid, Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), daemon.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}
