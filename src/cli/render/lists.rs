//! `hsmc lists`: what each list is for, and the names lists have had.

use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::lists::ListsView;

/// The lists as they stood at the last scan.
pub fn lists(view: &ListsView, layout: Layout) -> String {
    let mut table = layout.table(&["list", "name", "kind", "members", "used as"]);
    for list in &view.lists {
        table.add_row(vec![
            layout.cell(list.id, Mood::Plain),
            layout.cell(list.name.as_deref().unwrap_or("–"), Mood::Plain),
            layout.cell(list.kind.as_deref().unwrap_or("–"), Mood::Plain),
            layout.cell(list.members.map_or_else(|| "–".to_owned(), number), Mood::Plain),
            layout.cell(list.uses.join("\n"), Mood::Plain),
        ]);
    }
    let seen = view.seen.map_or_else(
        || "nothing was scanned yet: `hsmc plan` reads the lists\n".to_owned(),
        |seen| format!("as seen {seen}; names they have had: hsmc lists history\n"),
    );
    format!("{}\n{seen}", print(&table))
}

/// Every name of every list.
pub fn list_names(view: &ListsView, layout: Layout) -> String {
    let mut table = layout.table(&["list", "name", "since"]);
    let mut any = false;
    for list in &view.lists {
        for named in &list.names {
            any = true;
            table.add_row(vec![
                layout.cell(list.id, Mood::Plain),
                layout.cell(&named.name, Mood::Plain),
                layout.cell(named.since, Mood::Plain),
            ]);
        }
    }
    if any { print(&table) } else { "no list was seen yet: `hsmc plan` reads them\n".to_owned() }
}
