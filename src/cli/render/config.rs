//! `hsmc config`: keys and what is in force.

use crate::cli::table::{Layout, Mood, print};
use crate::config::explain::{Explained, Setting};

/// Everything in force.
pub fn settings(settings: &[Setting], layout: Layout) -> String {
    let mut table = layout.table(&["key", "value", "set by"]);
    for setting in settings {
        let set = setting.source != "default" && setting.value.is_some();
        let mood = if set { Mood::Good } else { Mood::Plain };
        table.add_row(vec![
            layout.cell(&setting.key, Mood::Plain),
            layout.cell(setting.value.as_deref().unwrap_or("–"), mood),
            layout.cell(&setting.source, Mood::Plain),
        ]);
    }
    print(&table)
}

/// All about one key.
pub fn explained(one: &Explained, layout: Layout) -> String {
    let mut text = format!("{}\n", one.key);
    text.push_str(&layout.labelled("", &one.what));
    text.push_str(&layout.labelled("written as", &one.kind));
    text.push_str(&layout.labelled("default", one.default.as_deref().unwrap_or("none")));
    text.push_str(&layout.labelled("since", &one.since));
    if let Some(variable) = &one.variable {
        text.push_str(&layout.labelled("or by", &format!("{variable} in the environment")));
    }
    for (index, now) in one.now.iter().enumerate() {
        let label = if index == 0 { "in force" } else { "" };
        let value = now.value.as_deref().unwrap_or("nothing");
        let of = if one.now.len() > 1 { format!("{} = ", now.key) } else { String::new() };
        text.push_str(&layout.labelled(label, &format!("{of}{value} ({})", now.source)));
    }
    text
}

/// All keys, a line or two each.
pub fn keys(all: &[Explained], layout: Layout) -> String {
    let mut text = String::new();
    let mut section = "";
    for one in all {
        let of = one.key.split(['.', '[']).next().unwrap_or_default();
        if of != section {
            section = of;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let default =
            one.default.as_ref().map_or_else(String::new, |default| format!(" (default {default})"));
        text.push_str(&format!("{}{default}\n", one.key));
        text.push_str(&layout.labelled("", &one.what));
    }
    text.push_str("\n`hsmc config explain KEY` shows how it is written and what is in force.\n");
    text.trim_start().to_owned()
}
