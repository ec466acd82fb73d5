//! Long work in a simulation: done in its turn, while time and everybody else stand still. It has a stack of its
//! own, because it may wait for a commit in the midst of it: then the others go on until that has come.
//!
//! Promises: of the two, only one ever runs; whoever is killed meanwhile leaves no thread behind.

use super::fuse::{Fuse, Place};
use crate::domain::port::{Awaited, BrokenOff, Hands, LongWork, Waits};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tokio::runtime::Handle;

pub(super) struct InTurn {
    pub(super) fuse: Arc<Fuse>,
}

/// The worker's end: asks for something to be waited for, and hears when it has come.
struct Asks {
    ask: SyncSender<Awaited>,
    come: Receiver<()>,
}

impl Waits for Asks {
    fn wait_for(&self, awaited: Awaited) -> Result<(), BrokenOff> {
        let gone = || BrokenOff("the process ends".to_owned());
        self.ask.send(awaited).map_err(|_| gone())?;
        self.come.recv().map_err(|_| gone())
    }
}

/// The other end. Dropped in the midst of it, it lets the worker come to an end, and waits for that.
struct Worker {
    asked: Receiver<Awaited>,
    tell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tell = None;
        let (_, nobody) = sync_channel(0);
        // What it asks for from now on is refused.
        self.asked = nobody;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[async_trait]
impl Hands for InTurn {
    async fn carry_out(&self, work: LongWork) -> Result<(), BrokenOff> {
        self.fuse.pass(Place::Work).await;
        let (ask, asked) = sync_channel(1);
        let (tell, come) = sync_channel(1);
        let runtime = Handle::current();
        let logs = tracing::dispatcher::get_default(Clone::clone);
        let thread = std::thread::Builder::new()
            .name("work".to_owned())
            .spawn(move || {
                // For the virtual clock.
                let _entered = runtime.enter();
                tracing::dispatcher::with_default(&logs, || work(&Asks { ask, come }));
            })
            .map_err(|problem| BrokenOff(problem.to_string()))?;
        let mut worker = Worker { asked, tell: Some(tell), thread: Some(thread) };
        while let Ok(awaited) = worker.asked.recv() {
            awaited.await;
            // It waits for this and nothing else.
            if worker.tell.as_ref().is_none_or(|tell| tell.send(()).is_err()) {
                break;
            }
        }
        match worker.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(BrokenOff("it panicked".to_owned())),
            _ => Ok(()),
        }
    }
}
