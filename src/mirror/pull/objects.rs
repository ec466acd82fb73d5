//! The engine of objects: every type is pulled in the same way.
//!
//! A full pass reads all pages, then the recycle bin, then asks by id for whatever is here and was on no page, then
//! searches what changed since it began. Otherwise only that search, and the bin. HubSpot's own count comes last.

use super::running::Running;
use super::{Ask, PullError, Puller, Told};
use crate::domain::failure::FailureClass;
use crate::domain::id::RecordId;
use crate::domain::object::{ObjectAccount, ObjectPage, ObjectRecord, ObjectType, PageAsk, SearchAsk};
use crate::domain::port::Priority;
use crate::mirror::definition::ObjectDefinition;
use crate::mirror::draft::{Draft, Fate};
use crate::mirror::history::{Mode, Phase, Pull};
use crate::mirror::record::{Gone, Kept, State};
use crate::mirror::shelf::ShelfError;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows of a page, and ids of a batch (HubSpot contract §5).
const PAGE: usize = 100;
/// Rows of a search page.
const SEARCH: usize = 200;
/// Records looked through at a time for those that no page showed.
const LOOKED_THROUGH: usize = 500;
/// Pages of the recycle bin that are always read; more than that only up to a share of the other pages.
const BIN: u64 = 10;
const BIN_SHARE: u64 = 20;

