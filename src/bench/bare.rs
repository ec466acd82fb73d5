//! What this disk can do at best: a committer that appends what waits as it is, syncs once for all of it, and tells
//! everyone. No frames, no checksums, nothing to look up: the limit that the store is held against.

use super::error::BenchError;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

#[derive(Default)]
struct Queue {
    waiting: Vec<(Vec<u8>, oneshot::Sender<()>)>,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The committer. Dropping it ends its thread.
pub(super) struct BareCommitter {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl BareCommitter {
    /// Writes into a new file.
    pub(super) fn start(path: &Path) -> Result<BareCommitter, BenchError> {
        let file = File::create_new(path).map_err(BenchError::file(path))?;
        let shared = Arc::new(Shared::default());
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("bare-committer".to_owned())
            .spawn(move || work(&worker, file))
            .map_err(BenchError::file(path))?;
        Ok(BareCommitter { shared, thread: Some(thread) })
    }

    /// Returns when the bytes are on the disk.
    pub(super) async fn commit(&self, bytes: Vec<u8>) -> Result<(), BenchError> {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut queue = self.shared.queue();
            queue.waiting.push((bytes, answer));
            queue.waiting.len() == 1
        };
        if first {
            self.shared.work.notify_one();
        }
        answered.await.map_err(|_| BenchError::Broke("the disk refuses to be written".to_owned()))
    }
}

fn work(shared: &Shared, mut file: File) {
    let mut buffer = Vec::new();
    loop {
        let mut queue = shared.queue();
        while queue.waiting.is_empty() {
            if queue.closing {
                return;
            }
            queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let group = std::mem::take(&mut queue.waiting);
        drop(queue);
        buffer.clear();
        for (bytes, _) in &group {
            buffer.extend_from_slice(bytes);
        }
        if let Err(problem) = file.write_all(&buffer).and_then(|()| file.sync_data()) {
            // Everyone's answer is dropped, which tells them.
            tracing::error!(%problem, "the bare committer cannot write");
            continue;
        }
        for (_, answer) in group {
            // Whoever stopped waiting needs no answer.
            answer.send(()).ok();
        }
    }
}

impl Drop for BareCommitter {
    fn drop(&mut self) {
        self.shared.queue().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the bare committer's thread panicked");
        }
    }
}
