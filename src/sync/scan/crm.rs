//! HubSpot's side of a scan: lists, their members, the contacts.

use super::contacts::{self, Answer, Gathered};
use super::error::ScanError;
use super::progress::Source;
use super::reader::Reader;
use super::work::Base;
use super::{Secondary, blocking};
use crate::domain::contact::ListInfo;
use crate::domain::id::{ListId, RecordId};
use crate::domain::port::{ContactQuery, CrmAccount, Page, Priority};
use crate::sync::snapshot::{self, PageLog, Position};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// Contacts per batch call.
pub(super) const BATCH: usize = 100;
/// Records that are asked for singly when a batch did not answer them.
const SINGLES: usize = 20;

/// What came of HubSpot's side.
pub(super) struct CrmPart {
    pub(super) lists: BTreeMap<ListId, ListInfo>,
    pub(super) list_counts: BTreeMap<ListId, u64>,
    pub(super) contacts: u64,
    pub(super) unanswered: u64,
    pub(super) lookups: u64,
    pub(super) aliases: BTreeMap<RecordId, RecordId>,
    pub(super) secondary: Secondary,
    /// Nothing differs from the older snapshot.
    pub(super) unchanged: bool,
}

pub(super) async fn read(reader: &Reader<'_>, base: &Base) -> Result<CrmPart, ScanError> {
    let ctx = reader.ctx;
    let lists = describe_lists(reader).await?;
    let (same, changed): (Vec<ListId>, Vec<ListId>) =
        ctx.lists.iter().copied().partition(|list| is_same(base, &lists, *list));
    futures::try_join!(
        read_lists(reader, &changed),
        read_modified(reader, base),
        read_opted_out(reader, base)
    )?;
    let gather = contacts::Gather::new(ctx, base, same, changed);
    let settle = gather.clone();
    let gathered = blocking(ctx, move || gather.run()).await?;
    read_contacts(reader, &gathered).await?;
    blocking(ctx, move || settle.settle(gathered, lists)).await
}

/// Asks for all lists at once, before any member is read: a change after this shows in the next mark.
async fn describe_lists(reader: &Reader<'_>) -> Result<BTreeMap<ListId, ListInfo>, ScanError> {
    let ctx = reader.ctx;
    let crm: &dyn CrmAccount = ctx.crm.as_ref();
    let ids: Vec<ListId> = ctx.lists.iter().copied().collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = &ids;
    let infos = reader.whole(Source::Lists, || async move { crm.lists(Priority::Scan, ids).await }).await?;
    let infos: BTreeMap<ListId, ListInfo> = infos.into_iter().map(|info| (info.list, info)).collect();
    for list in ids {
        match infos.get(list) {
            None => return Err(ScanError::MissingList { list: *list }),
            Some(info) if !info.of_contacts => return Err(ScanError::NotOfContacts { list: *list }),
            Some(_) => {}
        }
    }
    Ok(infos)
}

/// Whether nobody joined or left the list since the older snapshot, for certain.
fn is_same(base: &Base, lists: &BTreeMap<ListId, ListInfo>, list: ListId) -> bool {
    let Some(old) = &base.old else { return false };
    let (Some(then), Some(now)) = (old.header().lists.get(&list), lists.get(&list)) else { return false };
    then.mark.is_some() && then.mark == now.mark && then.complete && now.complete
}

async fn read_lists(reader: &Reader<'_>, lists: &[ListId]) -> Result<(), ScanError> {
    let crm: &dyn CrmAccount = reader.ctx.crm.as_ref();
    let readings: Vec<_> = lists
        .iter()
        .map(|list| {
            let list = *list;
            reader.pages(Source::List(list), move |after: Option<String>| async move {
                crm.memberships(Priority::Scan, list, after.as_deref()).await
            })
        })
        .collect();
    stream::iter(readings)
        .buffer_unordered(reader.ctx.tuning.lists_at_once.max(1))
        .try_for_each(|_| async { Ok(()) })
        .await
}

async fn read_modified(reader: &Reader<'_>, base: &Base) -> Result<(), ScanError> {
    let Some(since) = base.since(|clocks| clocks.crm) else { return Ok(()) };
    let until = base.clocks.crm.of_theirs(base.seen);
    search(reader, Source::Modified, ContactQuery::Modified { since, until }).await
}

