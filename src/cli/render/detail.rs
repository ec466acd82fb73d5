//! `hsmc status MOVE`: one move with its whole life.

use super::in_brackets;
use crate::cli::table::{Layout, Mood};
use crate::serve::views::MoveDetailView;

/// One move after another.
pub fn moves(views: &[MoveDetailView], layout: Layout) -> String {
    if views.is_empty() {
        return "no moves\n".to_owned();
    }
    views.iter().map(|view| one(view, layout)).collect::<Vec<_>>().join("\n")
}

fn one(view: &MoveDetailView, layout: Layout) -> String {
    let mut text = String::new();
    text.push_str(&layout.labelled("move", &format!("{} {} {}", view.id, view.kind, view.person)));
    text.push_str(&layout.labelled("why", &view.reason));
    text.push_str(&layout.labelled("stands", &format!("{}{}", view.standing, in_brackets(view.code))));
    for (index, step) in view.steps.iter().enumerate() {
        let mark = if step.for_good { layout.paint("!", Mood::Wary) } else { " ".to_owned() };
        text.push_str(&format!("  {mark} {}. {}\n", index + 1, step.text));
    }
    if view.steps.iter().any(|step| step.for_good) {
        text.push_str("  ! cannot be undone\n");
    }
    for event in &view.events {
        text.push_str(&format!("  {event}\n"));
    }
    text
}
