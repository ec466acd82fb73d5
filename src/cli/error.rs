//! A failed command: message, place, way out. The only place that shows errors to people.

use super::exit_code::ExitCode;
use crate::config::ConfigErrors;
use crate::journal::store::StoreError;
use crate::telemetry::Logging;
use miette::{GraphicalReportHandler, GraphicalTheme, MietteDiagnostic};
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// What, in one line.
    pub message: String,
    /// Where: a file with line and key, a directory, a move. Empty when the message says it.
    pub place: String,
    /// What to do. Empty when there is nothing.
    pub way_out: String,
}

impl Failure {
    /// A failure with an exit code of its own.
    pub fn new(exit: ExitCode, message: impl Into<String>) -> Failure {
        Failure { exit, problems: vec![Problem { message: message.into(), ..Problem::default() }] }
    }

    /// Something failed while it was done.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(ExitCode::Failed, message)
    }

    /// The command line or the config is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(ExitCode::Usage, message)
    }

    /// The log file cannot be written.
    pub fn of_log_file(logging: &Logging, problem: &std::io::Error) -> Failure {
        let path = logging.file.as_ref().map(|file| file.path.display().to_string()).unwrap_or_default();
        Failure::usage(format!("the log file cannot be written: {problem}")).at(path).with_way_out(
            "name a file in a folder that this user may write to, by --log-file or `[log] file`",
        )
    }

    /// A signal stopped it.
    pub fn interrupted() -> Failure {
        Failure::new(ExitCode::Interrupted, "interrupted")
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
            let mut report = MietteDiagnostic::new(&problem.message);
            report.code = Some(problem.place.clone()).filter(|place| !place.is_empty());
            report.help = Some(problem.way_out.clone()).filter(|way_out| !way_out.is_empty());
            if handler.render_report(&mut text, &report).is_err() {
                return format!("{self}\n");
            }
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { message, place, way_out }) in self.problems.iter().enumerate() {
            let line = if index > 0 { "\n" } else { "" };
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            write!(f, "{line}error: {place}{message}")?;
            if !way_out.is_empty() {
                write!(f, "\n  help: {way_out}")?;
            }
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
            .map(|error| Problem { place: error.place(), message: error.what, way_out: error.way_out })
            .collect();
        Failure { exit: ExitCode::Usage, problems }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let failure = Failure::failed(error.to_string());
        match error {
            StoreError::Locked { .. } => failure
                .with_way_out("with a daemon running, use `hsmc status`; else stop the other process first"),
            // sled tells a full disk in its own words only.
            StoreError::Io { what, .. } if what.contains("No space left") => failure
                .with_way_out("free space on that disk, then start again: nothing acknowledged is lost"),
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
        Failure::usage("`often` is no length of time")
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
            "error: hsmc.toml:12 sync.every: `often` is no length of time\n  help: write it as \"8h\"\n"
        );
    }

    #[test]
    fn on_a_terminal_place_message_and_help_are_framed_and_without_colour_stay_so() {
        let text = failure().render(Some(80), false);
        for part in ["hsmc.toml:12 sync.every", "`often` is no length of time", "help: write it as \"8h\""] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
