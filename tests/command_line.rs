//! The built binary: exit codes, and what goes to which stream.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in a folder, with nothing of the outer environment.
fn hsmc(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hsmc"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2_and_help_with_0() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["bogus"][..], &["sync", "--yes", "--dry-run"], &[]] {
        let output = hsmc(folder.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let help = hsmc(folder.path(), &["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Exit codes: 0 done"));
}

#[test]
fn init_writes_a_config_once_and_says_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let first = hsmc(folder.path(), &["init"], &[]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("hsmc check"));
    let second = hsmc(folder.path(), &["init"], &[]);
    assert_eq!(second.status.code(), Some(2));
    assert!(text(&second.stderr).contains("left as it is"));
}

#[test]
fn a_config_with_mistakes_ends_with_2_and_names_every_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hsmc.toml"),
        "[sync]\nevery = \"often\"\n[hubspot]\ntoken = \"env:TOKEN\"\n",
    )
    .unwrap();
    let output = hsmc(folder.path(), &["check"], &[]);
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    for part in
        ["hsmc.toml:2 sync.every", "hsmc.toml:4 hubspot.token", "TOKEN is not set", "mailchimp.api_key"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colour without a terminal");
}

#[test]
fn a_completion_script_is_data_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = hsmc(folder.path(), &["completions", "bash"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("_hsmc()"));
    assert!(output.stderr.is_empty());
}
