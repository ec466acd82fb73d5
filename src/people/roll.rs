//! Who belongs to which segment, kept up to date: by the mirror's changes, by what hsmc has newly come to know, and by
//! time. Only those are looked at again of whom something changed, or whose moment has come; everybody only where a
//! rule is new or another.
//!
//! It promises: after [`Roll::catch_up`] exactly those are members for whom the rule holds at that moment; each entry
//! and each exit is counted once, also over a crash at any place, since a step of the work and how far it came are one
//! put; no step holds more than a few hundred people.

use super::kept::{self, KeptSegment, Place, Source};
use super::mirrored::Mirrored;
use super::one::One;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::RecordId;
use crate::domain::object::ObjectType;
use crate::domain::segment::{Segment, SegmentName, Standing, Turn};
use crate::domain::time::Timestamp;
use crate::mirror::shelf::{Changes, ShelfError};
use crate::mirror::{Mirror, seal, unseal};
use std::collections::{BTreeMap, BTreeSet};

/// People looked at in one step.
const STEP: usize = 500;

/// A segment and how many belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Which.
    pub name: String,
    /// Its rule.
    pub rule: String,
    /// Since when it has this rule.
    pub since: Timestamp,
    /// Members.
    pub size: u64,
    /// How often somebody became a member.
    pub entered: u64,
    /// How often somebody stopped being one.
    pub left: u64,
}

/// What catching up took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// Looks at somebody for a segment.
    pub looks: u64,
    /// Entries.
    pub entered: u64,
    /// Exits.
    pub left: u64,
}

/// Who belongs to which segment. One at a time may catch up.
pub struct Roll<'a> {
    mirror: &'a Mirror,
    people: Mirrored<'a>,
    contacts: ObjectType,
}

impl<'a> Roll<'a> {
    /// Over a mirror.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn over(mirror: &'a Mirror) -> Result<Roll<'a>, ShelfError> {
        Ok(Roll { mirror, people: Mirrored::over(mirror)?, contacts: ObjectType::contacts() })
    }

    /// Every segment kept, by name.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn sizes(&self) -> Result<Vec<Size>, ShelfError> {
        let sizes = self.kept()?.into_iter().map(|(name, kept)| Size {
            name,
            rule: kept.rule,
            since: kept.since,
            size: kept.size,
            entered: kept.entered,
            left: kept.left,
        });
        Ok(sizes.collect())
    }

    /// Members of a segment behind a record, with since when, in the order of records.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn members(
        &self,
        name: &SegmentName,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, Timestamp)>, ShelfError> {
        let Some(kept) = self.get::<KeptSegment>(&kept::segment(name.as_str()))? else {
            return Ok(Vec::new());
        };
        let (mut members, mut after) = (Vec::new(), after);
        loop {
            let standings = self.standings(kept.number, after, STEP)?;
            after = standings.last().map(|(record, _)| *record);
            let done = standings.len() < STEP;
            let found = standings.into_iter().filter(|(_, standing)| standing.member);
            members.extend(found.map(|(record, standing)| (record, standing.since)));
            if done || members.len() >= limit {
                members.truncate(limit);
                return Ok(members);
            }
        }
    }

    /// The next moment at which somebody enters or leaves by time alone.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn next_due(&self) -> Result<Option<Timestamp>, ShelfError> {
        let first = self.mirror.shelf().scan(kept::DUE, None, 1)?;
        Ok(first.first().and_then(|(key, _)| kept::due_of(key)).map(|(at, ..)| at))
    }

    /// Brings every segment to this moment.
    ///
    /// # Errors
    /// The mirror cannot be read or written. What was done stays, and the next time goes on from there.
    pub fn catch_up(&self, segments: &[Segment], now: Timestamp) -> Result<Caught, ShelfError> {
        let Some(identity) = self.mirror.identity()? else { return Ok(Caught::default()) };
        let before: Place = self.get(kept::PLACE)?.unwrap_or_default();
        let mut place = Place { now: before.now.max(now), ..before };
        let anew = place.generation != identity.generation;
        if anew {
            place = Place { generation: identity.generation, changes: 0, ..place };
        }
        let mut work = Work { roll: self, now: place.now, open: Vec::new(), caught: Caught::default() };
        work.define(segments, anew)?;
        if anew {
            self.put(vec![put(kept::PLACE.to_vec(), &place)?])?;
        }
        work.look_at_everybody()?;
        work.look_at_changes(&mut place)?;
        work.look_at_news()?;
        work.look_at_due()?;
        // Where nothing was to be done, nothing is written.
        if work.caught.looks > 0 || place.changes != before.changes {
            self.put(vec![put(kept::PLACE.to_vec(), &place)?])?;
            self.mirror.shelf().settle()?;
        }
        Ok(work.caught)
    }

    fn kept(&self) -> Result<BTreeMap<String, KeptSegment>, ShelfError> {
        let rows = self.mirror.shelf().scan(kept::SEGMENTS, None, usize::MAX)?;
        let name = |key: &[u8]| String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
        rows.iter().map(|(key, value)| Ok((name(key), unseal(value)?))).collect()
    }

    fn standings(
        &self,
        number: u32,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, Standing)>, ShelfError> {
        let after = after.map(|record| kept::standing(number, record));
        let rows = self.mirror.shelf().scan(&kept::standings(number), after.as_deref(), limit)?;
        rows.iter().map(|(key, value)| Ok((record_in(key)?, unseal(value)?))).collect()
    }

    fn get<R: crate::journal::codec::Record>(&self, key: &[u8]) -> Result<Option<R>, ShelfError> {
        self.mirror.shelf().get(key)?.map(|bytes| unseal(&bytes)).transpose()
    }

    fn put(&self, changes: Changes) -> Result<(), ShelfError> {
        if changes.is_empty() { Ok(()) } else { self.mirror.shelf().put(changes) }
    }
}

