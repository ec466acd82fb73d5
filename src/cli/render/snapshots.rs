//! `hsmc snapshots`: kept scans, what one saw, and what is different in another.

use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::snapshots::{SnapshotDiffView, SnapshotShownView, SnapshotView};
use std::collections::BTreeMap;

/// People shown one by one.
const SHOWN: usize = 100;

/// A table of kept scans.
pub fn snapshots(views: &[SnapshotView], layout: Layout) -> String {
    if views.is_empty() {
        return "no scan is kept\n".to_owned();
    }
    let mut table = layout.table(&["run", "seen", "read", "people", "members", "subscribed", "size"]);
    for view in views {
        table.add_row(vec![
            layout.cell(view.run, Mood::Plain),
            layout.cell(view.seen, Mood::Plain),
            layout.cell(reach(view), Mood::Plain),
            layout.cell(number(view.people), Mood::Plain),
            layout.cell(number(view.members), Mood::Plain),
            layout.cell(number(view.subscribed), Mood::Plain),
            layout.cell(format!("{} KiB", number(view.bytes.div_ceil(1024))), Mood::Plain),
        ]);
    }
    print(&table)
}

/// One scan.
pub fn snapshot(view: &SnapshotShownView, layout: Layout) -> String {
    let mut text = head("scan", &view.snapshot, layout);
    if view.people.is_empty() && view.total == 0 {
        counted(&mut text, "lists", &view.lists, layout);
        counted(&mut text, "tags", &view.tags, layout);
        return text;
    }
    text.push_str(&layout.labelled("shown", &format!("{} people", number(view.total))));
    for one in view.people.iter().take(SHOWN) {
        text.push_str(&format!("\n{}\n", one.person));
        let words = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let records: Vec<String> = one.records.iter().map(ToString::to_string).collect();
        let lists: Vec<String> = one.lists.iter().map(ToString::to_string).collect();
        text.push_str(
            &layout.labelled("HubSpot", &format!("record {}, list {}", words(&records), words(&lists))),
        );
        let status = one.status.as_deref().unwrap_or("no member");
        text.push_str(&layout.labelled("Mailchimp", &format!("{status}, tags: {}", words(&one.tags))));
    }
    more(&mut text, view.total, view.people.len());
    text
}

/// What is different in the second of two scans.
pub fn snapshot_diff(view: &SnapshotDiffView, layout: Layout) -> String {
    let mut text = head("from", &view.from, layout);
    text.push_str(&head("to", &view.to, layout));
    text.push_str(&layout.labelled("changed", &format!("{} people", number(view.total))));
    counted(&mut text, "", &view.changes, layout);
    for one in view.people.iter().take(SHOWN) {
        text.push_str(&format!("\n{}\n", one.person));
        for change in &one.changes {
            text.push_str(&layout.labelled("", change));
        }
    }
    more(&mut text, view.total, view.people.len());
    text
}

fn reach(view: &SnapshotView) -> &'static str {
    if view.full { "all" } else { "changes" }
}

fn head(label: &str, view: &SnapshotView, layout: Layout) -> String {
    let what = format!("run {}, {} ({})", view.run, view.seen, reach(view));
    let size = format!(
        "{} people, {} members, {} subscribed",
        number(view.people),
        number(view.members),
        number(view.subscribed)
    );
    layout.labelled(label, &what) + &layout.labelled("", &size)
}

fn counted(text: &mut String, label: &str, of: &BTreeMap<String, u64>, layout: Layout) {
    for (index, (what, count)) in of.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        text.push_str(&layout.labelled(label, &format!("{what}: {}", number(*count))));
    }
}

fn more(text: &mut String, total: u64, held: usize) {
    let shown = u64::try_from(held.min(SHOWN)).unwrap_or(u64::MAX);
    if total > shown {
        text.push_str(&format!(
            "\n… and {} more people; --json shows the first 1,000\n",
            number(total - shown)
        ));
    }
}
