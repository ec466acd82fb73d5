//! `hsmc parked`: whom hsmc leaves alone for good, by reason, then by name.

use super::ago;
use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::parked::ParkedView;

/// People shown in the table.
const SHOWN: usize = 100;

/// Groups first: what would change it stands beside each.
pub fn parked(view: &ParkedView, layout: Layout) -> String {
    if view.groups.is_empty() {
        return "nobody is parked\n".to_owned();
    }
    let mut table = layout.table(&["code", "reason", "people", "since", "changed by"]);
    for group in &view.groups {
        let code = group.code.map(|code| code.to_string());
        table.add_row(vec![
            layout.cell(code.unwrap_or_default(), Mood::Plain),
            layout.cell(&group.reason, Mood::Plain),
            layout.cell(number(group.count), Mood::Plain),
            layout.cell(ago(view.at, group.since), Mood::Plain),
            layout.cell(&group.changed_by, Mood::Plain),
        ]);
    }
    let mut text = print(&table);
    text.push('\n');
    for one in view.people.iter().take(SHOWN) {
        text.push_str(&format!("{}\n", one.person));
        let since = ago(view.at, one.since);
        text.push_str(&layout.labelled("", &format!("{} since {since}: {}", one.reason, one.why)));
    }
    let shown = u64::try_from(view.people.len().min(SHOWN)).unwrap_or(u64::MAX);
    if view.total > shown {
        text.push_str(&format!(
            "… and {} more; all of them: hsmc parked --json\n",
            number(view.total - shown)
        ));
    }
    text.push_str("\none person's story: hsmc why ADDRESS; what a code means: hsmc explain CODE\n");
    text
}
