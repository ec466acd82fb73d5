//! `hsmc plan`: what would be done, to whom and why; what cannot be undone is marked.

use super::with_codes;
use crate::cli::table::{Layout, Mood, counts, number};
use crate::serve::views::{PlanMoveView, PlanView};

/// The plan.
pub fn plan(view: &PlanView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    let reach = if view.full { "everything" } else { "what can have changed" };
    row("seen", &format!("{} ({reach})", view.seen));
    row("moves", &format!("{}: {}", number(view.total), counts(&view.planned)));
    row("people", &counts(&view.people));
    if view.left_out.values().any(|count| *count > 0) {
        row("left out", &format!("by limits: {}", with_codes(&view.left_out)));
    }
    for (given, count) in &view.given {
        row("as given", &format!("{given} ({})", number(*count)));
    }
    for (note, count) in &view.notes {
        row("note", &format!("{note} ({})", number(*count)));
    }
    if let Some(gate) = &view.gate {
        row("gate", &layout.paint(&format!("needs approval: {gate}"), Mood::Wary));
    }
    if let Some(saved) = &view.saved {
        row("saved", &format!("{saved}; to apply it: hsmc apply {saved}"));
    }
    if view.total == 0 {
        text.push_str("\nnothing to do\n");
        return text;
    }
    for planned in &view.moves {
        text.push('\n');
        text.push_str(&one(planned, layout));
    }
    let shown = u64::try_from(view.moves.len()).unwrap_or(u64::MAX);
    if view.total > shown {
        text.push_str(&format!("\n… and {} more moves\n", number(view.total - shown)));
    }
    if view.moves.iter().flat_map(|planned| &planned.steps).any(|step| step.for_good) {
        text.push_str("\n! cannot be undone\n");
    }
    text
}

/// One move: why, and its steps.
pub(super) fn one(planned: &PlanMoveView, layout: Layout) -> String {
    let mut text = format!("{} {}\n", planned.kind, planned.person);
    text.push_str(&layout.labelled("  why", &planned.reason));
    for (index, step) in planned.steps.iter().enumerate() {
        let mark = if step.for_good { layout.paint("!", Mood::Wary) } else { " ".to_owned() };
        text.push_str(&format!("  {mark} {}. {}\n", index + 1, step.text));
    }
    text
}
