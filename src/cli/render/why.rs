//! `hsmc why`: one person. What holds now comes first, then what comes next, then everything that was, from
//! the oldest on.

use super::in_brackets;
use crate::cli::table::{Layout, Mood};
use crate::serve::why::{EventView, HeldView, WhyView};

/// The whole story.
pub fn why(view: &WhyView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    row("person", &format!("{} (person {})", view.person, view.id));
    row("state", &format!("{} since {}", view.state.word, view.state.since));
    if !view.state.why.is_empty() {
        row("", &view.state.why);
    }
    row(
        "HubSpot",
        &view.record.map_or_else(|| "no record known".to_owned(), |record| format!("record {record}")),
    );
    match &view.member {
        Some(member) => row("Mailchimp", &held(member)),
        None => row("Mailchimp", "no member seen"),
    }
    group(&mut row, "lists", &view.lists);
    group(&mut row, "tags", &view.tags);
    for one in &view.memory {
        row("remembered", &format!("{}{}", one.what, in_brackets(one.code)));
        if !one.released_by.is_empty() {
            row("", &format!("released by: {}", one.released_by));
        }
    }
    for pause in &view.pauses {
        row("paused", &layout.paint(pause, Mood::Wary));
    }
    for one in &view.under_way {
        let phase = format!("{}{}", one.phase.word(), in_brackets(one.code));
        row("under way", &format!("{} {}: {phase}, {}", one.kind, one.id, one.step));
        for more in one.waiting_for.iter().chain(&one.last_error) {
            row("", more);
        }
    }
    next(view, &mut row);
    if !view.timeline.is_empty() {
        text.push_str("\noldest first\n");
        for event in &view.timeline {
            text.push_str(&one(event, layout));
        }
    }
    text
}

fn next(view: &WhyView, row: &mut impl FnMut(&str, &str)) {
    match &view.next.seen {
        Some((run, seen)) => row("next run", &format!("by run {run}'s scan of {seen}:")),
        None => row("next run", ""),
    }
    row("", &view.next.what);
    for (index, step) in view.next.steps.iter().enumerate() {
        row("", &format!("{}. {step}", index + 1));
    }
    for what in &view.next.waits_for {
        row("waits for", what);
    }
}

fn group(row: &mut impl FnMut(&str, &str), label: &str, all: &[HeldView]) {
    for (index, one) in all.iter().enumerate() {
        row(if index == 0 { label } else { "" }, &held(one));
    }
    if all.is_empty() {
        row(label, "none");
    }
}

fn held(one: &HeldView) -> String {
    match one.since {
        Some(since) => format!("{} since {since}: {}", one.what, one.by),
        None => format!("{}: {}", one.what, one.by),
    }
}

fn one(event: &EventView, layout: Layout) -> String {
    let mut text = format!("\n{}  {}\n", event.at, event.what);
    for line in &event.details {
        text.push_str(&layout.labelled("", line));
    }
    text
}
