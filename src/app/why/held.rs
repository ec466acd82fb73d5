//! Since when a person is in a list, bears a tag, has their status, and by whom: by the moves hsmc made,
//! else by the kept snapshots, from the newest back to the first that does not show it.

use super::super::App;
use super::Told;
use super::since_scan::{DoneStep, done_steps, lay_over};
use crate::domain::event::Direction;
use crate::domain::id::{ListId, RunId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::person::Person;
use crate::domain::step::{Before, Step};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::serve::why::HeldView;
use crate::sync::snapshot::{PersonKey, PersonRow, Snapshot, SnapshotError, finished, run_of};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

/// Snapshots looked back through, at most: some months of a run every eight hours.
const LOOKED_BACK: usize = 300;

/// What holds of a person, and what the newest scan showed.
pub struct Picture {
    /// Their status.
    pub member: Option<HeldView>,
    /// Their lists.
    pub lists: Vec<HeldView>,
    /// Their tags.
    pub tags: Vec<HeldView>,
    /// The newest snapshot, with their row in it.
    pub seen: Option<Seen>,
}

/// A snapshot, and what it shows of the person.
pub struct Seen {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The run whose scan made it.
    pub run: RunId,
    /// Their row; none when they are not in it.
    pub row: Option<PersonRow>,
    /// Their member, under whatever address it stands.
    pub member: Option<Member>,
}

/// One thing that may hold of a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Status(MemberStatus),
    List(ListId),
    Tag(TagName),
}

/// A change hsmc itself has made.
struct Own {
    at: Timestamp,
    fact: Fact,
    holds: bool,
    by: String,
}

/// Puts the picture together.
///
/// # Errors
/// When the newest snapshot cannot be read; an older one that is damaged ends the looking back.
pub fn picture(app: &App, person: &Person, moves: &[Told]) -> Result<Picture, SnapshotError> {
    let snapshots = finished(&app.workspace.settings.state.join("snapshots"))?;
    let Some(newest) = snapshots.first() else {
        return Ok(Picture { member: None, lists: Vec::new(), tags: Vec::new(), seen: None });
    };
    let mut seen = look(newest, person)?;
    let done = done_steps(moves);
    // What hsmc has done since that scan is part of what holds now.
    lay_over(&mut seen, person, &done);
    let own = own_changes(&done);
    let facts = facts(&seen);
    let since = look_back(&snapshots, person, &facts);
    let lists = &newest.header().lists;
    let (mut member, mut in_lists, mut tags) = (None, Vec::new(), Vec::new());
    for (fact, joined) in &facts {
        let (at, by) = told(fact, *joined, &own, since.get(fact));
        let held = |what: String| HeldView { what, since: at, by };
        match fact {
            Fact::Status(status) => member = Some(held(status.to_string())),
            Fact::List(list) => {
                let name = lists.get(list).map(|info| format!(" \"{}\"", info.name)).unwrap_or_default();
                in_lists.push(held(format!("{list}{name}")));
            }
            Fact::Tag(tag) => tags.push(held(tag.to_string())),
        }
    }
    Ok(Picture { member, lists: in_lists, tags, seen: Some(seen) })
}

/// What a snapshot shows of one person.
fn look(snapshot: &Snapshot, person: &Person) -> Result<Seen, SnapshotError> {
    let by_hash = |email: &crate::domain::email::Email| snapshot.person(PersonKey::Hash(email.hash()));
    let mut row = person.email.as_ref().map(by_hash).transpose()?.flatten();
    if row.is_none()
        && let Some(record) = person.record
    {
        row = snapshot.person(PersonKey::Record(record))?;
    }
    let mut member = row.as_ref().and_then(|row| row.member.clone());
    if let (None, Some(previous)) = (&member, &person.previous_email) {
        let old = by_hash(previous)?;
        member = old.as_ref().and_then(|old| old.member.clone());
        row = row.or(old);
    }
    let run = run_of(snapshot.dir()).unwrap_or(RunId(0));
    Ok(Seen { snapshot: snapshot.clone(), run, row, member })
}

/// What a snapshot shows, with the moment of joining where the list tells it.
fn facts(seen: &Seen) -> BTreeMap<Fact, Option<Timestamp>> {
    let mut facts = BTreeMap::new();
    for (_, lists) in seen.row.iter().flat_map(|row| &row.contacts) {
        facts.extend(lists.iter().map(|(list, joined)| (Fact::List(*list), *joined)));
    }
    if let Some(member) = &seen.member {
        facts.insert(Fact::Status(member.status.clone()), None);
        facts.extend(member.tags.iter().map(|tag| (Fact::Tag(tag.clone()), None)));
    }
    facts
}

