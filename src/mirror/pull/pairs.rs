//! The engine of associations: what joins the records of two types, read from the first one's side.
//!
//! One call asks for up to 1,000 records of the mirror; whoever has more than one answer holds goes into the next call
//! beside new ones, so that calls stay full. What a record was joined with and is no more, by an answer read to its
//! end, is removed. HubSpot has no date for a change of these, so each pull reads them all.

use super::running::Running;
use super::{Ask, PullError, Puller, Told};
use crate::domain::failure::FailureClass;
use crate::domain::id::RecordId;
use crate::domain::object::{AssociatedPage, ObjectType};
use crate::domain::port::Priority;
use crate::mirror::definition::AssociationDefinition;
use crate::mirror::draft::{Draft, Fate};
use crate::mirror::history::{Phase, Pull};
use crate::mirror::key;
use crate::mirror::record::{Number, State};
use crate::mirror::shelf::ShelfError;
use std::collections::{BTreeMap, BTreeSet};

/// Records of one call (HubSpot contract §5).
const BATCH: usize = 1_000;
/// Entries of the mirror looked through at a time.
const LOOKED_THROUGH: usize = 1_000;

/// A record to be asked for, and where its reading goes on.
type Asked = (RecordId, Option<String>);

/// Pulls what joins two types.
pub(super) async fn pull(
    puller: &Puller,
    definition: &AssociationDefinition,
    ask: &Ask,
    tell: &(dyn Fn(Told<'_>) + Send + Sync),
) -> Result<Pull, PullError> {
    // There is nothing but reading all: a pull that was begun goes on however the next one is asked for.
    let ask = Ask { full: true, since: None, ..ask.clone() };
    let running =
        Running::begin(puller, &ask, (definition.name(), definition.name()), 1, |_| Phase::Pairs, tell)?;
    let between = Between { from: definition.from.clone(), to: definition.to.clone() };
    let mut engine = Pairs { running, between };
    let outcome = engine.run().await;
    engine.running.end(outcome).await
}

/// The two types.
#[derive(Clone)]
struct Between {
    from: ObjectType,
    to: ObjectType,
}

struct Pairs<'a> {
    running: Running<'a>,
    between: Between,
}

impl Pairs<'_> {
    async fn run(&mut self) -> Result<(), PullError> {
        loop {
            let (asked, above) = self.next()?;
            if asked.is_empty() {
                break;
            }
            let (account, between) = (self.running.puller.account.clone(), self.between.clone());
            let (from, to) = (&between.from, &between.to);
            let what = format!("associations of {from} with {to}");
            let read =
                self.running.call(&what, || account.associations(Priority::Pull, from, to, &asked)).await;
            let has_cursors = asked.iter().any(|(_, after)| after.is_some());
            let read = match read {
                // Cursors may have run out, over a restart or a long wait: those records are read from their first page.
                Err(PullError::Call { failure, .. })
                    if !self.running.begun_again
                        && has_cursors
                        && failure.class == FailureClass::Permanent =>
                {
                    self.begin_again().await?;
                    continue;
                }
                read => read?,
            };
            let mut pages: BTreeMap<RecordId, AssociatedPage> = BTreeMap::new();
            for page in read.pages {
                let known = pages
                    .entry(page.from)
                    .or_insert_with(|| AssociatedPage { to: Vec::new(), ..page.clone() });
                known.to.extend(page.to);
                known.next = page.next.or(known.next.take());
            }
            let mut waiting = Vec::new();
            for (id, after) in &asked {
                let Some(next) = pages.get(id).and_then(|page| page.next.clone()) else { continue };
                if after.as_ref() == Some(&next) {
                    return Err(PullError::Circle { what });
                }
                waiting.push((*id, Some(next)));
            }
            self.running.position.waiting = waiting;
            self.running.position.above = above;
            self.running
                .page(move |draft, pull| {
                    for (id, after) in asked {
                        match (read.failed.get(&id), pages.remove(&id)) {
                            (_, Some(page)) => between.take(draft, pull, page, after.is_some())?,
                            (Some(why), None) => pull.fail(id, why.clone()),
                            (None, None) => {
                                let page = AssociatedPage { from: id, to: Vec::new(), next: None };
                                between.take(draft, pull, page, after.is_some())?;
                            }
                        }
                    }
                    Ok(())
                })
                .await?;
            if self.running.is_full() {
                return Ok(());
            }
        }
        if !self.running.ask.is_aside() {
            self.sweep().await?;
        }
        self.running.pull.ours =
            Some(self.running.puller.mirror.pairs(&self.between.from, &self.between.to)?);
        Ok(())
    }

    /// Whom to ask for: those with more to come, and as many new ones as fit; and how far the new ones reach.
    fn next(&self) -> Result<(Vec<Asked>, Option<RecordId>), ShelfError> {
        let room = self.running.ask.batch_size.unwrap_or(BATCH).clamp(1, BATCH);
        let mut asked: Vec<Asked> = self.running.position.waiting.clone();
        let mut above = self.running.position.above;
        let mirror = &self.running.puller.mirror;
        while asked.len() < room {
            let rows = mirror.records(&self.between.from, above, LOOKED_THROUGH.min(room - asked.len()))?;
            let Some((last, _)) = rows.last() else { break };
            above = Some(*last);
            let live = rows.into_iter().filter(|(_, kept)| matches!(kept.state, State::Live(_)));
            asked.extend(live.map(|(id, _)| (id, None)));
        }
        Ok((asked, above))
    }

    async fn begin_again(&mut self) -> Result<(), PullError> {
        self.running.pull.note("cursors had run out: those records were read from their first page again");
        self.running.begun_again = true;
        for (_, after) in &mut self.running.position.waiting {
            *after = None;
        }
        let ids: Vec<RecordId> = self.running.position.waiting.iter().map(|(id, _)| *id).collect();
        let between = self.between.clone();
        self.running
            .page(move |draft, _| ids.into_iter().try_for_each(|id| between.forget_half(draft, id)))
            .await
    }

    /// Removes what records are joined with that are gone themselves: nobody asks for those any more.
    async fn sweep(&mut self) -> Result<(), PullError> {
        let mirror = self.running.puller.mirror.clone();
        let mut after: Option<Vec<u8>> = None;
        let mut known: Option<(RecordId, bool)> = None;
        loop {
            let prefix = key::pairs_between(&self.between.from, &self.between.to);
            let rows = mirror.shelf().scan(&prefix, after.as_deref(), LOOKED_THROUGH)?;
            let mut lost = Vec::new();
            for (row, _) in &rows {
                let Some((id, other)) = key::pair_of(row) else {
                    return Err(ShelfError::Damaged("a key ends early".to_owned()).into());
                };
                let is_live = match known.filter(|(known, _)| *known == id) {
                    Some((_, is_live)) => is_live,
                    None => {
                        let kept = mirror.record(&self.between.from, id)?;
                        kept.is_some_and(|kept| matches!(kept.state, State::Live(_)))
                    }
                };
                known = Some((id, is_live));
                if !is_live {
                    lost.push((id, other));
                }
            }
            if !lost.is_empty() {
                let between = self.between.clone();
                self.running
                    .page(move |draft, pull| {
                        for pair in lost {
                            draft.part((&between.from, &between.to), pair)?;
                            pull.counts.removed += 1;
                        }
                        Ok(())
                    })
                    .await?;
            }
            match rows.last() {
                Some((last, _)) if rows.len() == LOOKED_THROUGH => after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }
}

impl Between {
    /// Takes in what one record is joined with. `goes_on`: there were pages of it before this one.
    fn take(
        &self,
        draft: &mut Draft<'_>,
        pull: &mut Pull,
        page: AssociatedPage,
        goes_on: bool,
    ) -> Result<(), ShelfError> {
        let (from, to, id) = (&self.from, &self.to, page.from);
        let mut joined: BTreeMap<RecordId, Vec<_>> = BTreeMap::new();
        for (other, types) in page.to {
            joined.entry(other).or_default().extend(types);
        }
        let others: BTreeSet<RecordId> = joined.keys().copied().collect();
        let is_part = goes_on || page.next.is_some();
        if is_part && !goes_on {
            // What a look on the side may have left.
            self.forget_half(draft, id)?;
        }
        for (other, types) in joined {
            if is_part {
                let half = key::half(from, to, id, other);
                if draft.get::<Number>(&half)?.is_some() {
                    // Order is not stable between pages: somebody may come twice.
                    continue;
                }
                draft.put(half, &Number(1))?;
            }
            pull.counts.seen += 1;
            match draft.join((from, to), (id, other), types)? {
                Fate::New => pull.counts.new += 1,
                Fate::Changed => pull.counts.changed += 1,
                Fate::Unchanged => pull.counts.unchanged += 1,
            }
        }
        if page.next.is_some() {
            return Ok(());
        }
        // Read to its end: what was here and not in it is no more.
        let mut after: Option<Vec<u8>> = None;
        loop {
            let before = draft.numbers(&key::pairs(from, to, id), after.as_deref(), LOOKED_THROUGH)?;
            for other in before.iter().copied().map(RecordId).filter(|other| !others.contains(other)) {
                if !is_part || draft.get::<Number>(&key::half(from, to, id, other))?.is_none() {
                    draft.part((from, to), (id, other))?;
                    pull.counts.removed += 1;
                }
            }
            match before.last() {
                Some(last) if before.len() == LOOKED_THROUGH => {
                    after = Some(key::pair(from, to, id, RecordId(*last)));
                }
                _ => break,
            }
        }
        if is_part { self.forget_half(draft, id) } else { Ok(()) }
    }

    /// The pages of a record that were read so far do not count any more.
    fn forget_half(&self, draft: &mut Draft<'_>, id: RecordId) -> Result<(), ShelfError> {
        let (from, to) = (&self.from, &self.to);
        draft.delete_below(&key::half_read(from, to, id))
    }
}
