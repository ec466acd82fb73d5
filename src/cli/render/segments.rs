//! Segments as text.

use crate::cli::table::{Layout, number, print};
use crate::serve::people::SegmentsView;

/// All of them, with their sizes.
pub fn segments(view: &SegmentsView, layout: Layout) -> String {
    if view.segments.is_empty() {
        return "the config has no segments: docs/segments.md says how to write one\n".to_owned();
    }
    let mut table = layout.table(&["segment", "people", "entered", "left", "rule"]);
    for one in &view.segments {
        let [size, entered, left] = [one.size, one.entered, one.left].map(number);
        table.add_row([&one.name, &size, &entered, &left, &one.rule]);
    }
    let mut text = print(&table);
    text.push_str(&next(view, layout));
    text
}

/// One, with some of its members.
pub fn segment(view: &SegmentsView, layout: Layout) -> String {
    let mut text = String::new();
    for one in &view.segments {
        text.push_str(&layout.labelled("segment", &one.name));
        text.push_str(&layout.labelled("rule", &one.rule));
        text.push_str(&layout.labelled("since", &one.since.to_string()));
        let turns =
            format!("{} (entered {}, left {})", number(one.size), number(one.entered), number(one.left));
        text.push_str(&layout.labelled("people", &turns));
    }
    text.push_str(&next(view, layout));
    if !view.members.is_empty() {
        let mut table = layout.table(&["record", "address", "member since"]);
        for one in &view.members {
            let address = one.address.clone().unwrap_or_default();
            table.add_row([one.record.to_string(), address, one.since.to_string()]);
        }
        text.push('\n');
        text.push_str(&print(&table));
        let shown = view.members.len() as u64;
        if view.segments.iter().any(|one| one.size > shown) {
            text.push_str("all of them: hsmc people --segment NAME\n");
        }
    }
    text
}

/// When time alone changes something.
fn next(view: &SegmentsView, layout: Layout) -> String {
    let text = view.next.map_or_else(|| "nobody by time alone".to_owned(), |at| format!("somebody at {at}"));
    layout.labelled("next", &text)
}
