//! `hsmc forget`: what would be deleted, or the receipt of what was.

use crate::cli::table::{Layout, Mood};
use crate::serve::forget::{ForgetState, ForgetView};

/// The plan of it, or the receipt.
pub fn forget(view: &ForgetView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    let who = view.person.map_or_else(|| "whom hsmc does not know".to_owned(), |id| format!("person {id}"));
    let at = view.at.map(|at| at.to_string()).unwrap_or_default();
    let by = view.id.map(|id| format!(" (move {id})")).unwrap_or_default();
    match &view.state {
        ForgetState::Planned => row("forget", &format!("{who} would be deleted for good")),
        ForgetState::Forgotten => {
            row("forgotten", &layout.paint(&format!("{who}, {at}{by}"), Mood::Good));
        }
        ForgetState::Before => row("forgotten", &format!("before, {at}; nothing of them is there")),
        ForgetState::GoesOn { why } => {
            row("forget", &layout.paint(&format!("{who}: under way{by}, and goes on by itself"), Mood::Wary));
            row("waits", why);
        }
        ForgetState::Stuck { why } => {
            row("forget", &layout.paint(&format!("{who}: stuck{by}"), Mood::Bad));
            row("because", why);
        }
    }
    if view.state != ForgetState::Before {
        for (label, lines) in
            [("Mailchimp", &view.mailchimp), ("HubSpot", &view.hubspot), ("here", &view.here)]
        {
            list(&mut row, label, lines, "nobody is there");
        }
        list(&mut row, "stays", &view.kept, "nothing");
    }
    if view.copies.is_empty() {
        row(
            "copies",
            "none beside the state directory; backups kept elsewhere still hold them: delete those",
        );
    } else {
        list(&mut row, "copies", &view.copies, "");
        row("", "these, and backups kept elsewhere, still hold them: delete those");
    }
    if let (ForgetState::Stuck { .. }, Some(id)) = (&view.state, view.id) {
        text.push_str(&format!(
            "\n`hsmc retry {id}` once the cause is mended\n`hsmc skip {id}` takes the step as done\n"
        ));
    }
    text
}

fn list(row: &mut impl FnMut(&str, &str), label: &str, lines: &[String], none: &str) {
    if lines.is_empty() {
        row(label, none);
    }
    for (index, line) in lines.iter().enumerate() {
        row(if index == 0 { label } else { "" }, line);
    }
}
