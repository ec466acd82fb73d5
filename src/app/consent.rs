//! `consent`: the evidence of one person, and whether the chain holds (R23).

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::port::long_work;
use crate::journal::consent::{ChainCheck, KeptLink};
use crate::serve::consent::{BreakView, ChainView, ConsentView, LinkView};

impl App {
    /// What the chain holds of a person, oldest first.
    ///
    /// # Errors
    /// Nobody has that address, or the journal cannot be read.
    pub async fn consent_of(&self, address: &str) -> Done<ConsentView> {
        let ledger = &self.workspace.shared.consent;
        ledger.ready().await?;
        let (email, person) = self.known(address)?;
        let mut links = Vec::new();
        for KeptLink { link, hash } in ledger.of_person(person.id)? {
            let is_of_address = match &email {
                Some(email) => ledger.commits_to(&link, email)?,
                None => None,
            };
            let fact = link.fact;
            links.push(LinkView {
                place: link.place,
                change: fact.change.word().to_owned(),
                at: fact.at,
                seen: fact.seen.to_string(),
                status: fact.status,
                source: fact.source,
                called: fact.called,
                answer: fact.answer,
                legal_basis: fact.legal_basis,
                explanation: fact.explanation,
                by: fact.by,
                is_of_address,
                hash: hash.to_string(),
            });
        }
        let address =
            email.map_or_else(|| format!("person {}", person.id), |email| email.as_str().to_owned());
        Ok(ConsentView { person: person.id, address, links })
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn verify_consent(&self) -> Done<ChainView> {
        let ledger = self.workspace.shared.consent.clone();
        ledger.ready().await?;
        let ChainCheck { links, first, last, head, broken } =
            long_work(self.workspace.shared.hands.as_ref(), move |_| ledger.verify()).await??;
        Ok(ChainView {
            links,
            first,
            last,
            head: head.map(|hash| hash.to_string()),
            broken: broken.map(|broken| BreakView {
                code: Code::EvidenceBroken,
                place: broken.place,
                what: broken.what,
            }),
        })
    }
}
