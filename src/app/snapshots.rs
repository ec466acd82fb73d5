//! `snapshots`: what kept scans saw, one or between two. Reads files that never change; streams, so that memory
//! stays small however many people there are.

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::contact::ListInfo;
use crate::domain::email::Email;
use crate::domain::id::{ListId, RunId};
use crate::domain::port::long_work;
use crate::domain::tag::TagName;
use crate::serve::requests::Trouble;
use crate::serve::snapshots::{
    ChangedView, SeenView, SnapshotDiffView, SnapshotPart, SnapshotShownView, SnapshotView, SnapshotsAnswer,
    SnapshotsRequest,
};
use crate::sync::error::RunError;
use crate::sync::snapshot::{self, PersonKey, PersonRow, Snapshot, SnapshotError, finished, run_of};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// People shown one by one.
const SHOWN: usize = 1_000;

impl App {
    /// What kept scans saw.
    ///
    /// # Errors
    /// There is no such scan any more, or it cannot be read.
    pub async fn snapshots(&self, request: SnapshotsRequest) -> Done<SnapshotsAnswer> {
        let state = self.workspace.settings.state.clone();
        long_work(self.workspace.shared.hands.as_ref(), move |_| answer(&state, request)).await?
    }
}

impl From<SnapshotError> for Trouble {
    fn from(error: SnapshotError) -> Trouble {
        RunError::from(error).into()
    }
}

fn answer(state: &Path, request: SnapshotsRequest) -> Done<SnapshotsAnswer> {
    Ok(match request {
        SnapshotsRequest::List => {
            let mut views = Vec::new();
            let mut counted = BTreeSet::new();
            let mut kept = finished(&state.join("snapshots"))?;
            kept.reverse();
            for one in &kept {
                views.push(view(one, &mut counted));
            }
            views.reverse();
            SnapshotsAnswer::List(views)
        }
        SnapshotsRequest::Show { run, part } => {
            SnapshotsAnswer::Shown(Box::new(shown(&opened(state, run)?, &part)?))
        }
        SnapshotsRequest::Diff { from, to } => {
            SnapshotsAnswer::Diff(Box::new(diff(&opened(state, from)?, &opened(state, to)?)?))
        }
    })
}

fn opened(state: &Path, run: RunId) -> Done<Snapshot> {
    Snapshot::open(&snapshot::path_of(state, run)).map_err(|problem| match problem {
        SnapshotError::Unfinished { .. } => {
            Trouble::usage(Code::NothingKept, format!("run {run} has left no scan, or it is no longer kept"))
                .with_way_out("`hsmc snapshots` lists what is kept; `sync.snapshots` says how long")
        }
        other => other.into(),
    })
}

fn view(of: &Snapshot, counted: &mut BTreeSet<(u64, u64)>) -> SnapshotView {
    let header = of.header();
    let files = std::fs::read_dir(of.dir()).into_iter().flatten().flatten();
    let bytes = files
        .filter_map(|file| file.metadata().ok())
        .filter(|file| counted.insert((file.dev(), file.ino())))
        .map(|file| file.len());
    SnapshotView {
        run: run_of(of.dir()).unwrap_or(RunId(0)),
        seen: header.seen,
        full: header.full,
        people: header.counts.people,
        members: header.counts.members,
        subscribed: header.counts.subscribed,
        bytes: bytes.sum(),
    }
}

fn shown(of: &Snapshot, part: &SnapshotPart) -> Done<SnapshotShownView> {
    let header = of.header();
    let lists = header.counts.lists.iter();
    let mut view = SnapshotShownView {
        snapshot: view(of, &mut BTreeSet::new()),
        lists: lists.map(|(list, count)| (named(*list, &header.lists), *count)).collect(),
        tags: header.tags.iter().map(|tag| (tag.name.to_string(), tag.member_count)).collect(),
        people: Vec::new(),
        total: 0,
    };
    let mut add = |row: &PersonRow| {
        view.total += 1;
        if view.people.len() < SHOWN {
            view.people.push(seen(row));
        }
    };
    match part {
        SnapshotPart::All => {}
        SnapshotPart::Person(address) => {
            let email =
                Email::as_given(address).map_err(|why| Trouble::usage(Code::NoAddress, why.to_string()))?;
            match of.person(PersonKey::Hash(email.hash()))? {
                Some(row) => add(&row),
                None => {
                    return Err(Trouble::usage(
                        Code::NobodySeen,
                        "that scan has seen nobody with this address",
                    ));
                }
            }
        }
        SnapshotPart::List(list) if !header.lists.contains_key(list) => {
            return Err(Trouble::usage(Code::NothingSuch, format!("that scan has not read list {list}")));
        }
        SnapshotPart::List(list) => {
            for row in of.people()? {
                let row = row?;
                if facts(&row).1.contains(list) {
                    add(&row);
                }
            }
        }
        SnapshotPart::Tag(name) => {
            let tag = TagName::new(name);
            for row in of.people()? {
                let row = row?;
                if row.member.as_ref().is_some_and(|member| member.bears(&tag)) {
                    add(&row);
                }
            }
        }
    }
    Ok(view)
}

