//! A store that breaks on purpose, around another: the k-th commit fails, or succeeds and its answer is
//! lost. As with a real one, nothing is taken after that until it is mended.

use super::{Batch, Entry, Sequence, Store, StoreError, Table};
use crate::threads::{Mutex, lock};
use async_trait::async_trait;

/// How a commit breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It is not made.
    Refused,
    /// It is made, and the caller is told that it was not.
    AnswerLost,
}

#[derive(Debug, Default)]
struct Plan {
    /// Commits asked for so far.
    commits: u64,
    /// Commits still to come before the break, and what breaks.
    countdown: Option<(u64, Break)>,
    broken: bool,
}

/// The store.
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

impl<S: Store> FaultyStore<S> {
    /// Around a store; nothing breaks yet.
    pub fn new(inner: S) -> FaultyStore<S> {
        FaultyStore { inner, plan: Mutex::default() }
    }

    /// The `k`-th commit from now on (1 is the next) breaks.
    pub fn break_at(&self, k: u64, how: Break) {
        lock(&self.plan).countdown = Some((k, how));
    }

    /// Commits work again, as after a restart.
    pub fn mend(&self) {
        let mut plan = lock(&self.plan);
        plan.broken = false;
        plan.countdown = None;
    }

    /// Whether the break has come.
    pub fn is_broken(&self) -> bool {
        lock(&self.plan).broken
    }

    /// Commits asked for so far, broken ones included.
    pub fn commits(&self) -> u64 {
        lock(&self.plan).commits
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn next(&self) -> Result<Option<Break>, StoreError> {
        let mut plan = lock(&self.plan);
        plan.commits += 1;
        if plan.broken {
            return Err(broken());
        }
        match plan.countdown {
            Some((0 | 1, how)) => {
                plan.broken = true;
                plan.countdown = None;
                Ok(Some(how))
            }
            Some((left, how)) => {
                plan.countdown = Some((left - 1, how));
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

fn broken() -> StoreError {
    StoreError::Write { path: "faulty store".to_owned(), what: "broken on purpose".to_owned() }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        match self.next()? {
            None => self.inner.commit(batch).await,
            Some(Break::Refused) => Err(broken()),
            Some(Break::AnswerLost) => {
                self.inner.commit(batch).await?;
                Err(broken())
            }
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(table, prefix, after, limit)
    }

    async fn compact(&self) -> Result<(), StoreError> {
        self.inner.compact().await
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        self.inner.damaged()
    }
}

/// A shared store is a store.
#[async_trait]
impl<S: Store> Store for std::sync::Arc<S> {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        (**self).commit(batch).await
    }
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(table, key)
    }
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(table, prefix, after, limit)
    }
    async fn compact(&self) -> Result<(), StoreError> {
        (**self).compact().await
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        (**self).damaged()
    }
}
