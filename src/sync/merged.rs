//! Members of people whose contact was merged into another one, and who were given another address in Mailchimp: nothing
//! shows the address any more that they were known under.
//!
//! Promises: they are judged where their member stands, with the contact that theirs has become. Never: two people made
//! of them, or their opt-out left with nobody.

use super::error::RunError;
use super::snapshot::{PersonKey, PersonRow, Snapshot};
use crate::domain::email::Email;
use crate::domain::person::Person;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::BTreeMap;

/// Whoever was merged away while their member has an address that their contact did not have stands where that member
/// does. Those of whom no member stands where they are remembered, by the number of the one they had.
pub(super) async fn settled_or_astray(
    journal: &Journal,
    snapshot: &Snapshot,
    merged: Vec<Person>,
) -> Result<BTreeMap<String, Person>, RunError> {
    let with_member = |email: &Option<Email>| -> Result<Option<PersonRow>, RunError> {
        let Some(email) = email else { return Ok(None) };
        Ok(snapshot.person(PersonKey::Hash(email.hash()))?.filter(|row| row.member.is_some()))
    };
    let (mut elsewhere, mut astray) = (Vec::new(), BTreeMap::new());
    for person in merged {
        if with_member(&person.email)?.is_some() {
            continue;
        }
        match (with_member(&person.previous_email)?, &person.contact_id) {
            (Some(row), _) => elsewhere.push((person, row)),
            (None, Some(number)) => {
                astray.insert(number.clone(), person);
            }
            (None, None) => {}
        }
    }
    settle_there(journal, elsewhere).await?;
    Ok(astray)
}

/// They stand where these rows' members do, durably.
pub(super) async fn settle_there(journal: &Journal, found: Vec<(Person, PersonRow)>) -> Result<(), RunError> {
    let mut batch = Batch::new();
    for (person, row) in found {
        let email = row.member.map(|member| member.email);
        let after = Person { email, previous_email: None, moved: None, ..person.clone() };
        journal.put_person(&mut batch, &after, Some(&person))?;
    }
    if !batch.is_empty() {
        journal.commit(batch).await?;
    }
    Ok(())
}
