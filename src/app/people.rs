//! People asked for, and who belongs to which segment: over the mirror, joined with what the newest scan saw and with
//! the state hsmc has them in.

use super::App;
use super::control::Done;
use super::pull::Definitions;
use crate::domain::code::Code;
use crate::domain::id::{PersonId, RunId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::object::ObjectType;
use crate::domain::port::long_work;
use crate::domain::segment::{FieldKind, Rule, Segment};
use crate::journal::ledger::Journal;
use crate::mirror::Mirror;
use crate::people::{
    Column, Known, Mirrored, Query, QueryError, Roll, Seen, Size, Sort, Whose, is_known, page, take_over,
};
use crate::serve::people::{
    MemberView, PeoplePage, PeopleRequest, SegmentView, SegmentsRequest, SegmentsView,
};
use crate::serve::requests::Trouble;
use crate::sync::snapshot::{self, PersonKey, PersonRow, Snapshot, SnapshotError};
use std::path::Path;
use tokio::sync::{Mutex, MutexGuard};

/// Held by whoever brings what is kept of people up to date.
#[derive(Default)]
pub(super) struct Keeping(Mutex<()>);

impl Keeping {
    /// Nobody brings anything up to date until this is dropped.
    pub(super) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

/// Members shown of a segment; `hsmc people --segment` has them all.
const SHOWN: usize = 20;
/// Properties that the mirror keeps of every contact.
const ALWAYS: [&str; 4] = ["createdate", "lastmodifieddate", "hs_merged_object_ids", "hs_object_id"];

impl From<QueryError> for Trouble {
    fn from(error: QueryError) -> Trouble {
        let message = error.to_string();
        match error {
            QueryError::NoCursor | QueryError::OtherQuestion | QueryError::OtherCrowd => {
                Trouble::usage(Code::CommandLine, message)
                    .with_way_out("take the cursor of the last page, or begin anew without one")
            }
            QueryError::Crowd(_) => {
                Trouble::failed(Code::NothingKept, message).with_way_out("hsmc pull contacts --full")
            }
        }
    }
}

impl App {
    /// One page of people.
    ///
    /// # Errors
    /// The question makes no sense, nothing was pulled yet, or the mirror cannot be read.
    pub async fn people(&self, request: PeopleRequest) -> Done<PeoplePage> {
        let query = self.query(&request)?;
        let mirror = self.filled_mirror().await?;
        if request.cursor.is_none() {
            self.take_over_newest(&mirror).await?;
        }
        let now = self.workspace.shared.clock.now();
        let columns = query.columns.iter().map(ToString::to_string).collect();
        let is_whole = mirror.watermark(&ObjectType::contacts())?.is_some();
        let missing = (!is_whole).then(|| {
            "contacts were not pulled to their end yet: not everybody is here (`hsmc pull contacts` goes on)".to_owned()
        });
        let hands = self.workspace.shared.hands.as_ref();
        let rows =
            long_work(hands, move |_| -> Done<_> { Ok(page(&Mirrored::over(&mirror)?, &query, now)?) });
        let rows = rows.await??;
        Ok(PeoplePage { columns, rows: rows.rows, next: rows.next, at: rows.at, missing })
    }

    /// The segments of the config, or one of them with some of its members.
    ///
    /// # Errors
    /// There is no such segment, nothing was pulled yet, or the mirror cannot be read or written.
    pub async fn segments(&self, request: SegmentsRequest) -> Done<SegmentsView> {
        if let Some(name) = &request.name {
            self.segment(name)?;
        }
        self.keep_segments().await?;
        let mirror = self.filled_mirror().await?;
        let at = self.workspace.shared.clock.now();
        let (segments, wanted) = (self.config.rules.segments.clone(), request.name);
        let hands = self.workspace.shared.hands.as_ref();
        long_work(hands, move |_| -> Done<_> {
            let roll = Roll::over(&mirror)?;
            let sizes = roll.sizes()?;
            let of_one = |size: &&Size| wanted.as_ref().is_none_or(|name| *name == size.name);
            let views = sizes.iter().filter(of_one).map(view).collect();
            let mut members = Vec::new();
            if let Some(segment) = segments.iter().find(|one| wanted.as_deref() == Some(one.name.as_str())) {
                let people = Mirrored::over(&mirror)?;
                for (record, since) in roll.members(&segment.name, None, SHOWN)? {
                    let email = Column::named("email");
                    let one = people.one(record)?;
                    let address = one.as_ref().and_then(|one| email.of(one)).map(|text| text.into_owned());
                    members.push(MemberView { record, address, since });
                }
            }
            Ok(SegmentsView { at, segments: views, members, next: roll.next_due()? })
        })
        .await?
    }

    /// Brings every segment to this moment.
    ///
    /// # Errors
    /// The mirror cannot be read or written.
    pub async fn keep_segments(&self) -> Done<()> {
        let mirror = self.filled_mirror().await?;
        self.take_over_newest(&mirror).await?;
        let _one_at_a_time = self.keeping.alone().await;
        let (segments, now) = (self.config.rules.segments.clone(), self.workspace.shared.clock.now());
        let hands = self.workspace.shared.hands.as_ref();
        let caught =
            long_work(hands, move |_| -> Done<_> { Ok(Roll::over(&mirror)?.catch_up(&segments, now)?) });
        let caught = caught.await??;
        if caught.looks > 0 {
            let (looks, entered, left) = (caught.looks, caught.entered, caught.left);
            tracing::info!(looks, entered, left, "segments are up to date");
        }
        Ok(())
    }

    /// The mirror, where something was pulled.
    pub(super) async fn filled_mirror(&self) -> Done<Mirror> {
        let mirror = self.mirror().await?;
        if mirror.identity()?.is_none() {
            return Err(Trouble::usage(
                Code::NothingKept,
                "nothing was pulled yet: there is nobody to ask for",
            )
            .with_way_out("hsmc pull contacts"));
        }
        Ok(mirror)
    }

    /// Takes over what the newest scan saw, unless that was done.
    async fn take_over_newest(&self, mirror: &Mirror) -> Done<()> {
        let _one_at_a_time = self.keeping.alone().await;
        let (state, journal) = (self.workspace.settings.state.clone(), self.workspace.shared.journal.clone());
        let mirror = mirror.clone();
        let hands = self.workspace.shared.hands.as_ref();
        long_work(hands, move |_| take_newest(&state, &journal, &mirror)).await?
    }

    fn segment(&self, name: &str) -> Done<&Segment> {
        self.config.rules.segments.iter().find(|segment| segment.name.as_str() == name).ok_or_else(|| {
            let known: Vec<&str> =
                self.config.rules.segments.iter().map(|segment| segment.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Trouble::usage(Code::NothingSuch, format!("the config has no segment `{name}`"))
                .with_way_out(format!("there are: {known}; docs/segments.md says how to write one"))
        })
    }

    fn query(&self, request: &PeopleRequest) -> Done<Query> {
        let mut rules = Vec::new();
        if let Some(name) = &request.segment {
            rules.push(self.segment(name)?.rule.clone());
        }
        if let Some(text) = &request.filter {
            let read = Rule::read(text, &self.config.fields);
            rules.push(read.map_err(|mistake| {
                Trouble::usage(Code::CommandLine, mistake.told()).with_way_out(mistake.way_out)
            })?);
        }
        let rule = match rules.pop() {
            Some(only) if rules.is_empty() => Some(only),
            Some(last) => {
                rules.push(last);
                Some(Rule::All(rules))
            }
            None => None,
        };
        let mut sort = request.sort.as_deref().map(Sort::named);
        if let Some(Sort { column: Column::Property(name), kind, .. }) = &mut sort {
            *kind = self.config.fields.get(name).map(|field| field.kind);
        }
        if let Some(Sort { column: Column::Record, kind, .. }) = &mut sort {
            *kind = Some(FieldKind::Number);
        }
        let columns: Vec<Column> = match request.columns.as_slice() {
            [] => self.usual_columns(),
            names => names.iter().map(|name| Column::named(name)).collect(),
        };
        let asked = columns.iter().chain(sort.as_ref().map(|sort| &sort.column));
        let of_columns = asked.filter_map(|column| match column {
            Column::Property(name) => Some(name.as_str()),
            _ => None,
        });
        let of_rule = rule.iter().flat_map(Rule::properties);
        for name in of_columns.chain(of_rule) {
            self.is_kept(name)?;
        }
        let (limit, cursor) = (request.limit, request.cursor.clone());
        Ok(Query { rule, sort, columns, limit, cursor })
    }

    fn usual_columns(&self) -> Vec<Column> {
        let is_there = |column: &Column| match column {
            Column::Property(name) => self.is_kept(name).is_ok(),
            _ => true,
        };
        Column::usual().into_iter().filter(is_there).collect()
    }

    /// Whether the mirror keeps a property: of one that it does not, nobody would be found by any value.
    fn is_kept(&self, name: &str) -> Done<()> {
        let definitions = Definitions::of(&self.config);
        let contacts = definitions.of_kind(&ObjectType::contacts());
        let is_kept = contacts.is_some_and(|contacts| {
            contacts.keeps_everything() || contacts.properties.contains(name) || ALWAYS.contains(&name)
        });
        if is_kept {
            return Ok(());
        }
        Err(Trouble::usage(
            Code::PropertyMissing,
            format!("the mirror keeps no property `{name}` of contacts"),
        )
        .with_way_out(
            "add it to `properties` of [[pull.object]] in the config, then: hsmc pull contacts --full",
        ))
    }
}

fn view(size: &Size) -> SegmentView {
    SegmentView {
        name: size.name.clone(),
        rule: size.rule.clone(),
        since: size.since,
        size: size.size,
        entered: size.entered,
        left: size.left,
    }
}

fn take_newest(state: &Path, journal: &Journal, mirror: &Mirror) -> Done<()> {
    let Some(newest) = snapshot::newest_finished(&state.join("snapshots"), None)? else { return Ok(()) };
    let header = newest.header();
    let run = snapshot::run_of(newest.dir()).unwrap_or(RunId(0));
    let seen = Seen { run, at: header.seen, lists: header.lists.keys().copied().collect() };
    if is_known(mirror, &seen)? {
        return Ok(());
    }
    take_over(mirror, &seen, people_of(&newest, journal)?)
}

/// Everybody a scan saw: by the row of their contact's own address, and who has no contact that it saw by their address.
fn people_of<'a>(
    scan: &Snapshot,
    journal: &'a Journal,
) -> Result<impl Iterator<Item = Done<(Whose, Known)>> + 'a, SnapshotError> {
    Ok(scan.people()?.flat_map(move |row| match row {
        Err(error) => vec![Err(error.into())],
        Ok(PersonRow { contacts, member: Some(member), .. }) if contacts.is_empty() => {
            let id = journal.person_by_hash(member.hash());
            let known = id.map_err(Trouble::from).and_then(|id| known(Some(&member), false, journal, id));
            vec![known.map(|known| (Whose::Address(member.email), known))]
        }
        Ok(row) => {
            let own = row.contacts.iter().filter(|(contact, _)| {
                matches!(row.key, PersonKey::Record(_))
                    || contact.email().is_some_and(|email| row.key == PersonKey::Hash(email.hash()))
            });
            own.map(|(contact, lists)| {
                let id = journal.person_by_record(contact.record)?;
                let mut known = known(row.member.as_ref(), contact.opted_out, journal, id)?;
                known.lists = lists.keys().copied().collect();
                Ok((Whose::Contact(contact.record), known))
            })
            .collect()
        }
    }))
}

fn known(
    member: Option<&Member>,
    opted_out: bool,
    journal: &Journal,
    person: Option<PersonId>,
) -> Done<Known> {
    let person = match person {
        Some(id) => journal.person(id)?,
        None => None,
    };
    let mut tags = member.map(|member| member.tags.clone()).unwrap_or_default();
    tags.sort();
    let status = member.map(|member| member.status.clone());
    let bounced = status == Some(MemberStatus::Cleaned);
    let remembered = person.as_ref().is_some_and(|person| person.opt_out.is_some()) && !bounced;
    Ok(Known {
        tags,
        member: status,
        opted_out: opted_out || remembered,
        state: person.map(|person| person.state),
        ..Known::nothing()
    })
}
