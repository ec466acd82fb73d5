//! `hsmc state`: sizes, soundness, backups.

use super::in_brackets;
use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::state::{BackupView, CompactView, RestoreView, RoomView, SizeView, SoundView};
use std::collections::BTreeMap;

/// What takes how much.
pub fn size(view: &SizeView, layout: Layout) -> String {
    let mut text = layout.labelled("state", &view.path);
    text.push_str(&layout.labelled("in all", &bytes(view.total)));
    text.push('\n');
    text.push_str(&rooms(&view.disk, None, layout));
    if let Some(why) = &view.uncounted {
        text.push('\n');
        text.push_str(&layout.labelled("records", &format!("not counted: {why}")));
        return text;
    }
    if !view.tables.is_empty() {
        let mut table = layout.table(&["records of", "how many", "size"]);
        for one in &view.tables {
            table.add_row(vec![
                layout.cell(one.table.replace('-', " "), Mood::Plain),
                layout.cell(number(one.records), Mood::Plain),
                layout.cell(bytes(one.bytes), Mood::Plain),
            ]);
        }
        text.push('\n');
        text.push_str(&print(&table));
    }
    if let Some(growth) = &view.growth {
        let pace = format!(
            "{} a day of moves' details since {}; kept for {} days, so at most about {} at this pace",
            bytes(growth.details_a_day),
            growth.since,
            growth.kept_days,
            bytes(growth.details_at_most)
        );
        text.push('\n');
        text.push_str(&layout.labelled("growth", &pace));
        let log = format!("is cut by checkpoints before {}", bytes(growth.log_at_most));
        text.push_str(&layout.labelled("log", &log));
    }
    text
}

/// Whether everything is as it was written.
pub fn sound(view: &SoundView, layout: Layout) -> String {
    let mut text = layout.labelled("state", &view.path);
    for (index, line) in view.looked.iter().enumerate() {
        text.push_str(&layout.labelled(if index == 0 { "looked at" } else { "" }, line));
    }
    if !view.records.is_empty() {
        text.push_str(&layout.labelled("records", &records(&view.records)));
    }
    for defect in &view.defects {
        let (word, mood) = if defect.harmless { ("harmless", Mood::Wary) } else { ("DAMAGED", Mood::Bad) };
        text.push_str(&format!("\n{}  {}\n", layout.paint(word, mood), defect.place));
        text.push_str(&layout.labelled("", &defect.what));
        if !defect.means.is_empty() {
            text.push_str(&layout.labelled("", &format!("means: {}", defect.means)));
        }
    }
    let end = if view.is_sound() {
        layout.paint("sound", Mood::Good)
    } else {
        layout.paint(&format!("not sound{}", in_brackets(view.code)), Mood::Bad)
    };
    text.push_str(&format!("\n{end}\n"));
    text
}

/// A backup was made.
pub fn backup(view: &BackupView, layout: Layout) -> String {
    let mut text = layout.labelled("backup", &view.file);
    text.push_str(&about(view, layout));
    text.push_str(
        "\nread back and whole. It holds people's addresses: keep it as you keep the accounts.\n\
         What scans saw and reports are not in it; the first run after a restore reads\n\
         everything anew.\n",
    );
    text
}

/// A backup was restored.
pub fn restored(view: &RestoreView, layout: Layout) -> String {
    let mut text = layout.labelled("state", &view.state);
    text.push_str(&layout.labelled("from", &view.backup.file));
    text.push_str(&about(&view.backup, layout));
    if let Some(aside) = &view.aside {
        text.push_str(&layout.labelled("before", &format!("moved to {aside}; delete it when you are sure")));
    }
    text.push_str(
        "\nWhat was done since the backup was made, this journal does not know. The next run\n\
         reads everything, looks at each step that was under way, and undoes nothing before\n\
         that. Read `hsmc sync --dry-run` first.\n",
    );
    text
}

/// The state directory was compacted.
pub fn compacted(view: &CompactView, layout: Layout) -> String {
    let total = |rooms: &[RoomView]| rooms.iter().map(|room| room.bytes).sum::<u64>();
    let mut text = layout.labelled("state", &view.path);
    let line = format!("{} before, {} now", bytes(total(&view.before)), bytes(total(&view.after)));
    text.push_str(&layout.labelled("in all", &line));
    text.push('\n');
    text.push_str(&rooms(&view.before, Some(&view.after), layout));
    text
}

fn about(view: &BackupView, layout: Layout) -> String {
    let workspace = if view.workspace.is_empty() { "not known" } else { &view.workspace };
    let made = format!("{}, by hsmc {}, of workspace {workspace}", view.made_at, view.hsmc);
    let mut text = layout.labelled("made", &made);
    let holds = format!("commit {}, format {}, {}", number(view.sequence), view.format, bytes(view.bytes));
    text.push_str(&layout.labelled("holds", &holds));
    text.push_str(&layout.labelled("records", &records(&view.records)));
    text.push_str(&layout.labelled("sha-256", &view.sha256));
    text
}

fn records(of: &BTreeMap<String, u64>) -> String {
    crate::cli::table::counts(of)
}

fn rooms(disk: &[RoomView], after: Option<&[RoomView]>, layout: Layout) -> String {
    let header: &[&str] =
        if after.is_some() { &["on the disk", "before", "now"] } else { &["on the disk", "size"] };
    let mut table = layout.table(header);
    for room in disk {
        let mut row = vec![layout.cell(&room.what, Mood::Plain), layout.cell(bytes(room.bytes), Mood::Plain)];
        if let Some(after) = after {
            let now = after.iter().find(|now| now.what == room.what).map_or(0, |now| now.bytes);
            row.push(layout.cell(bytes(now), Mood::Plain));
        }
        table.add_row(row);
    }
    print(&table)
}

/// `3.4 MiB`
fn bytes(count: u64) -> String {
    let mut unit = "B";
    let (mut whole, mut tenth) = (count, 0);
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            break;
        }
        tenth = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit = larger;
    }
    if unit == "B" { format!("{} B", number(whole)) } else { format!("{whole}.{tenth} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_readable() {
        let shown: Vec<String> = [0, 1023, 1024, 1536, 5 << 20, (3 << 30) + (1 << 29)].map(bytes).into();
        assert_eq!(shown, ["0 B", "1,023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.5 GiB"]);
    }
}
