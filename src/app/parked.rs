//! `parked` and `release`: whom hsmc leaves alone for good, and an operator's word that they be judged
//! afresh. Releasing forgets what held a person back, and writes that it did into their past states; it
//! never touches an opt-out.

use super::App;
use super::control::Done;
use super::show::{Names, person};
use super::why::memory::released_from;
use crate::domain::code::Code;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::memory::{Release, release};
use crate::domain::person::{ADDRESS_CHANGED, Person, PersonState};
use crate::domain::time::Timestamp;
use crate::journal::Journal;
use crate::journal::store::Batch;
use crate::serve::codes;
use crate::serve::parked::{ParkedGroupView, ParkedPersonView, ParkedView, ReleaseRequest};
use crate::serve::requests::Trouble;
use crate::serve::views::Acknowledgement;
use std::collections::BTreeMap;
use std::time::Duration;

/// People named one by one.
const SHOWN: usize = 10_000;
/// People read, or written, at once.
const PAGE: usize = 500;
/// How long a release waits for a run to end: the run would write over it.
const WAIT: Duration = Duration::from_secs(30);

/// Somebody by address; without one by where HubSpot has them, which is where it is mended.
fn named(journal: &Journal, id: PersonId, record: Option<RecordId>) -> String {
    let person = person(journal, id, Names::Addresses);
    match record.filter(|_| !person.contains('@')) {
        Some(record) => format!("{person}, HubSpot record {record}"),
        None => person,
    }
}

/// Why somebody is left alone.
struct Left {
    reason: &'static str,
    since: Timestamp,
    why: String,
    changed_by: &'static str,
}

impl App {
    /// Whom hsmc leaves alone for good, by reason.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn parked(&self) -> Done<ParkedView> {
        let journal = &self.workspace.shared.journal;
        let (mut groups, mut people) = (BTreeMap::<&str, ParkedGroupView>::new(), Vec::new());
        self.each_person(|one| {
            let Some(left) = left_alone(one) else { return Ok(()) };
            let group = groups.entry(left.reason).or_insert_with(|| ParkedGroupView {
                reason: left.reason.to_owned(),
                code: codes::of_word(left.reason),
                count: 0,
                since: left.since,
                changed_by: left.changed_by.to_owned(),
            });
            group.count += 1;
            group.since = group.since.min(left.since);
            people.push((left.since, one.id, left.reason, left.why, one.record));
            Ok(())
        })?;
        people.sort();
        let total = people.len() as u64;
        let shown = people.into_iter().take(SHOWN).map(|(since, id, reason, why, record)| ParkedPersonView {
            person: named(journal, id, record),
            reason: reason.to_owned(),
            code: codes::of_word(reason),
            since,
            why,
        });
        let shown = shown.collect();
        let mut groups: Vec<ParkedGroupView> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(ParkedView { at: self.workspace.shared.clock.now(), groups, people: shown, total })
    }

    /// Lets people be judged afresh (R16, R18).
    ///
    /// # Errors
    /// A run is under way and does not end soon, or the journal cannot be written.
    pub async fn release(&self, request: ReleaseRequest) -> Done<Acknowledgement> {
        let clock = &self.workspace.shared.clock;
        let _no_run = tokio::select! {
            biased;
            held = self.workspace.running.lock() => held,
            () = clock.sleep(WAIT) => {
                return Err(Trouble::failed(Code::RunUnderWay, "a run is under way, and would write over it")
                    .with_way_out("try again when `hsmc status` shows no run"));
            }
        };
        let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
        let scope = match request {
            ReleaseRequest::People(addresses) => {
                for address in addresses {
                    match self.person(&address) {
                        Ok(person) => chosen.push(person),
                        Err(trouble) => left_out.push(format!("{address}: {}", trouble.message)),
                    }
                }
                Release::Everything
            }
            ReleaseRequest::Reason(reason) => {
                self.each_person(|one| {
                    chosen.extend(is_parked(one, Some(&reason)).then(|| one.clone()));
                    Ok(())
                })?;
                if chosen.is_empty() {
                    return Err(Trouble::usage(Code::NothingSuch, format!("nobody is parked as {reason}"))
                        .with_way_out("`hsmc parked` lists the reasons"));
                }
                Release::Parked
            }
            ReleaseRequest::All => {
                self.each_person(|one| {
                    chosen.extend(is_parked(one, None).then(|| one.clone()));
                    Ok(())
                })?;
                Release::Parked
            }
        };
        let released = self.forget_what_holds(&chosen, scope, &mut left_out).await?;
        let message = match released {
            0 => "nobody is released".to_owned(),
            1 => "1 person is released: the next run judges them afresh".to_owned(),
            several => format!("{several} people are released: the next run judges them afresh"),
        };
        Ok(Acknowledgement { message, left_out })
    }

    async fn forget_what_holds(
        &self,
        chosen: &[Person],
        scope: Release,
        left_out: &mut Vec<String>,
    ) -> Done<u64> {
        let journal = &self.workspace.shared.journal;
        let now = self.workspace.shared.clock.now();
        let damaged = journal.damaged_people();
        let mut released = 0;
        for page in chosen.chunks(PAGE) {
            let mut batch = Batch::new();
            for before in page {
                let name = || person(journal, before.id, Names::Addresses);
                if before.opt_out.is_some() && !damaged.contains(&before.id) {
                    left_out.push(format!("{}: opted out, and stays so", name()));
                    continue;
                }
                match release(before, scope, now) {
                    Some((after, past)) => {
                        journal.append_past_state(&mut batch, before.id, &past)?;
                        journal.put_person(&mut batch, &after, Some(before))?;
                        released += 1;
                    }
                    None if damaged.contains(&before.id) => {
                        // Written again as it was found: what is left of it counts from now on.
                        journal.put_person(&mut batch, before, Some(before))?;
                        released += 1;
                    }
                    None => left_out.push(format!("{}: nothing holds them back", name())),
                }
            }
            journal.commit(batch).await?;
        }
        Ok(released)
    }

    fn each_person(&self, mut each: impl FnMut(&Person) -> Done<()>) -> Done<()> {
        let journal = &self.workspace.shared.journal;
        let mut after = None;
        loop {
            let page = journal.people(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            page.iter().try_for_each(&mut each)?;
        }
    }
}

