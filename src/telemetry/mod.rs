//! Logging: where it goes and what its fields are called.
//!
//! Promises: logs go to standard error, so that standard output is data only; into a file too where one is
//! named, by a thread of its own: whoever logs never waits for a disk. Never: an address, a subscriber hash or a
//! token in a field; people are numbers here.

pub mod field;
mod file;
pub mod metric;

pub use file::{Level, LogFile};

use std::io;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How logs look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// How often `-v` was given: 0 warnings, 1 what happens, 2 why, 3 everything.
    pub verbosity: u8,
    /// One JSON object per line.
    pub json: bool,
    /// Colours, for a terminal.
    pub colour: bool,
    /// The file, if there is one.
    pub file: Option<LogFile>,
}

/// Holds the log file open; what is logged until this is dropped is in it.
#[must_use = "dropped at once, it would close the log file"]
#[derive(Default)]
pub struct Open {
    _worker: Option<tracing_appender::non_blocking::WorkerGuard>,
}

/// Starts logging; `RUST_LOG` (passed in) goes before `-v`. A second start changes nothing.
///
/// # Errors
/// The log file cannot be written.
pub fn start(logging: &Logging, filter: Option<&str>) -> io::Result<Open> {
    let level = match logging.verbosity {
        0 => Level::Warn,
        1 => Level::Info,
        2 => Level::Debug,
        _ => Level::Trace,
    };
    // A filter that cannot be read must not stop a sync: the level given by -v holds then.
    let filter = filter
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(level.directives()));
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(logging.colour).with_target(false);
    let lines = if logging.json { lines.json().boxed() } else { lines.boxed() };
    let (into_file, worker) = match &logging.file {
        None => (None, None),
        Some(file) => {
            let (writer, worker) = file.open()?;
            let lines = fmt::layer().json().with_writer(writer).with_ansi(false).with_target(false);
            (Some(lines.with_filter(EnvFilter::new(file.level.directives()))), Some(worker))
        }
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).with(into_file).try_init();
    drop(started);
    Ok(Open { _worker: worker })
}
