//! What an event of a move tells of a person's consent (R23), as a pure function: the evidence before a call,
//! what the call said, a bounce noted, a member restored.

use crate::domain::consent::{ConsentChange, ConsentFact, Witness};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, OperatorRequest, StepOutcome};
use crate::domain::failure::Service;
use crate::domain::id::MoveId;
use crate::domain::moves::{Move, MoveKind};
use crate::domain::port::OptOutBasis;
use crate::domain::step::Step;
use crate::domain::time::Timestamp;

/// The fact that an event of a move is evidence of, if it is of any.
pub fn evidence(id: MoveId, draft: &Move, event: &MoveEvent, basis: &OptOutBasis) -> Option<ConsentFact> {
    match event {
        MoveEvent::Outcome { step, direction: Direction::Forward, outcome, at } => {
            let step = &draft.step(*step)?.step;
            let answer = match outcome {
                StepOutcome::Done => "done",
                StepOutcome::AlreadyHeld => "held already",
                _ => return None,
            };
            of_step(id, draft, step, answer, *at, basis)
        }
        // From then on nobody tells the other side: the chain says who decided that.
        MoveEvent::Operator { request: OperatorRequest::Skip, at } if draft.kind.is_opt_out() => {
            let change = ConsentChange::OptOutSkipped;
            let fact = ConsentFact::seen(change, *at, Witness::Operator, "not delivered", "command");
            Some(ConsentFact { by: Some(id), ..fact })
        }
        MoveEvent::Ended { end: MoveEnd::Done, at } => {
            let change = match draft.kind {
                MoveKind::Bounce => ConsentChange::BounceNoted,
                MoveKind::Forget => ConsentChange::Forgotten,
                _ => return None,
            };
            let steps: Vec<String> = draft.steps.iter().map(|planned| planned.step.to_string()).collect();
            let called = (!steps.is_empty()).then(|| steps.join("; "));
            let answer = called.is_some().then(|| "done".to_owned());
            Some(ConsentFact { called, answer, ..seen(change, id, draft, *at) })
        }
        _ => None,
    }
}

fn of_step(
    id: MoveId,
    draft: &Move,
    step: &Step,
    answer: &str,
    at: Timestamp,
    basis: &OptOutBasis,
) -> Option<ConsentFact> {
    let called = Some(step.to_string());
    let answer = Some(answer.to_owned());
    match step {
        Step::RecordEvidence => Some(seen(ConsentChange::OptOutSeen, id, draft, at)),
        // HubSpot is given a basis with the call; Mailchimp takes none.
        Step::OptOut { .. } => Some(ConsentFact {
            called,
            answer,
            legal_basis: Some(basis.legal_basis.clone()),
            explanation: Some(basis.explanation.clone()),
            ..seen(ConsentChange::OptOutDelivered, id, draft, at)
        }),
        Step::UnsubscribeMember => {
            Some(ConsentFact { called, answer, ..seen(ConsentChange::OptOutDelivered, id, draft, at) })
        }
        Step::RestoreMember { .. } | Step::ReturnMember { .. } => {
            Some(ConsentFact { called, answer, ..seen(ConsentChange::Restored, id, draft, at) })
        }
        _ => None,
    }
}

/// Where, and as what, the cause of a move was read.
fn seen(change: ConsentChange, id: MoveId, draft: &Move, at: Timestamp) -> ConsentFact {
    let (seen, status, source) = match draft.kind {
        MoveKind::Forget => (Witness::Operator, "asked to be forgotten", "command"),
        MoveKind::OptOutHubSpot => (Witness::Service(Service::Mailchimp), "unsubscribed", "scan"),
        MoveKind::Bounce => (Witness::Service(Service::Mailchimp), "cleaned", "scan"),
        MoveKind::Undo => (Witness::Operator, "undone", "command"),
        MoveKind::Restore if draft.reason.text.starts_with("adopted") => {
            (Witness::Operator, "adopted", "command")
        }
        MoveKind::Restore => {
            (Witness::Service(Service::Mailchimp), "archived by hsmc while subscribed", "scan")
        }
        _ => (Witness::Service(Service::HubSpot), "hs_email_optout", "scan"),
    };
    let fact = ConsentFact::seen(change, at, seen, status, source);
    ConsentFact { by: Some(id), ..fact }
}
