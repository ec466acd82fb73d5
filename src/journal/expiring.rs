//! What is given up for good when it is old enough: the lines of ended moves, states that people have left, and runs.
//!
//! Promises: whatever cannot be read stays where it is, for `hsmc state check` to name. Never: evidence of consent,
//! people, or a move that is not over.

use super::codec::{self, Record};
use super::key::{Key, PersonMoment};
use super::ledger::{Journal, JournalResult, key_in};
use super::store::{Batch, Table};
use crate::domain::audit::AuditLine;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::person::PastState;
use crate::domain::run::Run;

/// Entries of a table, each with what could be read of it.
pub type Found<K, V> = Vec<(K, Option<V>)>;

impl Journal {
    fn entries<K: Key, V: Record>(
        &self,
        table: Table,
        after: Option<&K>,
        limit: usize,
    ) -> JournalResult<Found<K, V>> {
        let after = after.map(Key::to_key);
        let found = self.store().scan(table, &[], after.as_deref(), limit)?;
        found.iter().map(|(key, value)| Ok((key_in(table, key)?, codec::decode(value).ok()))).collect()
    }

    /// The lines of moves whose details were given up, by whose they are, after one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn audit_lines(
        &self,
        after: Option<&(PersonId, MoveId)>,
        limit: usize,
    ) -> JournalResult<Found<(PersonId, MoveId), AuditLine>> {
        self.entries(Table::Audit, after, limit)
    }

    /// Gives up what is left of a move.
    pub fn drop_line(&self, batch: &mut Batch, key: &(PersonId, MoveId)) {
        batch.delete(Table::Audit, key.to_key());
        batch.delete(Table::PersonMoves, key.to_key());
    }

    /// States that people have left, by whose they are, after one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn states_left(
        &self,
        after: Option<&PersonMoment>,
        limit: usize,
    ) -> JournalResult<Found<PersonMoment, PastState>> {
        self.entries(Table::History, after, limit)
    }

    /// Gives up a state that somebody has left.
    pub fn drop_state(&self, batch: &mut Batch, key: &PersonMoment) {
        batch.delete(Table::History, key.to_key());
    }

    /// Runs, the oldest first, after one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn runs_after(&self, after: Option<&RunId>, limit: usize) -> JournalResult<Found<RunId, Run>> {
        self.entries(Table::Runs, after, limit)
    }

    /// Whether the journal has a move of a run in detail.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn has_moves(&self, run: RunId) -> JournalResult<bool> {
        Ok(!self.store().scan(Table::Moves, &run.to_key(), None, 1)?.is_empty())
    }

    /// Gives up a run.
    pub fn drop_run(&self, batch: &mut Batch, run: RunId) {
        batch.delete(Table::Runs, run.to_key());
    }
}
