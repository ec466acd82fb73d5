//! The log file: JSON lines, put aside when it has grown, so many old ones kept. Written by a thread of its own;
//! when the disk is slower than the log, lines are left out rather than anybody made to wait.

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait for the disk.
const WAITING: usize = 32_000;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What failed.
    Error,
    /// And what is wrong.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The level of this word.
    pub fn parse(word: &str) -> Option<Level> {
        Some(match word {
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return None,
        })
    }

    /// As a filter: our own words one step further than those of the libraries. Of the index hsmc itself says what
    /// becomes of it: sled's own words (a corrupt file, where a disk was full) would only frighten.
    pub(super) fn directives(self) -> &'static str {
        match self {
            Level::Error => "error,sled=off",
            Level::Warn => "warn,sled=off",
            Level::Info => "warn,sled=off,hsmc=info",
            Level::Debug => "info,hsmc=debug",
            Level::Trace => "debug,hsmc=trace",
        }
    }
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where.
    pub path: PathBuf,
    /// How much.
    pub level: Level,
    /// Put aside at this size, in bytes.
    pub size: u64,
    /// Old ones kept.
    pub keep: usize,
}

impl LogFile {
    /// Only the last path counts: the rest as the config has it by default.
    pub fn at(path: PathBuf) -> LogFile {
        LogFile { path, level: Level::default(), size: 10 << 20, keep: 5 }
    }

    pub(super) fn open(&self) -> io::Result<(NonBlocking, WorkerGuard)> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        // Told here, where it can still be told.
        options.open(&self.path)?;
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let (kept, limit) = (AppendCount::new(self.keep), ContentLimit::BytesSurpassed(size));
        let file = FileRotate::new(&self.path, kept, limit, Compression::None, Some(options));
        Ok(NonBlockingBuilder::default().buffered_lines_limit(WAITING).lossy(true).finish(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_grown_file_is_put_aside_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hsmc.log");
        let file = LogFile { size: 100, keep: 2, ..LogFile::at(path.clone()) };
        let (mut writer, worker) = file.open().unwrap();
        for number in 0..200 {
            writeln!(writer, "a line with its number {number}").unwrap();
        }
        drop(writer);
        drop(worker);
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["hsmc.log", "hsmc.log.1", "hsmc.log.2"]);
        let whole: String = ["hsmc.log.1", "hsmc.log"]
            .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap())
            .concat();
        assert!(whole.ends_with("number 199\n"), "what was logged last is there once it is closed");
        for name in names {
            let mode = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_of_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LogFile::at(folder.path().join("nowhere/hsmc.log")).open().is_err());
    }
}