const CONTESTED: &str = "contested";

/// Whether an operator's word can release the person, and for which reason they are held.
fn is_parked(person: &Person, reason: Option<&str>) -> bool {
    if has_opted_out(person) {
        return false;
    }
    let parked = person.parked.as_ref().map(|parked| parked.refusal.code.word());
    let contested = person.contested.map(|_| CONTESTED);
    let moved = person.moved.map(|_| ADDRESS_CHANGED);
    parked.into_iter().chain(contested).chain(moved).any(|held| reason.is_none_or(|reason| reason == held))
}

/// Whoever has opted out is that and nothing else, whatever they were parked for before.
fn has_opted_out(person: &Person) -> bool {
    person.state == PersonState::OptedOut || person.opt_out.is_some()
}

fn left_alone(person: &Person) -> Option<Left> {
    if person.state == PersonState::OptedOut {
        return None;
    }
    if let Some(parked) = &person.parked {
        return Some(Left {
            reason: parked.refusal.code.word(),
            since: parked.at,
            why: match parked.said_by() {
                Some(service) => format!("{service}: {}", parked.refusal.message),
                None => parked.refusal.message.clone(),
            },
            changed_by: released_from(parked.refusal.code),
        });
    }
    if let Some(contested) = &person.contested {
        return Some(Left {
            reason: CONTESTED,
            since: contested.since,
            why: format!("{} taken back {} times by somebody else", contested.kind, contested.times),
            changed_by: "the other tool switched off, then `hsmc release ADDRESS`",
        });
    }
    let changed_by = match person.state {
        PersonState::Parked if person.moved.is_some() => {
            "the member's address in HubSpot too, or `hsmc release ADDRESS` to give the member HubSpot's"
        }
        PersonState::Parked => "HubSpot showing the contact by this address again",
        PersonState::NoAddress => "an address in HubSpot",
        PersonState::Twin => "the contacts merged, or another address for one of them",
        PersonState::ArchivedByOthers => "`hsmc adopt ADDRESS`, or `hsmc adopt --list ID`",
        _ => return None,
    };
    let (reason, since) = person.parked_for().unwrap_or((person.state.word(), person.since));
    Some(Left { reason, since, why: person.why.clone(), changed_by })
}
