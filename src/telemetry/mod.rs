//! Logging: where it goes and what its fields are called.
//!
//! Promises: logs go to standard error, so that standard output is data only; into a file too where one is
//! named, by a thread of its own: whoever logs never waits for a disk. Never: an address, a subscriber hash or a
//! token in a field; people are numbers here.

pub mod field;
mod file;
pub mod metric;
#[cfg(feature = "otlp")]
mod otlp;

pub use file::{Level, LogFile};

use std::io;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// The target of spans. They are for traces alone: lines of a log do not repeat them.
pub const SPANS: &str = "hsmc::spans";

/// Whose variables name a receiver of traces.
const RECEIVERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

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
    #[cfg(feature = "otlp")]
    _traces: Option<otlp::Traces>,
    _worker: Option<tracing_appender::non_blocking::WorkerGuard>,
}

/// A filter without spans, which belong to traces.
fn lines_only(filter: EnvFilter) -> EnvFilter {
    match format!("{SPANS}=off").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}

/// Starts logging, and traces where a receiver is named; `RUST_LOG` (passed in) goes before `-v`. A second start changes nothing.
///
/// # Errors
/// The log file cannot be written, or what is said of the receiver makes no sense.
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
            (Some(lines.with_filter(lines_only(EnvFilter::new(file.level.directives())))), Some(worker))
        }
    };
    let is_named = RECEIVERS.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let registry = tracing_subscriber::registry().with(lines.with_filter(lines_only(filter))).with(into_file);
    #[cfg(feature = "otlp")]
    {
        let (layer, traces) = if is_named {
            otlp::layer().map(|(layer, traces)| (Some(layer), Some(traces)))?
        } else {
            (None, None)
        };
        drop(registry.with(layer).try_init());
        Ok(Open { _traces: traces, _worker: worker })
    }
    #[cfg(not(feature = "otlp"))]
    {
        drop(registry.try_init());
        if is_named {
            tracing::warn!("this hsmc was built without the feature otlp: no traces are sent");
        }
        Ok(Open { _worker: worker })
    }
}
