//! Takes over what a scan saw of people beside their contacts, and in which state hsmc has them, record by record, so
//! that it can be read in the order of records. Members without a contact that the scan saw are kept by their address:
//! the mirror may have the contact, now or later. Whoever differs from before is noted for segments to look at.

use super::kept::{self, KeptKnown, KeptStray, Passes, Source};
use super::one::Known;
use super::roll::{look_again, put, source};
use crate::domain::email::Email;
use crate::domain::id::{ListId, RecordId, RunId};
use crate::domain::object::ObjectType;
use crate::domain::time::Timestamp;
use crate::journal::codec::Record;
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

/// Of whom something is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of a contact.
    Contact(RecordId),
    /// Of a member with this address, who has no contact that the scan saw.
    Address(Email),
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
    people: impl Iterator<Item = Result<(Whose, Known), E>>,
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
        let rows: Vec<(Whose, Known)> = people.by_ref().take(STEP).collect::<Result<_, E>>()?;
        let mut changes = Changes::new();
        let mut news = BTreeSet::new();
        for (whose, known) in rows {
            match whose {
                Whose::Contact(record) => {
                    let key = kept::known(record);
                    let old = read::<KeptKnown>(mirror, &key)?;
                    news.extend(old.is_none_or(|old| old.known != known).then_some(record));
                    changes.push(put(key, &KeptKnown { pass, known })?);
                }
                Whose::Address(email) => {
                    let key = kept::stray(email.hash());
                    if read::<KeptStray>(mirror, &key)?.is_none_or(|old| old.known != known) {
                        news.extend(with_address(mirror, &email)?);
                    }
                    changes.push(put(key, &KeptStray { pass, email, known })?);
                }
            }
        }
        changes.extend(news.into_iter().map(|record| (kept::news(record), Some(Vec::new()))));
        let _alone = mirror.write();
        mirror.shelf().put(changes)?;
    }
    forget_older(mirror, kept::KNOWN, |key, value| {
        let is_older = unseal::<KeptKnown>(value)?.pass != pass;
        Ok(is_older.then(|| kept::record_of(key).into_iter().collect()))
    })?;
    forget_older(mirror, kept::STRAYS, |_, value| {
        let stray = unseal::<KeptStray>(value)?;
        (stray.pass != pass).then(|| with_address(mirror, &stray.email)).transpose()
    })?;
    let mut changes = Changes::new();
    let _alone = mirror.write();
    // What nobody had read before is another answer for those, too, of whom nothing was seen.
    if before.is_none_or(|before| before.lists != seen.lists) {
        look_again(mirror, &mut changes)?;
    }
    let source = Source { run: seen.run, seen: seen.at, lists: seen.lists.clone() };
    changes.push(put(kept::SOURCE.to_vec(), &source)?);
    Ok(mirror.shelf().put(changes)?)
}

fn read<R: Record>(mirror: &Mirror, key: &[u8]) -> Result<Option<R>, ShelfError> {
    mirror.shelf().get(key)?.map(|bytes| unseal(&bytes)).transpose()
}

/// The contacts of the mirror that have an address.
fn with_address(mirror: &Mirror, email: &Email) -> Result<Vec<RecordId>, ShelfError> {
    let found = mirror.with_value(&ObjectType::contacts(), "email", email.as_str())?;
    Ok(found.unwrap_or_default())
}

/// Lets go of what earlier takings-over left under these keys, as `older` tells: whom it was about, or none where it is
/// of the last one.
fn forget_older(
    mirror: &Mirror,
    prefix: &[u8],
    older: impl Fn(&[u8], &[u8]) -> Result<Option<Vec<RecordId>>, ShelfError>,
) -> Result<(), ShelfError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = mirror.shelf().scan(prefix, after.as_deref(), STEP)?;
        let mut changes = Changes::new();
        for (key, value) in &rows {
            if let Some(records) = older(key, value)? {
                changes.extend(records.into_iter().map(|record| (kept::news(record), Some(Vec::new()))));
                changes.push((key.clone(), None));
            }
        }
        if !changes.is_empty() {
            let _alone = mirror.write();
            mirror.shelf().put(changes)?;
        }
        match rows.last() {
            Some((last, _)) if rows.len() == STEP => after = Some(last.clone()),
            _ => return Ok(()),
        }
    }
}
