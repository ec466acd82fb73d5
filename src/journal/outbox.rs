//! The outbox: every alert that stands, with what each target has been told of it.
//!
//! Promises: one writer at a time, so that whoever raises an alert and whoever tells it never undo each
//! other's words; an alert is raised in the very batch that holds what it is about. A record that cannot be
//! read is left out, by name: an alert must never hold up a run.

use super::codec;
use super::ledger::{Journal, JournalError, JournalResult};
use super::store::{Batch, Table};
use crate::domain::alert::{Alert, EVENTS_KEPT, Standing};
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// The name under which the journal keeps the last number given to an alert.
const LAST_ALERT: &str = "last-alert";

/// The outbox, held for a change. What was changed is durable once a batch that it was written to is.
pub struct Outbox {
    journal: Journal,
    /// Held until the batch is committed, which is why whoever writes keeps the outbox until then.
    _one_writer: OwnedMutexGuard<()>,
    standing: BTreeMap<u64, Standing>,
    changed: BTreeSet<u64>,
    last: u64,
}

impl Journal {
    /// Every alert that stands, the oldest first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn standing(&self) -> JournalResult<Vec<Standing>> {
        let found = self.store().scan(Table::Outbox, &[], None, usize::MAX)?;
        let read = |(_, value): (Vec<u8>, Vec<u8>)| {
            codec::decode::<Standing>(&value)
                .map_err(|problem| tracing::error!(%problem, "an alert's record cannot be read"))
                .ok()
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// Takes the outbox for a change; waits for whoever has it.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn outbox(&self) -> JournalResult<Outbox> {
        let held = self.one_outbox_writer().await;
        Ok(Outbox {
            standing: self.standing()?.into_iter().map(|one| (one.number, one)).collect(),
            last: self.meta_get(LAST_ALERT)?.unwrap_or(0),
            journal: self.clone(),
            _one_writer: held,
            changed: BTreeSet::new(),
        })
    }
}

impl Outbox {
    /// Every alert that stands, the oldest first.
    pub fn standing(&self) -> impl Iterator<Item = &Standing> {
        self.standing.values()
    }

    /// Raises an alert: the one that stands is seen once more, else it is new.
    pub fn raise(&mut self, alert: Alert, now: Timestamp, quiet: Duration) {
        let number = self.find(&alert).map(|one| one.number);
        match number.and_then(|number| self.standing.get_mut(&number)) {
            Some(standing) => {
                standing.see(alert, now, quiet);
                self.changed.extend(number);
            }
            None => {
                self.last += 1;
                self.standing.insert(self.last, Standing::new(self.last, alert, now));
                self.changed.insert(self.last);
            }
        }
    }

    /// Raises an alert that is looked for again and again: what stands already and is no news costs nothing.
    pub fn keep_up(&mut self, alert: Alert, now: Timestamp, quiet: Duration) {
        let no_news = |one: &Standing| one.resolved.is_none() && !one.has_news(&alert, now, quiet);
        if !self.find(&alert).is_some_and(no_news) {
            self.raise(alert, now, quiet);
        }
    }

    /// Ends every alert that stands and is one of these.
    pub fn resolve(&mut self, now: Timestamp, is_over: impl Fn(&Alert) -> bool) {
        let over = self
            .standing
            .values_mut()
            .filter(|one| one.resolved.is_none() && !one.alert.is_event() && is_over(&one.alert));
        for standing in over {
            standing.resolve(now);
            self.changed.insert(standing.number);
        }
    }

    /// One alert, to note what a target has been told of it.
    pub fn change(&mut self, number: u64) -> Option<&mut Standing> {
        self.changed.insert(number);
        self.standing.get_mut(&number)
    }

    /// Takes out what nobody needs any more: what is over and told to all of these targets, what targets that
    /// are gone were told, and summaries beyond the newest few.
    pub fn tidy(&mut self, targets: &[&str], now: Timestamp, quiet: Duration) {
        for standing in self.standing.values_mut() {
            let before = standing.deliveries.len();
            standing.deliveries.retain(|target, _| targets.contains(&target.as_str()));
            if standing.deliveries.len() < before {
                self.changed.insert(standing.number);
            }
        }
        let summaries: Vec<u64> = self
            .standing
            .values()
            .filter(|one| matches!(one.alert, Alert::RunSummary { .. }))
            .map(|one| one.number)
            .collect();
        let surplus = summaries.len().saturating_sub(EVENTS_KEPT);
        let over = self.standing.values().filter(|one| one.is_over(targets, now, quiet));
        let gone: Vec<u64> = over.map(|one| one.number).chain(summaries.into_iter().take(surplus)).collect();
        for number in gone {
            self.standing.remove(&number);
            self.changed.insert(number);
        }
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Adds what was changed to a batch. The outbox must be kept until the batch is committed.
    ///
    /// # Errors
    /// A record is too long.
    pub fn write(&mut self, batch: &mut Batch) -> JournalResult<()> {
        for number in std::mem::take(&mut self.changed) {
            let key = number.to_be_bytes();
            match self.standing.get(&number) {
                Some(standing) => {
                    let bytes = codec::encode(standing)
                        .map_err(|why| JournalError::Record { table: Table::Outbox, why })?;
                    batch.put(Table::Outbox, key, bytes);
                }
                None => {
                    batch.delete(Table::Outbox, key);
                }
            }
        }
        self.journal.meta_put(batch, LAST_ALERT, &self.last)
    }

    /// Writes what was changed, alone.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn commit(mut self) -> JournalResult<()> {
        if self.is_changed() {
            let mut batch = Batch::new();
            self.write(&mut batch)?;
            self.journal.clone().commit(batch).await?;
        }
        Ok(())
    }

    fn find(&self, alert: &Alert) -> Option<&Standing> {
        self.standing.values().find(|one| one.alert.is_same(alert))
    }
}
