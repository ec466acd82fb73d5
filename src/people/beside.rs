//! Takes over what a scan saw of people beside their contacts, and in which state hsmc has them, record by record, so
//! that it can be read in the order of records. Whoever differs from before is noted for segments to look at.

use super::kept::{self, KeptKnown, Passes, Source};
use super::one::Known;
use super::roll::{look_again, put, source};
use crate::domain::id::{ListId, RecordId, RunId};
use crate::domain::time::Timestamp;
use crate::mirror::shelf::{Changes, ShelfError};
use crate::mirror::{Mirror, unseal};
use std::collections::BTreeSet;

/// People taken over in one step.
const STEP: usize = 500;

/// A scan to be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The run it was of.
    pub run: RunId,
    /// When it began.
    pub at: Timestamp,
    /// The lists it has read.
    pub lists: BTreeSet<ListId>,
}

/// Whether a scan has been taken over already.
///
/// # Errors
/// The mirror cannot be read.
pub fn is_known(mirror: &Mirror, seen: &Seen) -> Result<bool, ShelfError> {
    Ok(source(mirror)?
        .is_some_and(|known| (known.run, known.seen, &known.lists) == (seen.run, seen.at, &seen.lists)))
}

/// Takes a scan over: everybody it saw; nobody else is anything beside their contact any more. A crash on the way
/// leaves it to be done again.
///
/// # Errors
/// The people cannot be read, or the mirror not read or written.
pub fn take_over<E: From<ShelfError>>(
    mirror: &Mirror,
    seen: &Seen,
    people: impl Iterator<Item = Result<(RecordId, Known), E>>,
) -> Result<(), E> {
    let before = source(mirror)?;
    // Counted before anything is stamped with it: what an attempt that broke off has stamped is not of this one.
    let Passes(last) =
        mirror.shelf().get(kept::PASSES)?.map(|bytes| unseal(&bytes)).transpose()?.unwrap_or_default();
    let pass = last + 1;
    {
        let _alone = mirror.write();
        mirror.shelf().put(vec![put(kept::PASSES.to_vec(), &Passes(pass))?])?;
    }
    let mut people = people.peekable();
    while people.peek().is_some() {
        let rows: Vec<(RecordId, Known)> = people.by_ref().take(STEP).collect::<Result<_, E>>()?;
        let _alone = mirror.write();
        let mut changes = Changes::new();
        for (record, known) in rows {
            let key = kept::known(record);
            let old = mirror.shelf().get(&key)?.map(|bytes| unseal::<KeptKnown>(&bytes)).transpose()?;
            if old.is_none_or(|old| old.known != known) {
                changes.push((kept::news(record), Some(Vec::new())));
            }
            changes.push(put(key, &KeptKnown { pass, known })?);
        }
        mirror.shelf().put(changes)?;
    }
    let _alone = mirror.write();
    let mut changes = Changes::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = mirror.shelf().scan(kept::KNOWN, after.as_deref(), STEP)?;
        for (key, value) in &rows {
            if unseal::<KeptKnown>(value)?.pass != pass {
                changes.extend(kept::record_of(key).map(|record| (kept::news(record), Some(Vec::new()))));
                changes.push((key.clone(), None));
            }
        }
        if !changes.is_empty() {
            mirror.shelf().put(std::mem::take(&mut changes))?;
        }
        match rows.last() {
            Some((last, _)) if rows.len() == STEP => after = Some(last.clone()),
            _ => break,
        }
    }
    // What nobody had read before is another answer for those, too, of whom nothing was seen.
    if before.is_none_or(|before| before.lists != seen.lists) {
        look_again(mirror, &mut changes)?;
    }
    let source = Source { run: seen.run, seen: seen.at, lists: seen.lists.clone() };
    changes.push(put(kept::SOURCE.to_vec(), &source)?);
    Ok(mirror.shelf().put(changes)?)
}
