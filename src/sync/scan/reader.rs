//! Reads with patience: calls that may be repeated are, growing slower; pages go to disk one by one.

use super::context::ScanContext;
use super::error::ScanError;
use super::progress::{Progress, Source, Stop};
use crate::domain::failure::FailureClass;
use crate::domain::port::{CallResult, Page};
use crate::domain::reread::Reread;
use crate::sync::snapshot::{PageLog, PageRows, Position, SnapshotError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::path::{Path, PathBuf};

/// What every part of a scan needs to read.
pub(super) struct Reader<'a> {
    pub(super) ctx: &'a ScanContext,
    pub(super) progress: &'a dyn Progress,
    pub(super) stop: &'a Stop,
    /// Told when the other side failed: then reading on is in vain.
    pub(super) in_vain: Stop,
}

/// The page log of a source.
pub(super) fn log_path(dir: &Path, source: Source) -> PathBuf {
    dir.join(source.file_name())
}

/// The rows read from a source.
pub(super) fn rows_of<T: DeserializeOwned>(dir: &Path, source: Source) -> Result<PageRows<T>, SnapshotError> {
    PageRows::open(&log_path(dir, source))
}

impl Reader<'_> {
    /// The log of a source, as far as it was read before.
    pub(super) fn log<T: Serialize + DeserializeOwned>(
        &self,
        source: Source,
    ) -> Result<PageLog<T>, ScanError> {
        Ok(PageLog::open(&log_path(&self.ctx.dir, source))?)
    }

    async fn stopped(&self) {
        tokio::select! {
            biased;
            () = self.stop.wait() => {}
            () = self.in_vain.wait() => {}
        }
    }

    /// One read call, repeated while it is worth it. A read has no effect, so one in doubt is repeated too.
    pub(super) async fn call<T, F, Fut>(&self, reading: Source, call: F) -> Result<T, ScanError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = CallResult<T>>,
    {
        let mut reread = Reread::default();
        loop {
            if self.stop.is_set() || self.in_vain.is_set() {
                return Err(ScanError::Stopped);
            }
            let answer = tokio::select! {
                biased;
                () = self.stopped() => return Err(ScanError::Stopped),
                answer = call() => answer,
            };
            let failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(wait) = reread.after(failure.class) else {
                return Err(ScanError::Call { reading, failure });
            };
            tracing::debug!(%reading, class = ?failure.class, status = ?failure.status, "reading again");
            tokio::select! {
                biased;
                () = self.stopped() => return Err(ScanError::Stopped),
                () = self.ctx.clock.sleep(wait) => {}
            }
        }
    }

    /// Reads a source to its end, from where its log stands. The log's rows and the last total named.
    pub(super) async fn pages<T, F, Fut>(&self, source: Source, call: F) -> Result<Option<u64>, ScanError>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = CallResult<Page<T>>>,
    {
        let mut log: PageLog<T> = self.log(source)?;
        let mut inherited = log.pages() > 0;
        loop {
            let after = match log.position() {
                Position::Start => None,
                Position::At(cursor) => Some(cursor.clone()),
                Position::End => break,
            };
            let page = match self.call(source, || call(after.clone())).await {
                // A cursor from before a restart may have run out: then the source is read anew.
                Err(ScanError::Call { failure, .. })
                    if inherited && failure.class == FailureClass::Permanent =>
                {
                    inherited = false;
                    log.restart()?;
                    continue;
                }
                page => page?,
            };
            if page.next.is_some() && page.next == after {
                return Err(ScanError::Circle { reading: source });
            }
            inherited = false;
            log.append(page)?;
            self.progress.read(source, log.pages(), log.rows(), log.total());
        }
        self.progress.ended(source);
        Ok(log.total())
    }

    /// Reads an answer that comes in one piece, and keeps it as a log of one page.
    pub(super) async fn whole<T, F, Fut>(&self, source: Source, call: F) -> Result<Vec<T>, ScanError>
    where
        T: Serialize + DeserializeOwned,
        F: Fn() -> Fut,
        Fut: Future<Output = CallResult<Vec<T>>>,
    {
        let mut log: PageLog<T> = self.log(source)?;
        if *log.position() != Position::End {
            let rows = self.call(source, call).await?;
            log.append(Page { rows, next: None, total: None })?;
        }
        self.progress.read(source, log.pages(), log.rows(), log.total());
        self.progress.ended(source);
        Ok(rows_of(&self.ctx.dir, source)?.collect::<Result<_, _>>()?)
    }
}
