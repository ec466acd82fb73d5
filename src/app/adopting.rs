//! Adoption: an operator settles that archived members may be subscribed again (R6).
//!
//! Promises: what is settled is the archive that the newest scan has seen, and no later one; each adoption is evidence.
//! Never: a call that changes something, or somebody who has opted out.

use super::App;
use super::control::Done;
use crate::domain::consent::{ConsentChange, ConsentEntry, ConsentFact, Witness};
use crate::domain::port::Priority;
use crate::journal::store::Batch;
use crate::serve::requests::AdoptRequest;
use crate::serve::views::Acknowledgement;
use crate::sync::error::RunError;
use crate::sync::snapshot::{self, PersonKey};

impl App {
    /// Settles that archived members may be restored (R6).
    ///
    /// # Errors
    /// The journal cannot be written, or a list cannot be read.
    pub async fn adopt(&self, request: AdoptRequest) -> Done<Acknowledgement> {
        let journal = &self.workspace.shared.journal;
        let (mut people, mut left_out) = (Vec::new(), Vec::new());
        match request {
            AdoptRequest::People(addresses) => {
                for address in addresses {
                    match self.person(&address) {
                        Ok(person) => people.push(person),
                        Err(trouble) => left_out.push(format!("{address}: {}", trouble.message)),
                    }
                }
            }
            AdoptRequest::List(list) => {
                let crm = &self.workspace.shared.crm;
                let mut after = None;
                loop {
                    let page = crm
                        .memberships(Priority::Scan, list, after.as_deref())
                        .await
                        .map_err(RunError::from)?;
                    for row in page.rows {
                        match journal
                            .person_by_record(row.record)?
                            .map(|id| journal.person(id))
                            .transpose()?
                            .flatten()
                        {
                            Some(person) => people.push(person),
                            None => left_out.push(format!("record {}: not seen yet", row.record)),
                        }
                    }
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
            }
        }
        let (mut batch, mut entries) = (Batch::new(), Vec::new());
        let mut adopted = 0;
        let (at, operator) = (self.workspace.shared.clock.now(), Witness::Operator);
        let theirs = self.workspace.mailchimp.clock_offset();
        let snapshots = self.workspace.settings.state.join("snapshots");
        let picture = snapshot::newest_finished(&snapshots, None).map_err(RunError::from)?;
        for person in people {
            if person.opt_out.is_some() {
                left_out.push(format!("person {}: opted out, and stays so", person.id));
                continue;
            }
            let mut after = person.clone();
            let seen = match (&picture, person.member_email()) {
                (Some(picture), Some(email)) => {
                    picture.person(PersonKey::Hash(email.hash())).map_err(RunError::from)?
                }
                _ => None,
            };
            after.adopt(seen.and_then(|row| row.member?.changed).unwrap_or_else(|| theirs.of_theirs(at)));
            journal.put_person(&mut batch, &after, Some(&person))?;
            let fact = ConsentFact::seen(ConsentChange::Adopted, at, operator, "archived", "command");
            entries.push(ConsentEntry { person: person.id, email: person.email.clone(), fact });
            adopted += 1;
        }
        self.workspace.shared.consent.commit(batch, entries).await?;
        Ok(Acknowledgement {
            message: format!(
                "{}: who is archived, bears no protected tag and is in a source list is subscribed again by the next run",
                if adopted == 1 {
                    "1 person is adopted".to_owned()
                } else {
                    format!("{adopted} people are adopted")
                }
            ),
            left_out,
        })
    }
}
