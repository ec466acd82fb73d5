//! `why`: everything hsmc knows of one person, put together from the journal, the snapshots that are kept,
//! and the rules. Changes nothing; of the services it asks two definitions at most.

mod held;
pub(super) mod memory;
mod next;
mod since_scan;
mod timeline;

use super::App;
use super::control::Done;
use super::show::{self, Names};
use crate::domain::id::{ListId, MoveId};
use crate::domain::person::Person;
use crate::engine::{MoveStatus, fold};
use crate::serve::why::{StateView, WhyView};
use crate::sync::error::RunError;

/// One move of the person, folded; with the records it was folded from.
struct Told {
    id: MoveId,
    status: MoveStatus,
    events: Vec<crate::domain::event::MoveEvent>,
}

impl App {
    /// One person's whole timeline, and what comes next.
    ///
    /// # Errors
    /// Nobody has that address, or the journal or a snapshot cannot be read.
    pub async fn why(&self, address: &str) -> Done<WhyView> {
        let person = self.person(address)?;
        let consent = &self.workspace.shared.consent;
        consent.ready().await?;
        let evidence = consent.of_person(person.id)?.into_iter().map(|kept| kept.link.fact).collect();
        let journal = &self.workspace.shared.journal;
        let now = self.workspace.shared.clock.now();
        let (mut moves, mut unreadable, mut given_up) = (Vec::new(), Vec::new(), Vec::new());
        for id in journal.moves_of_person(person.id)? {
            let events = journal.events(id)?;
            match fold(&events) {
                Ok(status) => moves.push(Told { id, status, events }),
                Err(_) => match journal.audit(person.id, id)? {
                    Some(line) => given_up.push((id, line)),
                    None => unreadable.push(id),
                },
            }
        }
        let picture = held::picture(self, &person, &moves).map_err(RunError::from)?;
        let under_way = moves
            .iter()
            .filter(|told| !told.status.is_over())
            .filter_map(|told| show::move_view(self, told.id, now, Names::Addresses))
            .collect();
        let next = next::next(self, &person, &moves, picture.seen.as_ref()).await;
        Ok(WhyView {
            at: now,
            person: address_of(&person),
            id: person.id,
            record: person.record,
            state: StateView {
                word: person.state.word().to_owned(),
                since: person.since,
                why: person.why.clone(),
            },
            member: picture.member,
            lists: picture.lists,
            tags: picture.tags,
            memory: memory::remembered(&person),
            under_way,
            pauses: self.pauses_of(&person, picture.seen.as_ref()),
            timeline: timeline::timeline(
                &moves,
                &given_up,
                &unreadable,
                journal.past_states(person.id)?,
                evidence,
            ),
            next,
        })
    }

    /// What holds them, or would hold whatever is due of them.
    fn pauses_of(&self, person: &Person, seen: Option<&held::Seen>) -> Vec<String> {
        let pauses = self.workspace.shared.pauses();
        let mut lines: Vec<String> =
            pauses.services.iter().map(|service| format!("{service} is paused")).collect();
        let are_theirs = |list: &&ListId| {
            let mut contacts =
                seen.into_iter().filter_map(|seen| seen.row.as_ref()).flat_map(|row| &row.contacts);
            contacts.any(|(_, lists)| lists.contains_key(*list))
        };
        lines.extend(pauses.lists.iter().filter(are_theirs).map(|list| format!("list {list} is paused")));
        if pauses.people.contains(&person.id) {
            lines.insert(0, "this person is paused".to_owned());
        }
        if pauses.all {
            lines.insert(0, "everything is paused".to_owned());
        }
        lines
    }
}

fn address_of(person: &Person) -> String {
    person.email.as_ref().map_or_else(|| format!("person {}", person.id), |email| email.as_str().to_owned())
}