/// How far back the snapshots show something.
#[derive(Clone, Copy)]
enum Back {
    /// First in this run's scan.
    First {
        /// The run.
        run: RunId,
        /// When its scan began.
        seen: Timestamp,
        /// When the scan before it began, which does not show it.
        missing: Timestamp,
    },
    /// Already in the oldest scan that was looked at.
    Oldest(RunId),
}

/// From the newest snapshot back, for as long as something is still to be found.
fn look_back(
    snapshots: &[Snapshot],
    person: &Person,
    facts: &BTreeMap<Fact, Option<Timestamp>>,
) -> BTreeMap<Fact, Back> {
    let mut open: Vec<(&Fact, Option<(RunId, Timestamp)>)> = facts.keys().map(|fact| (fact, None)).collect();
    let mut found = BTreeMap::new();
    let mut last_file = None;
    for snapshot in snapshots.iter().take(LOOKED_BACK) {
        let (Some(run), seen) = (run_of(snapshot.dir()), snapshot.header().seen) else { break };
        // Where nothing had changed, the file itself is the same.
        let file =
            std::fs::metadata(snapshot.dir().join("people.rows")).ok().map(|file| (file.dev(), file.ino()));
        if file.is_some() && file == last_file {
            for (_, first) in &mut open {
                *first = first.map(|_| (run, seen));
            }
            continue;
        }
        last_file = file;
        let Ok(older) = look(snapshot, person) else { break };
        let missing = seen;
        let shown = self::facts(&older);
        open.retain_mut(|(fact, first)| {
            if shown.contains_key(*fact) {
                *first = Some((run, seen));
                return true;
            }
            if let Some((run, seen)) = first {
                found.insert((*fact).clone(), Back::First { run: *run, seen: *seen, missing });
            }
            // Done since the newest scan: no scan shows it yet.
            false
        });
        if open.is_empty() {
            break;
        }
    }
    let rest = open.into_iter().filter_map(|(fact, first)| Some((fact.clone(), Back::Oldest(first?.0))));
    found.extend(rest);
    found
}

/// Since when, and by whom.
fn told(
    fact: &Fact,
    joined: Option<Timestamp>,
    own: &[Own],
    back: Option<&Back>,
) -> (Option<Timestamp>, String) {
    let last = own.iter().rev().find(|change| change.fact == *fact).filter(|change| change.holds);
    match (last, back) {
        // Ours, unless a scan after our change showed that it did not hold any more.
        (Some(change), Some(Back::First { missing, .. })) if *missing <= change.at => {
            (Some(change.at), change.by.clone())
        }
        (Some(change), Some(Back::Oldest(_)) | None) => (Some(change.at), change.by.clone()),
        (_, Some(Back::First { run, seen, .. })) => {
            (joined.or(Some(*seen)), format!("somebody else; seen first in run {run}'s scan"))
        }
        (None, Some(Back::Oldest(run))) => (joined, format!("before hsmc looked (run {run}'s scan has it)")),
        (None, None) => (joined, "somebody else".to_owned()),
    }
}

/// What hsmc has made true, or untrue, of the person; oldest first.
fn own_changes(done: &[DoneStep<'_>]) -> Vec<Own> {
    let own = |one: &DoneStep<'_>| {
        let (fact, holds) = effect(&one.step, &one.planned.before)?;
        let reason = &one.of.status.draft.reason;
        let undo = if one.direction == Direction::Undo { ", unwinding" } else { "" };
        let by = format!("{} {}, move {}{undo}", reason.rule, one.of.status.draft.kind, one.of.id);
        Some(Own { at: one.at, fact, holds, by })
    };
    done.iter().filter_map(own).collect()
}

/// What a step makes true, or untrue, of the person.
fn effect(step: &Step, before: &Before) -> Option<(Fact, bool)> {
    Some(match step {
        Step::SetTag { tag, .. } => (Fact::Tag(tag.clone()), true),
        Step::ClearTag { tag } => (Fact::Tag(tag.clone()), false),
        Step::JoinList { list } => (Fact::List(*list), true),
        Step::LeaveList { list } => (Fact::List(*list), false),
        Step::UpsertMember { pending, .. } if *before == Before::NotHeld => {
            (Fact::Status(if *pending { MemberStatus::Pending } else { MemberStatus::Subscribed }), true)
        }
        Step::RestoreMember { .. } => (Fact::Status(MemberStatus::Subscribed), true),
        Step::ReturnMember { status } => (Fact::Status(status.clone()), true),
        Step::ArchiveMember => (Fact::Status(MemberStatus::Archived), true),
        Step::UnsubscribeMember => (Fact::Status(MemberStatus::Unsubscribed), true),
        Step::UpsertMember { .. }
        | Step::RefreshMember { .. }
        | Step::RenameMember
        | Step::CreateContact
        | Step::SetProperty { .. }
        | Step::OptOut { .. }
        | Step::RecordEvidence
        | Step::EraseMember
        | Step::EraseContact { .. } => return None,
    })
}