fn named(list: ListId, lists: &BTreeMap<ListId, ListInfo>) -> String {
    match lists.get(&list) {
        Some(info) => format!("{list} \"{}\"", info.name),
        None => list.to_string(),
    }
}

fn address(row: &PersonRow) -> String {
    let member = row.member.as_ref().map(|member| member.email.as_str().to_owned());
    let contact = || row.contacts.first().map(|(contact, _)| contact.address.clone());
    match member.or_else(contact).filter(|address| !address.is_empty()) {
        Some(address) => address,
        None => match row.key {
            PersonKey::Record(record) => format!("record {record}"),
            PersonKey::Hash(_) => "somebody without an address".to_owned(),
        },
    }
}

fn seen(row: &PersonRow) -> SeenView {
    let (status, lists, tags) = facts(row);
    SeenView {
        person: address(row),
        records: row.contacts.iter().map(|(contact, _)| contact.record).collect(),
        status,
        lists: lists.into_iter().collect(),
        tags: tags.iter().map(TagName::to_string).collect(),
    }
}

type Facts = (Option<String>, BTreeSet<ListId>, BTreeSet<TagName>);

fn facts(row: &PersonRow) -> Facts {
    let lists = row.contacts.iter().flat_map(|(_, lists)| lists.keys().copied()).collect();
    let member = row.member.as_ref();
    let tags = member.into_iter().flat_map(|member| member.tags.iter().cloned()).collect();
    (member.map(|member| member.status.to_string()), lists, tags)
}

/// Both scans side by side, person by person.
fn diff(from: &Snapshot, to: &Snapshot) -> Done<SnapshotDiffView> {
    let mut view = SnapshotDiffView {
        from: view(from, &mut BTreeSet::new()),
        to: view(to, &mut BTreeSet::new()),
        changes: BTreeMap::new(),
        people: Vec::new(),
        total: 0,
    };
    let mut names = from.header().lists.clone();
    names.extend(to.header().lists.clone());
    let people = |of: &Snapshot| -> Result<_, SnapshotError> { Ok(of.people()?.peekable()) };
    let (mut old, mut new) = (people(from)?, people(to)?);
    loop {
        let key = |row: &Result<PersonRow, SnapshotError>| row.as_ref().ok().map(|row| row.key);
        let (left, right) = (old.peek().map(key), new.peek().map(key));
        let (before, after) = match (left, right) {
            (None, None) => break,
            (Some(left), Some(right)) if left == right => (old.next(), new.next()),
            (Some(left), right) if right.is_none_or(|right| left < right) => (old.next(), None),
            _ => (None, new.next()),
        };
        let (before, after) = (before.transpose()?, after.transpose()?);
        let Some(row) = after.as_ref().or(before.as_ref()) else { break };
        let changes = changes(before.as_ref(), after.as_ref(), &names);
        if changes.is_empty() {
            continue;
        }
        view.total += 1;
        for change in &changes {
            *view.changes.entry(change.clone()).or_default() += 1;
        }
        if view.people.len() < SHOWN {
            view.people.push(ChangedView { person: address(row), changes });
        }
    }
    Ok(view)
}

fn changes(
    before: Option<&PersonRow>,
    after: Option<&PersonRow>,
    names: &BTreeMap<ListId, ListInfo>,
) -> Vec<String> {
    let nothing = || (None, BTreeSet::new(), BTreeSet::new());
    let (old, new): (Facts, Facts) = (before.map_or_else(nothing, facts), after.map_or_else(nothing, facts));
    let mut changes = Vec::new();
    if old.0 != new.0 {
        let word = |status: &Option<String>| status.clone().unwrap_or_else(|| "no member".to_owned());
        changes.push(format!("{} → {}", word(&old.0), word(&new.0)));
    }
    changes.extend(new.1.difference(&old.1).map(|list| format!("joined list {}", named(*list, names))));
    changes.extend(old.1.difference(&new.1).map(|list| format!("left list {}", named(*list, names))));
    changes.extend(new.2.difference(&old.2).map(|tag| format!("gained tag \"{tag}\"")));
    changes.extend(old.2.difference(&new.2).map(|tag| format!("lost tag \"{tag}\"")));
    changes
}
