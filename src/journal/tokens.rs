//! Tokens of the HTTP API, each a single value under its id.
//!
//! Never: a secret; what is kept is its hash.

use super::codec;
use super::ledger::{Journal, JournalResult, in_table};
use super::store::{Batch, Table};
use crate::domain::token::{Token, TokenId};

const NAMES: &str = "token ";

fn name(id: TokenId) -> String {
    format!("{NAMES}{id}")
}

/// The token of an id.
///
/// # Errors
/// The index, or the record, cannot be read.
pub fn of(journal: &Journal, id: TokenId) -> JournalResult<Option<Token>> {
    journal.meta_get(&name(id))
}

/// Every token, the oldest first.
///
/// # Errors
/// The index, or a record, cannot be read.
pub fn all(journal: &Journal) -> JournalResult<Vec<Token>> {
    let mut found: Vec<Token> = Vec::new();
    for (key, _) in journal.store().scan(Table::Meta, NAMES.as_bytes(), None, usize::MAX)? {
        let name = in_table(
            Table::Meta,
            String::from_utf8(key).map_err(|_| codec::DecodeError::Malformed { kind: "key" }),
        )?;
        found.extend(journal.meta_get(&name)?);
    }
    found.sort_by_key(|token| (token.created, token.id));
    Ok(found)
}

/// Keeps a token, in the place of what was kept under its id.
///
/// # Errors
/// The record is too long.
pub fn put(journal: &Journal, batch: &mut Batch, token: &Token) -> JournalResult<()> {
    journal.meta_put(batch, &name(token.id), token)
}
