//! Everything that befell a person, oldest first: states, moves with every call and answer, evidence.

use super::super::show;
use super::Told;
use crate::domain::audit::AuditLine;
use crate::domain::consent::{ConsentFact, Witness};
use crate::domain::event::MoveEvent;
use crate::domain::id::MoveId;
use crate::domain::person::PastState;
use crate::domain::time::Timestamp;
use crate::serve::why::EventView;

/// The timeline. Moves whose records cannot be read are named first.
pub fn timeline(
    moves: &[Told],
    given_up: &[(MoveId, AuditLine)],
    unreadable: &[MoveId],
    states: Vec<PastState>,
    evidence: Vec<ConsentFact>,
) -> Vec<EventView> {
    let mut events: Vec<EventView> = unreadable
        .iter()
        .map(|id| EventView {
            at: Timestamp::default(),
            what: format!("move {id}: its records cannot be read"),
            details: vec!["the person gets no other move until it is settled, but an opt-out".to_owned()],
        })
        .collect();
    events.extend(states.into_iter().map(|state| EventView {
        at: state.since,
        what: format!("{} until {}", state.state, state.until),
        details: vec![state.why],
    }));
    events.extend(given_up.iter().map(|(id, line)| EventView {
        at: line.planned,
        what: format!("{} {id}: {}", line.kind, line.end),
        details: vec![
            format!("{} {}", line.rule, line.reason),
            format!("steps: {}", line.steps.join("; ")),
            format!("details were given up on {}", line.given_up),
        ],
    }));
    events.extend(moves.iter().filter_map(of_move));
    events.extend(evidence.iter().map(|evidence| EventView {
        at: evidence.at,
        what: evidence_line(evidence),
        details: Vec::new(),
    }));
    // Stable: what happened in the same moment stays in the order above.
    events.sort_by_key(|event| event.at);
    events
}

fn of_move(told: &Told) -> Option<EventView> {
    let at = told.events.iter().find_map(|event| match event {
        MoveEvent::Planned { at, .. } => Some(*at),
        _ => None,
    })?;
    let draft = &told.status.draft;
    let mut details = vec![format!("{} {}", draft.reason.rule, draft.reason.text)];
    details.extend(show::events(&told.status, &told.events));
    Some(EventView {
        at,
        what: format!("{} {}: {}", draft.kind, told.id, show::standing(&told.status)),
        details,
    })
}

/// One piece of evidence in one line: what was seen where, what was called, what was answered.
fn evidence_line(evidence: &ConsentFact) -> String {
    let mut line = match evidence.seen {
        Witness::Service(service) => {
            format!("evidence: {} in {service} (by {})", evidence.status, evidence.source)
        }
        Witness::Operator => format!("evidence: {} by an operator (by {})", evidence.change, evidence.source),
    };
    if let Some(called) = &evidence.called {
        line.push_str(&format!("; called \"{called}\""));
    }
    if let Some(answer) = &evidence.answer {
        line.push_str(&format!(", answered {answer}"));
    }
    if let Some(basis) = &evidence.legal_basis {
        line.push_str(&format!(", basis {basis}"));
    }
    if let Some(by) = evidence.by {
        line.push_str(&format!(", move {by}"));
    }
    line
}
