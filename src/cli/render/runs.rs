//! `hsmc runs`: past runs, the newest first.

use super::{in_brackets, run_mood};
use crate::cli::table::{Layout, Mood, counts, duration, print};
use crate::serve::views::RunView;

/// A table of runs.
pub fn runs(views: &[RunView], layout: Layout) -> String {
    if views.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let mut table = layout.table(&["run", "started", "took", "cause", "result", "ended"]);
    for run in views {
        let took = run.ended.map_or_else(String::new, |ended| duration(ended.since(run.started)));
        table.add_row(vec![
            layout.cell(run.id, Mood::Plain),
            layout.cell(run.started, Mood::Plain),
            layout.cell(took, Mood::Plain),
            layout
                .cell(if run.full { format!("{}, full", run.cause) } else { run.cause.clone() }, Mood::Plain),
            layout.cell(format!("{}{}", run.phase, in_brackets(run.code)), run_mood(run.state)),
            layout.cell(counts(&run.counts.ended).replace('\u{a0}', " "), Mood::Plain),
        ]);
    }
    print(&table)
}
