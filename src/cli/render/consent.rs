//! `hsmc consent`: the evidence of one person, as an auditor reads it; and whether the chain holds.

use crate::cli::table::{Layout, Mood, number};
use crate::serve::consent::{ChainView, ConsentView, LinkView};

/// One person's evidence.
pub fn consent(view: &ConsentView, layout: Layout) -> String {
    let mut text = layout.labelled("person", &format!("{} {}", view.person, view.address));
    if view.links.is_empty() {
        text.push_str(&layout.labelled("evidence", "none: no change of their consent was seen or made"));
        return text;
    }
    text.push_str(&layout.labelled("evidence", &format!("{} links of the chain", view.links.len())));
    for link in &view.links {
        text.push('\n');
        text.push_str(&one(link, layout));
    }
    text
}

fn one(link: &LinkView, layout: Layout) -> String {
    let mut text = format!("{}  {}  link {}\n", link.at, link.change, number(link.place));
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(&format!("  {label}"), line));
    row("seen", &format!("{}: {} ({})", link.seen, link.status, link.source));
    match (&link.called, &link.answer) {
        (None, _) => row("called", "nothing"),
        (Some(called), None) => row("called", called),
        (Some(called), Some(answer)) => row("called", &format!("{called}: {answer}")),
    }
    if let Some(basis) = &link.legal_basis {
        row("basis", basis);
    }
    if let Some(explanation) = &link.explanation {
        row("because", explanation);
    }
    if let Some(id) = link.by {
        row("move", &id.to_string());
    }
    if link.is_of_address == Some(false) {
        row("address", "an earlier address of theirs, not this one");
    }
    row("hash", &link.hash);
    text
}

/// The whole chain.
pub fn chain(view: &ChainView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    match &view.broken {
        None => row("chain", &layout.paint("holds", Mood::Good)),
        Some(broken) => {
            let line = format!("BROKEN at link {}: {} [{}]", broken.place, broken.what, broken.code);
            row("chain", &layout.paint(&line, Mood::Bad));
        }
    }
    let before = if view.broken.is_some() { " hold before that" } else { "" };
    row("links", &format!("{}{before}", number(view.links)));
    if let (Some(first), Some(last)) = (view.first, view.last) {
        row("first", &first.to_string());
        row("last", &last.to_string());
    }
    if let Some(head) = &view.head {
        row("hash", head);
    }
    if view.broken.is_some() {
        text.push_str("\nthe evidence was changed or lost; compare with a backup of the state directory\n");
    }
    text
}
