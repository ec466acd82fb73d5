//! `hsmc undo`: what would be taken back, and what stays as it is and why.

use crate::cli::table::{Layout, Mood, counts, number};
use crate::serve::undo::UndoView;

/// The plan.
pub fn undo(view: &UndoView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    row("undo", &view.of);
    row("seen", &view.seen.to_string());
    row("moves", &number(view.total));
    if view.left_out.values().any(|count| *count > 0) {
        row("left out", &format!("by limits: {}", counts(&view.left_out)));
    }
    for (why, count) in &view.stays_because {
        row("stays", &format!("{why} ({})", number(*count)));
    }
    for note in &view.notes {
        row("note", note);
    }
    if let Some(gate) = &view.gate {
        row("gate", &layout.paint(gate, Mood::Wary));
    }
    if view.total == 0 {
        text.push_str("\nnothing to undo\n");
    }
    for planned in &view.moves {
        text.push('\n');
        text.push_str(&super::plan::one(planned, layout));
    }
    more(&mut text, view.total, view.moves.len(), "moves");
    if !view.stays.is_empty() {
        text.push_str("\nnot undone\n");
        for one in &view.stays {
            let label = format!("  {}", one.of);
            text.push_str(&layout.labelled(&label, &format!("{}: {}; {}", one.person, one.what, one.why)));
        }
        more(&mut text, view.stays_total, view.stays.len(), "that stay");
    }
    text
}

fn more(text: &mut String, total: u64, shown: usize, what: &str) {
    let shown = u64::try_from(shown).unwrap_or(u64::MAX);
    if total > shown {
        text.push_str(&format!("\n… and {} more {what}\n", number(total - shown)));
    }
}