/// Lets go of contacts, and of those with these addresses: what is known of them, and how they stood. Whether there was
/// anything. The caller sees to it that no byte of it stays.
///
/// # Errors
/// The mirror cannot be read or written. Doing it again is safe.
pub fn let_go(mirror: &Mirror, records: &[RecordId], hashes: &[SubscriberHash]) -> Result<bool, ShelfError> {
    let contacts = ObjectType::contacts();
    let mut ids: BTreeSet<RecordId> = records.iter().copied().collect();
    for row in mirror.live(&contacts) {
        let (id, live) = row?;
        let email = live.value("email").and_then(|text| Email::parse(text).ok());
        ids.extend(email.filter(|email| hashes.contains(&email.hash())).map(|_| id));
    }
    let roll = Roll::over(mirror)?;
    let _alone = mirror.write();
    let mut segments = roll.kept()?;
    let mut changes = Changes::new();
    for key in hashes.iter().map(|hash| kept::stray(*hash)) {
        if mirror.shelf().get(&key)?.is_some() {
            changes.push((key, None));
        }
    }
    for id in ids {
        for key in [kept::known(id), kept::news(id)] {
            if mirror.shelf().get(&key)?.is_some() {
                changes.push((key, None));
            }
        }
        for segment in segments.values_mut() {
            let key = kept::standing(segment.number, id);
            let Some(standing) = roll.get::<Standing>(&key)? else { continue };
            segment.size -= u64::from(standing.member).min(segment.size);
            segment.left += u64::from(standing.member);
            changes.extend(standing.until.map(|at| (kept::due(at, segment.number, id), None)));
            changes.push((key, None));
        }
    }
    let found = !changes.is_empty();
    if found {
        for (name, segment) in &segments {
            changes.push(put(kept::segment(name), segment)?);
        }
        roll.put(changes)?;
    }
    Ok(found)
}

/// Notes that everybody is to be looked at again for every segment: something is known now that nobody had read.
pub(super) fn look_again(mirror: &Mirror, changes: &mut Changes) -> Result<(), ShelfError> {
    for (key, value) in mirror.shelf().scan(kept::SEGMENTS, None, usize::MAX)? {
        let kept: KeptSegment = unseal(&value)?;
        changes.push(put(key, &KeptSegment { looking: Some(None), ..kept })?);
    }
    Ok(())
}

/// Where what is known comes from.
pub(super) fn source(mirror: &Mirror) -> Result<Option<Source>, ShelfError> {
    mirror.shelf().get(kept::SOURCE)?.map(|bytes| unseal(&bytes)).transpose()
}

