//! What the next run would do with one person: the rules on the newest snapshot, in a sentence.

use super::super::App;
use super::Told;
use super::held::Seen;
use crate::domain::moves::Move;
use crate::domain::person::Person;
use crate::domain::rules::{AddressConsent, AddressView, Decision, Question, Verdict};
use crate::serve::why::NextView;
use crate::sync::identify::{Renames, is_second};
use crate::sync::judging::{Asked, Lost, judge, world};
use crate::sync::naming::names_under;
use crate::sync::preflight;
use crate::sync::snapshot::{LookedUp, PersonRow};
use crate::sync::workspace::ApplyMode;
use std::collections::BTreeSet;
use std::sync::PoisonError;

/// What comes next for the person.
pub async fn next(app: &App, person: &Person, moves: &[Told], seen: Option<&Seen>) -> NextView {
    let mut view = NextView { seen: None, what: String::new(), steps: Vec::new(), waits_for: Vec::new() };
    let open: Vec<&Told> = moves.iter().filter(|told| !told.status.is_over()).collect();
    let Some(seen) = seen else {
        view.what = "nothing can be said before a scan: `hsmc plan` makes one".to_owned();
        return view;
    };
    view.seen = Some((seen.run, seen.snapshot.header().seen));
    if let Some(told) = open.iter().find(|told| told.status.is_stuck()) {
        view.what =
            format!("{} {} is stuck; the next run tries it once more", told.status.draft.kind, told.id);
        view.waits_for
            .push(format!("`hsmc status {}` tells why, and whether to retry, skip or roll back", told.id));
    } else if let Some(told) = open.iter().find(|told| told.status.has_begun()) {
        view.what = format!("{} {} goes on first", told.status.draft.kind, told.id);
    } else {
        let Some(row) = &seen.row else {
            view.what = format!("nothing: run {}'s scan does not show them", seen.run);
            return view;
        };
        say(app, person, seen, row, &mut view).await;
    }
    if !view.steps.is_empty() {
        view.waits_for.extend(waits(app));
    }
    view
}

/// The rules' verdict, in words.
async fn say(app: &App, person: &Person, seen: &Seen, row: &PersonRow, view: &mut NextView) {
    let accounts = match preflight::glance(&app.workspace).await {
        Ok(accounts) => accounts,
        Err(problem) => {
            view.waits_for.push(format!("{problem}; said without knowing the accounts' fields"));
            preflight::Accounts::of(&app.workspace, &[], Vec::new())
        }
    };
    let (rules, header) = (&app.workspace.rules, seen.snapshot.header());
    let names = names_under(&app.workspace.shared.journal, rules, header).unwrap_or_default();
    let world = world(header, &accounts, &names);
    let member = seen.member.as_ref();
    // As the plan does; whose member has moved away is known to a run only.
    let journal = &app.workspace.shared.journal;
    let address = match is_second(journal, &seen.snapshot, &Renames::NOBODY, row, member) {
        Ok(true) => AddressView::Second,
        Ok(false) => AddressView::Own,
        Err(problem) => {
            view.what = format!("nothing can be said: {problem}");
            return;
        }
    };
    let mut row = row.clone();
    let (mut proof, mut lost): (Option<BTreeSet<_>>, _) = (None, None);
    let mut address_consent = AddressConsent::NotAsked;
    // What only a read can tell is taken as the scan has it, and named as a condition.
    for _ in 0..4 {
        match judge(
            rules,
            &world,
            &row,
            person,
            member,
            Asked { proof: proof.as_ref(), lost, address, address_consent },
        ) {
            Verdict::Settled(decision) => return decided(person, &decision, view),
            Verdict::Ask(Question::LookUp) => {
                row.looked_up = Some(LookedUp { at: world.seen, record: None });
                view.waits_for.push("HubSpot's word that nobody there has this address".to_owned());
            }
            Verdict::Ask(Question::Trace) => {
                lost = Some(Lost::Gone);
                view.waits_for.push("HubSpot's word that their record is deleted".to_owned());
            }
            Verdict::Ask(Question::Consent) => {
                address_consent = AddressConsent::NotOptedOut;
                view.waits_for.push("HubSpot's word that the address they had has not opted out".to_owned());
            }
            Verdict::Ask(Question::Prove) => {
                proof = Some(row.contacts.iter().flat_map(|(_, lists)| lists.keys().copied()).collect());
                view.waits_for
                    .push("HubSpot's word that they are in no other list than the scan saw".to_owned());
            }
        }
    }
    view.what = "it asks HubSpot, and then decides".to_owned();
}

fn decided(person: &Person, decision: &Decision, view: &mut NextView) {
    match &decision.due {
        Some(due) => {
            let Move { kind, reason, steps, .. } = due;
            view.what = format!("{kind}: {} {}; then {}", reason.rule, reason.text, decision.state);
            view.steps = steps.iter().map(|planned| planned.step.to_string()).collect();
        }
        None if decision.state == person.state => {
            view.what = format!("nothing: {} ({})", decision.state, decision.why);
        }
        None => view.what = format!("changes nothing; they are {} then ({})", decision.state, decision.why),
    }
    view.waits_for.extend(decision.notes.iter().map(|note| format!("to be read: {note}")));
}

/// What stands between a plan and its being done.
fn waits(app: &App) -> Vec<String> {
    let mut lines = Vec::new();
    match app.workspace.settings.apply {
        ApplyMode::Never => lines.push("apply = \"never\" in the config: nothing is applied".to_owned()),
        ApplyMode::Ask => lines.push("a yes: apply = \"ask\" in the config".to_owned()),
        ApplyMode::Always => {}
    }
    if let Some(due) = *app.next_run_at.lock().unwrap_or_else(PoisonError::into_inner) {
        lines.push(format!("the next run, due {due}"));
    }
    lines
}
