//! `hsmc pull`: what each engine read, and how it ended.

use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::pull::{ClearView, PullAnswer, PullView};
use comfy_table::ColumnConstraint;

/// What came of a pull.
pub fn pulled(answer: &PullAnswer, layout: Layout) -> String {
    let mut text = String::new();
    if let Some(lost) = &answer.lost {
        text.push_str(&format!("the mirror could not be used ({lost}): it was begun anew\n"));
    }
    text.push_str(&pulls(&answer.pulls, layout));
    for pull in &answer.pulls {
        text.push_str(&beside(pull));
    }
    text
}

/// Past pulls.
pub fn pull_history(views: &[PullView], layout: Layout) -> String {
    if views.is_empty() {
        return "no such pull is remembered: `hsmc pull all` begins one, `hsmc pull history` shows all\n"
            .to_owned();
    }
    let mut text = pulls(views, layout);
    for pull in views {
        let resumed =
            if pull.resumed > 0 { format!(", resumed {} times", pull.resumed) } else { String::new() };
        text.push_str(&format!(
            "pull {}: began {}, {} a second{resumed}\n",
            pull.number, pull.started, pull.per_second
        ));
        if pull.failed > 0 || pull.why.is_some() {
            text.push_str(&beside(pull));
        }
    }
    text
}

/// What is in the mirror, or was.
pub fn cleared(view: &ClearView, layout: Layout) -> String {
    let mut table = layout.table(&["what", "how many"]);
    for (name, count) in view.records.iter().chain(&view.associations) {
        table.add_row([name, &number(*count)]);
    }
    table.add_row(["pulls remembered", &number(view.pulls)]);
    let said = if view.cleared {
        "the mirror is empty; `hsmc pull all` reads everything again\n"
    } else {
        "HubSpot keeps all of it: `hsmc pull all` would read it again\n"
    };
    print(&table) + said
}

/// A count of a pull, with the name of its column.
type Column = (&'static str, fn(&PullView) -> u64);

/// Those of which a pull mostly has none, and which are shown where one has.
const RARE: [Column; 5] = [
    ("new", |pull| pull.new),
    ("changed", |pull| pull.changed),
    ("same", |pull| pull.unchanged),
    ("gone", |pull| pull.deleted + pull.merged + pull.removed),
    ("failed", |pull| pull.failed),
];

/// A line for each. Names are whole, however narrow the terminal: somebody looks for them in a mail or a log.
fn pulls(views: &[PullView], layout: Layout) -> String {
    let shown: Vec<Column> =
        RARE.into_iter().filter(|(_, count)| views.iter().any(|pull| count(pull) > 0)).collect();
    let names = shown.iter().map(|(name, _)| *name);
    let header: Vec<&str> =
        ["pull", "engine", "read", "seen"].into_iter().chain(names).chain(["calls", "took"]).collect();
    let mut table = layout.table(&header);
    for pull in views {
        let mood = if pull.code.is_some() { Mood::Bad } else { Mood::Plain };
        let read = match pull.state.as_str() {
            "done" => pull.mode.clone(),
            state => format!("{}: {state}", pull.mode),
        };
        let number_of = if pull.number == 0 { "–".to_owned() } else { pull.number.to_string() };
        let mut row = vec![
            layout.cell(number_of, Mood::Plain),
            layout.cell(&pull.engine, Mood::Plain),
            layout.cell(read, mood),
            layout.cell(number(pull.seen), Mood::Plain),
        ];
        row.extend(shown.iter().map(|(_, count)| layout.cell(number(count(pull)), Mood::Plain)));
        row.push(layout.cell(number(pull.calls), Mood::Plain));
        row.push(layout.cell(format!("{:.1} s", pull.seconds), Mood::Plain));
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    print(&table)
}

/// What a table has no room for.
fn beside(pull: &PullView) -> String {
    let mut text = String::new();
    let mut say = |words: &str| text.push_str(&format!("{}: {words}\n", pull.engine));
    if pull.deleted + pull.merged > 0 {
        say(&format!(
            "{} deleted or archived, {} merged into another",
            number(pull.deleted),
            number(pull.merged)
        ));
    }
    if pull.left_out > 0 {
        say(&format!("{} were forgotten, and are not taken in", number(pull.left_out)));
    }
    if let (Some(ours), Some(theirs)) = (pull.ours, pull.theirs)
        && [ours, ours + pull.left_out].contains(&theirs)
    {
        say(&format!("{} here, as many as HubSpot counts", number(ours)));
    } else if let (Some(ours), Some(theirs)) = (pull.ours, pull.theirs) {
        say(&format!(
            "HubSpot counts {}, the mirror {}: its count may lag behind, or records were deleted for good; `hsmc pull {} --full` settles it",
            number(theirs),
            number(ours),
            pull.engine
        ));
    }
    for note in &pull.notes {
        say(note);
    }
    for failure in &pull.failures {
        say(&format!("{} failed: {}", failure.id, failure.why));
    }
    if let (Some(why), Some(code)) = (&pull.why, pull.code) {
        say(&format!("{why} ({code}); the next pull goes on from there"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::code::Code;
    use crate::domain::time::Timestamp;
    use crate::serve::pull::FailureView;

    fn view() -> PullView {
        PullView {
            number: 7,
            engine: "deals".to_owned(),
            mode: "full".to_owned(),
            state: "done".to_owned(),
            since: None,
            started: Timestamp(0),
            last: Timestamp(2_000),
            seconds: 2.0,
            per_second: 600.0,
            seen: 1_200,
            new: 1_000,
            changed: 150,
            unchanged: 50,
            deleted: 0,
            merged: 0,
            removed: 0,
            left_out: 0,
            failed: 0,
            failures: Vec::new(),
            calls: 15,
            resumed: 0,
            ours: Some(1_200),
            theirs: Some(1_200),
            notes: Vec::new(),
            code: None,
            why: None,
        }
    }

    #[test]
    fn a_pull_that_adds_up_says_so() {
        assert_eq!(beside(&view()), "deals: 1,200 here, as many as HubSpot counts\n");
        let wide = Layout { width: 160, ..Layout::PLAIN };
        let text = pulled(&PullAnswer { pulls: vec![view()], lost: None }, wide);
        for part in ["deals", "full", "1,200", "2.0 s", "15"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_said_with_the_reason_and_the_way_on() {
        let failures = vec![FailureView { id: 9, why: "later".to_owned() }];
        let view = PullView {
            state: "failed".to_owned(),
            theirs: Some(1_300),
            failed: 1,
            failures,
            code: Some(Code::RightsMissing),
            why: Some("reading deals: HubSpot read deals: forbidden".to_owned()),
            ..view()
        };
        let text = beside(&view);
        for part in
            ["HubSpot counts 1,300, the mirror 1,200", "9 failed: later", "HSMC2002", "goes on from there"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