pub(super) fn put<R: crate::journal::codec::Record>(
    key: Vec<u8>,
    record: &R,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ShelfError> {
    Ok((key, Some(seal(record)?)))
}

fn record_in(key: &[u8]) -> Result<RecordId, ShelfError> {
    kept::record_of(key).ok_or_else(|| ShelfError::Damaged("a key ends early".to_owned()))
}

/// A segment that is being looked after.
struct Open<'s> {
    segment: &'s Segment,
    kept: KeptSegment,
}

struct Work<'r, 'm, 's> {
    roll: &'r Roll<'m>,
    now: Timestamp,
    open: Vec<Open<'s>>,
    caught: Caught,
}

impl<'s> Work<'_, '_, 's> {
    /// Makes what is kept those segments and no others.
    fn define(&mut self, segments: &'s [Segment], anew: bool) -> Result<(), ShelfError> {
        let _alone = self.roll.mirror.write();
        let mut kept = self.roll.kept()?;
        let mut next = kept.values().map(|kept| kept.number).max().map_or(1, |last| last + 1);
        let mut changes = Changes::new();
        for segment in segments {
            let rule = segment.rule.to_string();
            let found = kept.remove(segment.name.as_str());
            let was = found.clone();
            let mut one = found.unwrap_or_else(|| {
                next += 1;
                KeptSegment {
                    number: next - 1,
                    rule: String::new(),
                    since: self.now,
                    size: 0,
                    entered: 0,
                    left: 0,
                    looking: Some(None),
                }
            });
            if one.rule != rule {
                one = KeptSegment { rule, since: self.now, looking: Some(None), ..one };
            }
            if anew {
                one.looking = Some(None);
            }
            if was.as_ref() != Some(&one) {
                changes.push(put(kept::segment(segment.name.as_str()), &one)?);
            }
            self.open.push(Open { segment, kept: one });
        }
        // A number is free again only when nothing of it is left, so its name goes last.
        for (name, gone) in kept {
            loop {
                let standings = self.roll.standings(gone.number, None, STEP)?;
                let mut removed = Changes::new();
                for (record, standing) in &standings {
                    removed.push((kept::standing(gone.number, *record), None));
                    removed.extend(standing.until.map(|at| (kept::due(at, gone.number, *record), None)));
                }
                self.roll.put(removed)?;
                if standings.len() < STEP {
                    break;
                }
            }
            changes.push((kept::segment(&name), None));
        }
        self.roll.put(changes)
    }

    /// Looks at somebody, or at the place where somebody was, for one segment.
    fn look(
        &mut self,
        at: usize,
        record: RecordId,
        one: Option<&One>,
        before: Option<Standing>,
        by_time: bool,
        changes: &mut Changes,
    ) -> Result<(), ShelfError> {
        let now = self.now;
        let Some(open) = self.open.get_mut(at) else { return Ok(()) };
        let mut standing = before;
        let mut step = |standing: &mut Option<Standing>, at: Timestamp| {
            let (after, turn) = match one {
                Some(one) => Standing::after(*standing, open.segment.rule.look(one, at), at),
                None if standing.is_some_and(|before| before.member) => (None, Turn::Left),
                None => (None, Turn::Stayed),
            };
            *standing = after;
            self.caught.looks += 1;
            match turn {
                Turn::Entered => {
                    open.kept.size += 1;
                    open.kept.entered += 1;
                    self.caught.entered += 1;
                }
                Turn::Left => {
                    open.kept.size = open.kept.size.saturating_sub(1);
                    open.kept.left += 1;
                    self.caught.left += 1;
                }
                Turn::Stayed => {}
            }
        };
        // By time alone somebody may have come and gone since: each turn counts at its own moment.
        while let Some(turn) = standing.and_then(|one| one.until).filter(|turn| by_time && *turn <= now) {
            step(&mut standing, turn);
        }
        if !by_time {
            step(&mut standing, now);
        }
        if standing == before {
            return Ok(());
        }
        let number = open.kept.number;
        let was_due = before.and_then(|one| one.until);
        let is_due = standing.and_then(|one| one.until);
        if was_due != is_due {
            changes.extend(was_due.map(|at| (kept::due(at, number, record), None)));
            changes.extend(is_due.map(|at| (kept::due(at, number, record), Some(Vec::new()))));
        }
        changes.push(match &standing {
            Some(standing) => put(kept::standing(number, record), standing)?,
            None => (kept::standing(number, record), None),
        });
        Ok(())
    }

