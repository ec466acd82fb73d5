//! A failed command: code, message, place, way out. The only place that shows errors to people.

use super::exit_code::ExitCode;
use crate::config::ConfigErrors;
use crate::domain::code::Code;
use crate::journal::store::StoreError;
use crate::telemetry::Logging;
use miette::{GraphicalReportHandler, GraphicalTheme, MietteDiagnostic};
use serde::Serialize;
use serde_json::json;
use std::fmt;

/// Why a command failed. Holds at least one problem, and no address and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code it ends with.
    pub exit: ExitCode,
    /// What is wrong: mostly one thing, for a config all of them.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is: its page says what to do.
    pub code: Code,
    /// What, in one line.
    pub message: String,
    /// Where: a file with line and key, a directory, a move. Empty when the message says it.
    pub place: String,
    /// What to do. Empty when there is nothing.
    pub way_out: String,
}

impl Failure {
    /// Whether this is what went wrong.
    pub fn is(&self, code: Code) -> bool {
        self.problems.iter().any(|problem| problem.code == code)
    }

    /// A failure with an exit code of its own.
    pub fn new(exit: ExitCode, code: Code, message: impl Into<String>) -> Failure {
        let (place, way_out) = (String::new(), String::new());
        Failure { exit, problems: vec![Problem { code, message: message.into(), place, way_out }] }
    }

    /// Something failed while it was done.
    pub fn failed(code: Code, message: impl Into<String>) -> Failure {
        Failure::new(ExitCode::Failed, code, message)
    }

    /// The command line or the config is wrong.
    pub fn usage(code: Code, message: impl Into<String>) -> Failure {
        Failure::new(ExitCode::Usage, code, message)
    }

    /// The log file cannot be written.
    pub fn of_log_file(logging: &Logging, problem: &std::io::Error) -> Failure {
        let path = logging.file.as_ref().map(|file| file.path.display().to_string()).unwrap_or_default();
        Failure::usage(Code::LogFile, format!("the log file cannot be written: {problem}"))
            .at(path)
            .with_way_out(
                "name a file in a folder that this user may write to, by --log-file or `[log] file`",
            )
    }

    /// The threads that everything runs on cannot be had.
    pub fn of_runtime(problem: &std::io::Error) -> Failure {
        Failure::failed(Code::Inside, format!("no runtime can be started: {problem}"))
    }

    /// A signal stopped it.
    pub fn interrupted() -> Failure {
        Failure::new(ExitCode::Interrupted, Code::Interrupted, "interrupted")
            .with_way_out("start again: it goes on where it stood")
    }

    /// Where it happened.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Failure {
        if let Some(problem) = self.problems.first_mut() {
            problem.place = place.into();
        }
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn with_way_out(mut self, way_out: impl Into<String>) -> Failure {
        if let Some(problem) = self.problems.first_mut() {
            problem.way_out = way_out.into();
        }
        self
    }

    /// The text for standard error: framed for a terminal of this width, plain lines without one.
    pub fn render(&self, terminal: Option<usize>, colour: bool) -> String {
        let Some(width) = terminal else { return format!("{self}\n") };
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        let mut text = String::new();
        for problem in &self.problems {
            let Problem { code, message, place, way_out } = problem;
            let mut report = MietteDiagnostic::new(message);
            report.code = Some(format!("{code} {place}").trim_end().to_owned());
            report.help = Some(format!("{way_out}\n{}", more(*code)).trim_start().to_owned());
            if handler.render_report(&mut text, &report).is_err() {
                return format!("{self}\n");
            }
        }
        text
    }

    /// The same as one line of JSON.
    pub fn json(&self) -> String {
        format!("{}\n", json!({ "error": { "exit": self.exit as u8, "problems": self.problems } }))
    }
}

/// Where there is more to read.
fn more(code: Code) -> String {
    format!("more: hsmc explain {code}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { code, message, place, way_out }) in self.problems.iter().enumerate() {
            let line = if index > 0 { "\n" } else { "" };
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            write!(f, "{line}error[{code}]: {place}{message}")?;
            if !way_out.is_empty() {
                write!(f, "\n  help: {way_out}")?;
            }
            write!(f, "\n  {}", more(*code))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Failure {
        let problems = errors
            .0
            .into_iter()
            .map(|error| Problem {
                code: error.code,
                place: error.place(),
                message: error.what,
                way_out: error.way_out,
            })
            .collect();
        Failure { exit: ExitCode::Usage, problems }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let code = error.code();
        let failure = Failure::failed(code, error.to_string());
        match error {
            StoreError::Locked { .. } => failure
                .with_way_out("with a daemon running, use `hsmc status`; else stop the other process first"),
            StoreError::Io { .. } if code == Code::DiskRefuses => failure
                .with_way_out("free space on that disk, or make it writable, then start again: nothing acknowledged is lost"),
            StoreError::Io { .. } => failure
                .with_way_out("the state directory must be one that hsmc may write; --state names another"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure::usage(Code::ConfigValue, "`often` is no length of time")
            .at("hsmc.toml:12 sync.every")
            .with_way_out("write it as \"8h\"")
    }

    #[test]
    fn a_disk_that_is_full_or_a_place_that_is_no_directory_names_the_way_out() {
        let way_out = |what: &str| {
            let error = StoreError::Io { path: "state/index".to_owned(), what: what.to_owned() };
            Failure::from(error).problems.remove(0).way_out
        };
        assert!(way_out("IO error: No space left on device (os error 28)").starts_with("free space"));
        assert!(way_out("File exists (os error 17)").contains("--state"));
    }

    #[test]
    fn without_a_terminal_each_problem_is_plain_lines() {
        assert_eq!(
            failure().render(None, true),
            "error[HSMC1105]: hsmc.toml:12 sync.every: `often` is no length of time\n  help: write it as \"8h\"\n  \
             more: hsmc explain HSMC1105\n"
        );
    }

    #[test]
    fn on_a_terminal_place_message_and_help_are_framed_and_without_colour_stay_so() {
        let text = failure().render(Some(80), false);
        for part in [
            "HSMC1105 hsmc.toml:12 sync.every",
            "hsmc explain HSMC1105",
            "`often` is no length of time",
            "help: write it as \"8h\"",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn as_json_it_is_one_line_with_a_code_for_each_problem() {
        let text = failure().json();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["error"]["exit"], 2);
        assert_eq!(read["error"]["problems"][0]["code"], "HSMC1105");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    }
}
