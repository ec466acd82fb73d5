//! Pauses: what an operator holds back for a while. Opt-outs are never held (design §3.5).

use super::failure::Service;
use super::id::{ListId, PersonId};
use super::moves::{MemoryChange, Move};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Everything that is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Everything.
    pub all: bool,
    /// One service.
    pub services: BTreeSet<Service>,
    /// Everything that touches a list, and who would be enrolled from it.
    pub lists: BTreeSet<ListId>,
    /// One person.
    pub people: BTreeSet<PersonId>,
}

impl Pauses {
    /// Why a move is held; none when it may go.
    pub fn holds(&self, candidate: &Move) -> Option<String> {
        if candidate.kind.overtakes() {
            return None;
        }
        if self.all {
            return Some("everything is paused".to_owned());
        }
        if self.people.contains(&candidate.person) {
            return Some(format!("person {} is paused", candidate.person));
        }
        for planned in &candidate.steps {
            let target = planned.step.target();
            if let Some(service) = target.service().filter(|service| self.services.contains(service)) {
                return Some(format!("{service} is paused"));
            }
            if let super::step::Target::List(list) = target
                && self.lists.contains(&list)
            {
                return Some(format!("list {list} is paused"));
            }
        }
        candidate.then.iter().find_map(|change| match change {
            MemoryChange::Enrolled { list, .. } if self.lists.contains(list) => {
                Some(format!("list {list} is paused"))
            }
            _ => None,
        })
    }

    /// One line for each pause.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.all {
            lines.push("everything".to_owned());
        }
        lines.extend(self.services.iter().map(ToString::to_string));
        lines.extend(self.lists.iter().map(|list| format!("list {list}")));
        lines.extend(self.people.iter().map(|person| format!("person {person}")));
        lines
    }
}
