//! What a run is about, where it is not about everybody (R26), and which of its moves go first (R24).

use crate::domain::email::Email;
use crate::domain::id::ListId;
use crate::domain::moves::MoveKind;
use crate::domain::person::Person;
use crate::domain::shown::ShownPlan;
use crate::journal::ledger::{Journal, JournalError};
use crate::sync::snapshot::PersonRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Narrows a run; never changes its meaning (R26).
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// Only people of these lists.
    pub lists: BTreeSet<ListId>,
    /// Only these people.
    pub emails: BTreeSet<Email>,
    /// At most so many moves.
    pub limit: Option<u64>,
    /// Only moves that were shown before, and come out the same.
    pub shown: Option<Arc<ShownPlan>>,
}

impl Narrowing {
    /// How many lists and people it is about, for the report; none when it is about everybody.
    pub fn in_words(&self) -> Option<String> {
        let mut words: Vec<String> = self.lists.iter().map(|list| format!("list {list}")).collect();
        match self.emails.len() {
            0 => {}
            1 => words.push("one person".to_owned()),
            several => words.push(format!("{several} people")),
        }
        words.extend(self.limit.map(|limit| format!("at most {limit} moves")));
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Says of how many addresses nobody is known by them: misspelt, most likely.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn note_strangers(
        &self,
        journal: &Journal,
        notes: &mut BTreeMap<String, u64>,
    ) -> Result<(), JournalError> {
        let mut strangers = 0;
        for email in &self.emails {
            strangers += u64::from(journal.person_by_hash(email.hash())?.is_none());
        }
        if strangers > 0 {
            notes.insert("addresses given with --only that nobody has".to_owned(), strangers);
        }
        Ok(())
    }

    /// Whether it is about no lists or people in particular.
    pub fn is_about_everybody(&self) -> bool {
        self.lists.is_empty() && self.emails.is_empty()
    }

    /// Whether it is about the person of this row.
    pub(super) fn keeps(&self, row: &PersonRow, person: &Person) -> bool {
        if self.is_about_everybody() {
            return true;
        }
        let in_list =
            row.contacts.iter().any(|(_, lists)| lists.keys().any(|list| self.lists.contains(list)));
        in_list || person.email.as_ref().is_some_and(|email| self.emails.contains(email))
    }
}

/// Which moves a pass is for: opt-outs are a run of their own (R24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Opt-outs only.
    OptOuts,
    /// Everything else.
    Rest,
}

impl Part {
    pub(super) fn takes(self, kind: MoveKind) -> bool {
        (self == Part::OptOuts) == kind.is_opt_out()
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Part::OptOuts => "opt-outs",
            Part::Rest => "rest",
        }
    }
}