/// Pulls one type.
pub(super) async fn pull(
    puller: &Puller,
    definition: &ObjectDefinition,
    ask: &Ask,
    tell: &(dyn Fn(Told<'_>) + Send + Sync),
) -> Result<Pull, PullError> {
    let first = |mode| if mode == Mode::Full { Phase::Pages } else { Phase::Search };
    // A type has one engine, whatever it is called.
    let (key, name) = (definition.kind.to_string(), definition.name.clone());
    let running = Running::begin(puller, ask, (key, name), definition.fingerprint(), first, tell)?;
    let mut engine = Objects { running, kind: definition.kind.clone(), properties: Vec::new() };
    let outcome = engine.run(definition).await;
    engine.running.end(outcome).await
}

struct Objects<'a> {
    running: Running<'a>,
    kind: ObjectType,
    /// What is asked for.
    properties: Vec<String>,
}

impl Objects<'_> {
    fn account(&self) -> Arc<dyn ObjectAccount> {
        Arc::clone(&self.running.puller.account)
    }

    async fn run(&mut self, definition: &ObjectDefinition) -> Result<(), PullError> {
        let mut known = Vec::new();
        if definition.keeps_everything() {
            let (account, kind) = (self.account(), self.kind.clone());
            let what = format!("the properties of {kind}");
            let asked = self.running.call(&what, || account.object_properties(Priority::Pull, &kind)).await;
            match asked {
                Err(PullError::Call { failure, .. })
                    if matches!(failure.class, FailureClass::Permanent | FailureClass::Misconfigured) =>
                {
                    self.running
                        .pull
                        .note("HubSpot did not name its properties: only the usual ones were read");
                }
                asked => known = asked?,
            }
        }
        self.properties = definition.asked(&known);
        loop {
            match self.running.position.phase {
                Phase::Pages => {
                    self.pages().await?;
                    if self.running.ask.is_aside() {
                        return Ok(());
                    }
                    self.running.leave(Phase::Pages, Phase::Archived);
                }
                Phase::Archived => {
                    self.bin().await?;
                    self.running.leave(Phase::Archived, self.behind_bin());
                }
                Phase::Unseen => {
                    self.unseen().await?;
                    self.running.enter(Phase::Search);
                }
                Phase::Search => {
                    match self.search().await {
                        Err(error) if is_no_search(&error) && !self.running.ask.is_aside() => {
                            if self.mode() == Mode::Changes {
                                self.running.turn_full();
                                continue;
                            }
                            self.running.pull.note("what changed during the pull is found by the next one");
                        }
                        searched => searched?,
                    }
                    if self.running.ask.is_aside() {
                        return Ok(());
                    }
                    self.running.leave(Phase::Search, self.behind_search());
                }
                Phase::Count => return self.count().await,
                Phase::Pairs => return Ok(()),
            }
        }
    }

    /// What comes behind the recycle bin.
    fn behind_bin(&self) -> Phase {
        if self.mode() == Mode::Full { Phase::Unseen } else { Phase::Count }
    }

    /// What comes behind the search.
    fn behind_search(&self) -> Phase {
        if self.mode() == Mode::Full { Phase::Count } else { Phase::Archived }
    }

    fn mode(&self) -> Mode {
        self.running.position.mode
    }

    /// All pages.
    async fn pages(&mut self) -> Result<(), PullError> {
        loop {
            let cursor = self.running.position.cursor.clone();
            let page = match self.read_page(false, cursor.as_deref()).await {
                // A cursor may have run out, over a restart or a long wait: then all pages are read anew, once.
                Err(PullError::Call { failure, .. })
                    if !self.running.begun_again
                        && cursor.is_some()
                        && failure.class == FailureClass::Permanent =>
                {
                    self.running.pull.note("a cursor had run out: the pages were read from the first again");
                    self.running.begun_again = true;
                    self.running.enter(Phase::Pages);
                    continue;
                }
                page => page?,
            };
            self.running.clocks(page.at);
            let next = page.next.clone();
            if next.is_some() && next == cursor {
                return Err(PullError::Circle { what: self.kind.to_string() });
            }
            match next {
                None if !self.running.ask.is_aside() => self.running.leave(Phase::Pages, Phase::Archived),
                _ => self.running.position.cursor.clone_from(&next),
            }
            self.take(page).await?;
            if next.is_none() || self.running.is_full() {
                return Ok(());
            }
        }
    }

    /// One page; where all names do not fit its address, the ids first and then the records.
    async fn read_page(&mut self, archived: bool, after: Option<&str>) -> Result<ObjectPage, PullError> {
        let (account, kind) = (self.account(), self.kind.clone());
        let fits = account.page_takes(&self.properties) || archived;
        let nothing = Vec::new();
        let properties = if fits && !archived { self.properties.clone() } else { nothing };
        let limit = self.running.rows(PAGE);
        let ask = PageAsk { kind: &kind, archived, properties: &properties, limit, after };
        let page = self.running.call(kind.as_str(), || account.object_page(Priority::Pull, ask)).await?;
        if fits { Ok(page) } else { self.with_values(page).await }
    }

    /// The same records with all their properties. One that is gone meanwhile is found as that later.
    async fn with_values(&mut self, page: ObjectPage) -> Result<ObjectPage, PullError> {
        let ids: Vec<RecordId> = page.records.iter().map(|row| row.id).collect();
        let mut records = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(PAGE) {
            let read = self.by_id(chunk).await?;
            for (id, why) in read.failed {
                self.running.pull.fail(id, why);
            }
            records.extend(read.records);
        }
        Ok(ObjectPage { records, ..page })
    }

    async fn by_id(&mut self, ids: &[RecordId]) -> Result<ObjectPage, PullError> {
        let (account, kind, properties) = (self.account(), self.kind.clone(), self.properties.clone());
        self.running.call(kind.as_str(), || account.objects(Priority::Pull, &kind, ids, &properties)).await
    }

    /// How rows are taken in. A look on the side belongs to no full pass.
    fn taking(&self) -> Taking {
        let in_pass = self.mode() == Mode::Full && !self.running.ask.is_aside();
        Taking {
            kind: self.kind.clone(),
            pass: Some(self.running.position.pass).filter(|_| in_pass),
            anyway: self.running.ask.overwrite,
            leave_out: Arc::clone(&self.running.puller.leave_out),
        }
    }

    /// Takes rows in.
    async fn take(&mut self, page: ObjectPage) -> Result<(), PullError> {
        let taking = self.taking();
        self.running
            .page(move |draft, pull| {
                if page.unreadable > 0 {
                    pull.counts.failed += page.unreadable;
                    pull.note("rows without an id were left out");
                }
                taking.rows(draft, pull, &page.records)
            })
            .await
    }

    /// Search lags: what it shows of records that are gone here is asked for by id.
    async fn prove_return(&mut self, records: &mut Vec<ObjectRecord>) -> Result<(), PullError> {
        let mut doubtful = Vec::new();
        for row in records.iter() {
            let kept = self.running.puller.mirror.record(&self.kind, row.id)?;
            if matches!(kept, Some(Kept { state: State::Gone(_), .. })) {
                doubtful.push(row.id);
            }
        }
        if doubtful.is_empty() {
            return Ok(());
        }
        records.retain(|row| !doubtful.contains(&row.id));
        for chunk in doubtful.chunks(PAGE) {
            records.extend(self.by_id(chunk).await?.records);
        }
        Ok(())
    }

    /// The recycle bin: whoever is in it and live here has gone.
    async fn bin(&mut self) -> Result<(), PullError> {
        loop {
            let cursor = self.running.position.cursor.clone();
            let page = match self.read_page(true, cursor.as_deref()).await {
                Err(PullError::Call { failure, .. }) if failure.class == FailureClass::Permanent => {
                    self.running
                        .pull
                        .note("HubSpot did not show its recycle bin: full pulls find what was deleted");
                    return Ok(());
                }
                page => page?,
            };
            let next = page.next.clone();
            if next.is_some() && next == cursor {
                return Err(PullError::Circle { what: format!("the recycle bin of {}", self.kind) });
            }
            // A service that knows no recycle bin shows records that are there.
            let in_bin: Vec<ObjectRecord> =
                page.records.into_iter().filter(|row| row.archived || row.archived_at.is_some()).collect();
            let is_bin = !in_bin.is_empty();
            let most = BIN.max(self.running.pull.counts.seen / PAGE as u64 / BIN_SHARE);
            let is_last = next.is_none() || !is_bin || self.running.position.pages + 1 >= most;
            // A full pass finds the others by their ids.
            if next.is_some() && is_bin && is_last && self.mode() == Mode::Changes {
                self.running.pull.note("the recycle bin is large: only a part of it was read");
            }
            match is_last {
                true => self.running.leave(Phase::Archived, self.behind_bin()),
                false => self.running.position.cursor.clone_from(&next),
            }
            let kind = self.kind.clone();
            self.running
                .page(move |draft, pull| {
                    for row in in_bin {
                        let gone = Gone::Archived { at: row.archived_at };
                        pull.counts.deleted += u64::from(draft.bury(&kind, row.id, gone)?);
                    }
                    Ok(())
                })
                .await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Whoever is here and was on no page is asked for by id: gone only when there is no answer.
    async fn unseen(&mut self) -> Result<(), PullError> {
        loop {
            let ids = self.not_seen()?;
            if ids.is_empty() {
                return Ok(());
            }
            let read = self.by_id(&ids).await?;
            let taking = self.taking();
            self.running
                .page(move |draft, pull| {
                    taking.rows(draft, pull, &read.records)?;
                    let there: BTreeSet<RecordId> = read.records.iter().map(|row| row.id).collect();
                    for id in ids.into_iter().filter(|id| !there.contains(id)) {
                        match read.failed.get(&id) {
                            Some(why) => pull.fail(id, why.clone()),
                            None => {
                                let news = draft.bury(&taking.kind, id, Gone::Deleted)?;
                                pull.counts.deleted += u64::from(news);
                            }
                        }
                    }
                    Ok(())
                })
                .await?;
        }
    }

    /// The next live records that this pass has not seen, as many as one call takes.
    fn not_seen(&mut self) -> Result<Vec<RecordId>, ShelfError> {
        let mirror = &self.running.puller.mirror;
        let position = &mut self.running.position;
        let mut ids = Vec::new();
        loop {
            let rows = mirror.records(&self.kind, position.above, LOOKED_THROUGH)?;
            let is_last = rows.len() < LOOKED_THROUGH;
            for (id, kept) in rows {
                position.above = Some(id);
                let is_live = matches!(kept.state, State::Live(_));
                if is_live && !mirror.is_seen(&self.kind, id, position.pass)? {
                    ids.push(id);
                }
                if ids.len() >= PAGE {
                    return Ok(ids);
                }
            }
            if is_last {
                return Ok(ids);
            }
        }
    }

    /// What changed, by search, in the order of ids.
    async fn search(&mut self) -> Result<(), PullError> {
        let since = self.running.position.since;
        loop {
            let above = self.running.position.above;
            let (account, kind) = (self.account(), self.kind.clone());
            let fits = account.search_takes(&self.properties);
            let properties = if fits { self.properties.clone() } else { Vec::new() };
            let limit = self.running.rows(SEARCH);
            let ask = SearchAsk { kind: &kind, since, above, properties: &properties, limit };
            let page =
                self.running.call(kind.as_str(), || account.object_search(Priority::Pull, ask)).await?;
            let ids: Vec<RecordId> = page.records.iter().map(|row| row.id).collect();
            let goes_on = ids.first().is_none_or(|first| Some(*first) > above);
            if !goes_on || !ids.is_sorted_by(|one, other| one < other) {
                return Err(PullError::Unbelievable { what: self.kind.to_string() });
            }
            // It counts what it has found above that id: more than it shows is asked for, whether or not it names a page.
            let shown = page.records.len() as u64 + page.unreadable;
            let hides = page.total.is_some_and(|total| total > shown);
            if hides && ids.is_empty() {
                return Err(PullError::Unbelievable { what: self.kind.to_string() });
            }
            let (last, more) = (ids.last().copied(), hides || page.next.is_some());
            let mut page = if fits { page } else { self.with_values(page).await? };
            self.prove_return(&mut page.records).await?;
            let is_last = last.is_none() || !more;
            match is_last && !self.running.ask.is_aside() {
                true => self.running.leave(Phase::Search, self.behind_search()),
                false => self.running.position.above = last.or(above),
            }
            self.take(page).await?;
            if is_last || self.running.is_full() {
                return Ok(());
            }
        }
    }

    /// HubSpot's own count, as search tells it.
    async fn count(&mut self) -> Result<(), PullError> {
        let (account, kind) = (self.account(), self.kind.clone());
        let ask = SearchAsk { kind: &kind, since: None, above: None, properties: &[], limit: 1 };
        match self.running.call(kind.as_str(), || account.object_search(Priority::Pull, ask)).await {
            Err(error) if is_no_search(&error) => {
                self.running.pull.note("HubSpot did not say how many there are")
            }
            counted => self.running.pull.theirs = counted?.total,
        }
        self.running.pull.ours = Some(self.running.puller.mirror.totals(&self.kind)?.live);
        Ok(())
    }
}

/// Whether search cannot be used as it must be: everything is read instead.
fn is_no_search(error: &PullError) -> bool {
    match error {
        PullError::Unbelievable { .. } => true,
        PullError::Call { failure, .. } => failure.class == FailureClass::Permanent,
        _ => false,
    }
}

/// How rows are taken in.
struct Taking {
    kind: ObjectType,
    /// The full pass that shows them.
    pass: Option<u64>,
    /// Older ones too.
    anyway: bool,
    leave_out: super::LeaveOut,
}

impl Taking {
    fn rows(&self, draft: &mut Draft<'_>, pull: &mut Pull, rows: &[ObjectRecord]) -> Result<(), ShelfError> {
        let mut shown = BTreeSet::new();
        for row in rows {
            let is_first = shown.insert(row.id);
            self.row(draft, pull, row, is_first)?;
        }
        Ok(())
    }

    /// Takes one row in, and buries who was merged into it.
    fn row(
        &self,
        draft: &mut Draft<'_>,
        pull: &mut Pull,
        row: &ObjectRecord,
        is_first: bool,
    ) -> Result<(), ShelfError> {
        if (self.leave_out)(&self.kind, row) {
            pull.counts.left_out += u64::from(is_first);
            return Ok(());
        }
        let was_seen = match self.pass {
            Some(pass) => draft.see(&self.kind, row.id, pass)?,
            None => false,
        };
        let fate = draft.take(&self.kind, row, self.anyway)?;
        // A page that shifted, or the search behind the pages, shows somebody twice.
        if is_first && !was_seen {
            pull.counts.seen += 1;
            match fate {
                Fate::New => pull.counts.new += 1,
                Fate::Changed => pull.counts.changed += 1,
                Fate::Unchanged => pull.counts.unchanged += 1,
            }
        }
        for old in row.merged() {
            let news = draft.bury(&self.kind, old, Gone::Merged { into: row.id })?;
            pull.counts.merged += u64::from(news);
        }
        Ok(())
    }
}
