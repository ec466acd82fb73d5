//! From views to text: pure, so that the same view gives the same lines. No clock: "ago" and "in" are
//! counted from the view's own moment.

mod alerts;
mod bench;
mod check;
mod config;
mod consent;
mod detail;
mod explain;
mod forget;
mod lists;
mod parked;
mod plan;
mod pull;
mod report;
mod runs;
mod segments;
mod snapshots;
mod state;
mod status;
mod tokens;
mod undo;
mod webhooks;
mod why;

pub use alerts::tested;
pub use bench::bench;
pub use check::check;
pub use config::{explained, keys, settings};
pub use consent::{chain, consent};
pub use detail::moves;
pub use explain::{codes, page};
pub use forget::forget;
pub use lists::{list_names, lists};
pub use parked::parked;
pub use plan::plan;
pub use pull::{cleared, pull_history, pulled};
pub use report::report;
pub use runs::runs;
pub use segments::{segment, segments};
pub use snapshots::{snapshot, snapshot_diff, snapshots};
pub use state::{backup, compacted, restored, size, sound};
pub use status::status;
pub use tokens::tokens;
pub use undo::undo;
pub use webhooks::webhooks;
pub use why::why;

use super::table::{Layout, Mood, duration, number, print};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::serve::codes::of_word;
use crate::serve::views::{Acknowledgement, DemoView, MovePhase, MoveView, RunState};
use std::collections::BTreeMap;

/// A request was taken.
pub fn acknowledgement(view: &Acknowledgement) -> String {
    let mut text = format!("{}\n", view.message);
    for line in &view.left_out {
        text.push_str(&format!("  left out: {line}\n"));
    }
    text
}

/// What the demo showed.
pub fn demo(view: &DemoView, layout: Layout) -> String {
    let mut text = String::new();
    for (check, held) in &view.checks {
        let word = if *held { layout.paint("held  ", Mood::Good) } else { layout.paint("BROKEN", Mood::Bad) };
        text.push_str(&format!("{word}  {check}\n"));
    }
    text.push_str(&format!("\nthe same again: hsmc demo --seed {}\n", view.seed));
    text
}

/// `error[HSMC3001]`; the word alone where there is no page.
fn coded(word: &str, code: Option<Code>) -> String {
    code.map_or_else(|| word.to_owned(), |code| format!("{word}[{code}]"))
}

/// Counts, each with the code of its word where that has a page: `audience_cap 3 [HSMC4102]`.
fn with_codes(of: &BTreeMap<String, u64>) -> String {
    let told = of.iter().filter(|(_, count)| **count > 0).map(|(word, count)| {
        let code = in_brackets(of_word(word)).replace(' ', "\u{a0}");
        format!("{word}\u{a0}{}{code}", number(*count))
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// ` [HSMC3001]`, to be put behind a sentence; nothing where there is no page.
fn in_brackets(code: Option<Code>) -> String {
    code.map_or_else(String::new, |code| format!(" [{code}]"))
}

fn ago(at: Timestamp, then: Timestamp) -> String {
    format!("{} ago", duration(at.since(then)))
}

fn until(at: Timestamp, then: Timestamp) -> String {
    if then <= at { "now".to_owned() } else { format!("in {}", duration(then.since(at))) }
}

fn phase_mood(phase: MovePhase) -> Mood {
    match phase {
        MovePhase::Stuck | MovePhase::Incompatible => Mood::Bad,
        MovePhase::Unwinding | MovePhase::Retrying | MovePhase::Paused => Mood::Wary,
        MovePhase::Running | MovePhase::Waiting => Mood::Plain,
    }
}

fn run_mood(state: RunState) -> Mood {
    match state {
        RunState::Done | RunState::Approved => Mood::Good,
        RunState::Running => Mood::Plain,
        RunState::NeedsApproval | RunState::Superseded | RunState::Rejected | RunState::Interrupted => {
            Mood::Wary
        }
        RunState::Stuck | RunState::Failed => Mood::Bad,
    }
}

/// Open moves as a table; what there is to say of each stands under its step.
fn move_table(moves: &[MoveView], at: Timestamp, layout: Layout) -> String {
    let mut table = layout.table(&["move", "kind", "person", "phase", "step"]);
    for view in moves {
        let mut step = vec![view.step.clone()];
        if let Some(next) = view.next_try {
            step.push(format!("tried {}×, again {}", view.attempts, until(at, next)));
        } else if view.attempts > 1 {
            step.push(format!("tried {}×", view.attempts));
        }
        step.extend(view.waiting_for.as_ref().map(|what| format!("waits for {what}")));
        step.extend(view.last_error.clone());
        let code = view.code.map(|code| format!("\n{code}"));
        let phase = format!("{}{}", view.phase.word(), code.unwrap_or_default());
        table.add_row(vec![
            layout.cell(view.id, Mood::Plain),
            layout.cell(&view.kind, Mood::Plain),
            layout.cell(&view.person, Mood::Plain),
            layout.cell(phase, phase_mood(view.phase)),
            layout.cell(step.join("\n"), Mood::Plain),
        ]);
    }
    print(&table)
}

#[cfg(test)]
mod tests;