/// Opted-out people may be in no list at all. Between full scans the search for changes finds them.
async fn read_opted_out(reader: &Reader<'_>, base: &Base) -> Result<(), ScanError> {
    if base.old.is_some() {
        return Ok(());
    }
    search(reader, Source::OptedOut, ContactQuery::OptedOut).await
}

async fn search(reader: &Reader<'_>, source: Source, query: ContactQuery) -> Result<(), ScanError> {
    let crm: &dyn CrmAccount = reader.ctx.crm.as_ref();
    let query = &query;
    reader
        .pages(source, |after: Option<String>| async move {
            crm.search(Priority::Scan, query, after.as_deref()).await
        })
        .await
        .map(|_| ())
}

/// Reads the contacts that are wanted, in batches; then singly those that no batch answered.
async fn read_contacts(reader: &Reader<'_>, gathered: &Gathered) -> Result<(), ScanError> {
    let mut log: PageLog<Answer> = reader.log(Source::Contacts)?;
    let from = match log.position() {
        Position::Start => None,
        Position::At(last) => last.parse::<RecordId>().ok(),
        Position::End => return Ok(()),
    };
    let total = gathered.want.len() as u64;
    let left = gathered.want.get(gathered.want.partition_point(|id| Some(*id) <= from)..).unwrap_or_default();
    let batches = left.chunks(BATCH).map(<[_]>::to_vec).map(|chunk| ask(reader, chunk));
    let mut answers = stream::iter(batches).buffered(reader.ctx.tuning.batches_at_once.max(1));
    while let Some((last, rows)) = answers.try_next().await? {
        log.append(Page { rows, next: Some(last.to_string()), total: Some(total) })?;
        reader.progress.read(Source::Contacts, log.pages(), log.rows(), log.total());
    }
    let mut missing = BTreeSet::new();
    for answer in super::reader::rows_of::<Answer>(&reader.ctx.dir, Source::Contacts)? {
        if let Answer::Unanswered(record) = answer? {
            missing.insert(record);
        }
    }
    let mut rows = Vec::new();
    for record in missing.into_iter().take(SINGLES) {
        rows.extend(ask_singly(reader, record).await?);
    }
    log.append(Page { rows, next: None, total: Some(total) })?;
    reader.progress.ended(Source::Contacts);
    Ok(())
}

async fn ask(reader: &Reader<'_>, chunk: Vec<RecordId>) -> Result<(RecordId, Vec<Answer>), ScanError> {
    let crm: &dyn CrmAccount = reader.ctx.crm.as_ref();
    let ids = chunk.as_slice();
    let contacts =
        reader.call(Source::Contacts, || async move { crm.contacts(Priority::Scan, ids).await }).await?;
    let asked: BTreeSet<RecordId> = chunk.iter().copied().collect();
    let answered: BTreeSet<RecordId> = contacts.iter().map(|contact| contact.record).collect();
    let missing: Vec<RecordId> = asked.difference(&answered).copied().collect();
    let others: Vec<RecordId> = answered.difference(&asked).copied().collect();
    let mut rows: Vec<Answer> = contacts.into_iter().map(Answer::Contact).collect();
    match (missing.as_slice(), others.as_slice()) {
        // One id without an answer, one answer under another id: they belong together.
        ([old], [new]) => rows.push(Answer::Merged { old: *old, new: *new }),
        _ => rows.extend(missing.into_iter().map(Answer::Unanswered)),
    }
    let last = chunk.last().copied().unwrap_or(RecordId(0));
    Ok((last, rows))
}

async fn ask_singly(reader: &Reader<'_>, record: RecordId) -> Result<Vec<Answer>, ScanError> {
    let crm: &dyn CrmAccount = reader.ctx.crm.as_ref();
    let contact =
        reader.call(Source::Contacts, || async move { crm.contact(Priority::Scan, record).await }).await?;
    Ok(match contact {
        None => vec![Answer::Deleted(record)],
        Some(contact) if contact.record == record => vec![Answer::Contact(contact)],
        Some(contact) => {
            let new = contact.record;
            vec![Answer::Contact(contact), Answer::Merged { old: record, new }]
        }
    })
}

/// Shares the file of a list that did not change.
pub(super) fn keep_list(
    base: &snapshot::Snapshot,
    dir: &std::path::Path,
    list: ListId,
) -> Result<(), snapshot::SnapshotError> {
    snapshot::link_or_copy(&snapshot::list_path(base.dir(), list), &snapshot::list_path(dir, list))
}
