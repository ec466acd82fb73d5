//! `forget`: somebody is deleted for good on both sides and here, and a receipt says what that covers.

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::email::Email;
use crate::domain::failure::Service;
use crate::domain::forget::Receipt;
use crate::domain::id::{MoveId, PersonId};
use crate::serve::forget::{ForgetRequest, ForgetState, ForgetView};
use crate::serve::requests::Trouble;
use crate::sync::forgetting::{self, Found, Outcome};
use crate::sync::preflight;

/// What stays although somebody is forgotten, wherever it is not ours to delete.
const KEPT: [&str; 4] = [
    "here: the evidence of their consent, under a number that leads to nobody any more (`hsmc consent verify`)",
    "here: a keyed hash of the address, the date, and whether they had opted out, so that they are left alone if they come again",
    "Mailchimp: that the address was deleted, so that nobody can import it again; they can sign up themselves",
    "HubSpot: opt-outs are kept by address; what other tools have copied out of either account is theirs to delete",
];

impl App {
    /// Forgets somebody, or says what that would do.
    ///
    /// # Errors
    /// It is no address; a service or the state directory fails. What was begun goes on.
    pub async fn forget(&self, request: ForgetRequest) -> Done<ForgetView> {
        let email = Email::as_given(&request.address)
            .map_err(|why| Trouble::usage(Code::NoAddress, why.to_string()))?;
        preflight::right_accounts(&self.workspace).await?;
        if request.dry_run {
            let found = forgetting::look(&self.workspace, &email).await?;
            let person = found.person.as_ref().map(|person| person.id);
            let view = self.view(ForgetState::Planned, person, found.under_way);
            return Ok(planned(view, &found));
        }
        match forgetting::forget(&self.workspace, &email).await? {
            Outcome::Before(at) => {
                Ok(ForgetView { at: Some(at), ..self.view(ForgetState::Before, None, None) })
            }
            Outcome::Done(receipts) => {
                let last = receipts.last();
                let (person, by) = (last.map(|last| last.person), last.map(|last| last.by));
                Ok(done(self.view(ForgetState::Forgotten, person, by), &receipts))
            }
            Outcome::GoesOn { id, why, stuck, found } => {
                let person = found.person.as_ref().map(|person| person.id);
                let state = if stuck { ForgetState::Stuck { why } } else { ForgetState::GoesOn { why } };
                Ok(planned(self.view(state, person, Some(id)), &found))
            }
        }
    }

    fn view(&self, state: ForgetState, person: Option<PersonId>, id: Option<MoveId>) -> ForgetView {
        ForgetView {
            state,
            person,
            id,
            at: None,
            mailchimp: Vec::new(),
            hubspot: Vec::new(),
            here: Vec::new(),
            kept: KEPT.map(str::to_owned).to_vec(),
            copies: self.copies(),
        }
    }

    /// Whatever stands beside the state directory under a name that begins with its own: a copy, most likely.
    fn copies(&self) -> Vec<String> {
        let Ok(state) = std::path::absolute(&self.state) else { return Vec::new() };
        let (Some(beside), Some(name)) = (state.parent(), state.file_name().and_then(|name| name.to_str()))
        else {
            return Vec::new();
        };
        let found = std::fs::read_dir(beside).into_iter().flatten().flatten();
        let names = found.filter_map(|entry| entry.file_name().into_string().ok());
        let mut copies: Vec<String> = names
            .filter(|other| other != name && other.starts_with(name))
            .map(|other| beside.join(other).display().to_string())
            .collect();
        copies.sort();
        copies
    }
}

fn planned(view: ForgetView, found: &Found) -> ForgetView {
    let steps = found.all_steps();
    let of = |service: Service| -> Vec<String> {
        let here = steps.iter().filter(|planned| planned.step.target().service() == Some(service));
        here.map(|planned| planned.step.to_string()).collect()
    };
    let here = match &found.person {
        Some(_) => {
            "their record, what leads to it, their past states, their rows in scan snapshots, and every older copy of these in the journal"
        }
        None => "nothing is known of them",
    };
    ForgetView {
        mailchimp: of(Service::Mailchimp),
        hubspot: of(Service::HubSpot),
        here: vec![here.to_owned()],
        ..view
    }
}

fn done(view: ForgetView, receipts: &[Receipt]) -> ForgetView {
    let of = |wanted: Service| -> Vec<String> {
        let done = receipts.iter().flat_map(|receipt| &receipt.done);
        done.filter(|(service, _)| *service == wanted).map(|(_, what)| what.clone()).collect()
    };
    let lines: u64 = receipts.iter().map(|receipt| receipt.lines).sum();
    let snapshots = receipts.iter().map(|receipt| receipt.snapshots).max().unwrap_or(0);
    ForgetView {
        at: receipts.iter().filter_map(|receipt| receipt.ended).max(),
        mailchimp: of(Service::Mailchimp),
        hubspot: of(Service::HubSpot),
        here: vec![
            "record, address and record indexes, merge-field values, salt of the evidence: deleted"
                .to_owned(),
            format!("past states and audit lines deleted: {lines}"),
            format!("scan snapshots without them now: {snapshots}"),
            "log segments, snapshots and index of the journal: written anew".to_owned(),
            "logs, summary, saved plans and reports: never held an address".to_owned(),
        ],
        ..view
    }
}