    /// The segments as they stand, beside what was done to them.
    fn write(&self, mut changes: Changes) -> Result<(), ShelfError> {
        for open in &self.open {
            changes.push(put(kept::segment(open.segment.name.as_str()), &open.kept)?);
        }
        self.roll.put(changes)
    }

    fn look_for_all(&mut self, record: RecordId, changes: &mut Changes) -> Result<(), ShelfError> {
        let one = self.roll.people.one(record)?;
        for at in 0..self.open.len() {
            let number = self.open.get(at).map_or(0, |open| open.kept.number);
            let before = self.roll.get(&kept::standing(number, record))?;
            self.look(at, record, one.as_ref(), before, false, changes)?;
        }
        Ok(())
    }

    /// Everybody there is, beside everybody who stands somehow, for the segments that need it.
    fn look_at_everybody(&mut self) -> Result<(), ShelfError> {
        for at in 0..self.open.len() {
            while let Some((number, behind)) =
                self.open.get(at).and_then(|open| Some((open.kept.number, open.kept.looking?)))
            {
                let _alone = self.roll.mirror.write();
                let people = self.roll.people.some(behind, STEP)?;
                let standings = self.roll.standings(number, behind, STEP)?;
                let full = |len: usize| len == STEP;
                // As far as both have been read.
                let end = [
                    people.last().map(|one| one.record).filter(|_| full(people.len())),
                    standings.last().map(|(record, _)| *record).filter(|_| full(standings.len())),
                ];
                let end = end.into_iter().flatten().min();
                let within = |record: RecordId| end.is_none_or(|end| record <= end);
                let mut both: BTreeMap<RecordId, (Option<One>, Option<Standing>)> = BTreeMap::new();
                for one in people.into_iter().filter(|one| within(one.record)) {
                    let record = one.record;
                    both.entry(record).or_default().0 = Some(one);
                }
                for (record, standing) in standings.into_iter().filter(|(record, _)| within(*record)) {
                    both.entry(record).or_default().1 = Some(standing);
                }
                let mut changes = Changes::new();
                for (record, (one, before)) in both {
                    self.look(at, record, one.as_ref(), before, false, &mut changes)?;
                }
                if let Some(open) = self.open.get_mut(at) {
                    open.kept.looking = end.map(Some);
                }
                self.write(changes)?;
            }
        }
        Ok(())
    }

    fn look_at_changes(&mut self, place: &mut Place) -> Result<(), ShelfError> {
        loop {
            let _alone = self.roll.mirror.write();
            let rows = self.roll.mirror.changes(place.changes, STEP)?;
            let mut changes = Changes::new();
            for (_, changed) in rows.iter().filter(|(_, changed)| changed.kind == self.roll.contacts) {
                self.look_for_all(changed.id, &mut changes)?;
            }
            let Some((last, _)) = rows.last() else { return Ok(()) };
            place.changes = *last;
            changes.push(put(kept::PLACE.to_vec(), place)?);
            self.write(changes)?;
        }
    }

    fn look_at_news(&mut self) -> Result<(), ShelfError> {
        loop {
            let _alone = self.roll.mirror.write();
            let rows = self.roll.mirror.shelf().scan(kept::NEWS, None, STEP)?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut changes = Changes::new();
            for (key, _) in rows {
                self.look_for_all(record_in(&key)?, &mut changes)?;
                changes.push((key, None));
            }
            self.write(changes)?;
        }
    }

    fn look_at_due(&mut self) -> Result<(), ShelfError> {
        loop {
            let _alone = self.roll.mirror.write();
            let rows = self.roll.mirror.shelf().scan(kept::DUE, None, STEP)?;
            let now = self.now;
            let due = rows.iter().filter_map(|(key, _)| kept::due_of(key)).filter(|(at, ..)| *at <= now);
            let mut changes = Changes::new();
            for (when, number, record) in due {
                let of_number = self.open.iter().position(|open| open.kept.number == number);
                let before: Option<Standing> = self.roll.get(&kept::standing(number, record))?;
                match (of_number, before) {
                    (Some(at), Some(before)) if before.until == Some(when) => {
                        let one = self.roll.people.one(record)?;
                        self.look(at, record, one.as_ref(), Some(before), true, &mut changes)?;
                    }
                    // Of nobody: it was left behind.
                    _ => changes.push((kept::due(when, number, record), None)),
                }
            }
            if changes.is_empty() {
                return Ok(());
            }
            self.write(changes)?;
        }
    }
}
