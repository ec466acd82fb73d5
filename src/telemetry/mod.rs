//! Logging: where it goes and what its fields are called.
//!
//! Promises: logs go to standard error, so that standard output is data only. Never: an address, a
//! subscriber hash or a token in a field; people are numbers here.

pub mod field;

use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// How often `-v` was given: 0 warnings, 1 what happens, 2 why, 3 everything.
    pub verbosity: u8,
    /// One JSON object per line.
    pub json: bool,
    /// Colours, for a terminal.
    pub colour: bool,
}

/// Starts logging; `RUST_LOG` (passed in) goes before `-v`. A second start changes nothing.
pub fn start(logging: Logging, filter: Option<&str>) {
    let level = match logging.verbosity {
        0 => "warn",
        1 => "warn,hsmc=info",
        2 => "info,hsmc=debug",
        _ => "debug,hsmc=trace",
    };
    // A filter that cannot be read must not stop a sync: the level given by -v holds then.
    let filter =
        filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(logging.colour)
        .with_target(false);
    let started = if logging.json { lines.json().try_init() } else { lines.try_init() };
    drop(started);
}
