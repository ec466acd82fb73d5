//! Alerts: what stands, the worst first, and how telling it goes.

use super::{ago, coded, in_brackets, until};
use crate::cli::table::{Layout, Mood, number};
use crate::domain::time::Timestamp;
use crate::serve::alert_views::{AlertView, TargetView, TestedView};

/// Every alert that stands, with what to do.
pub(super) fn alerts(views: &[AlertView], at: Timestamp, layout: Layout) -> String {
    let mut text = String::new();
    for view in views {
        let mood = if view.severity == "error" { Mood::Bad } else { Mood::Wary };
        let since = match view.times {
            0 | 1 => ago(at, view.first),
            times => format!("{}, {} times, last {}", ago(at, view.first), number(times), ago(at, view.last)),
        };
        let severity = coded(&view.severity, view.code);
        text.push_str(&format!("{}: {} ({since})\n", layout.paint(&severity, mood), view.kind));
        text.push_str(&layout.labelled("", &view.text));
        if !view.way_out.is_empty() {
            text.push_str(&layout.labelled("  do", &view.way_out));
        }
    }
    text
}

/// `2 waiting, tried again in 4m: answers 503`
pub(super) fn told(view: &TargetView, at: Timestamp, layout: Layout) -> String {
    let mut line = match view.waiting {
        0 => "told of everything".to_owned(),
        waiting => format!("{} waiting", number(waiting)),
    };
    if view.given_up > 0 {
        line.push_str(&format!(", {} given up after a day", number(view.given_up)));
    }
    if let Some(next) = view.next_try {
        line.push_str(&format!(", tried again {}", until(at, next)));
    }
    if let Some(error) = &view.error {
        line.push_str(&format!(": {error}{}", in_brackets(view.code)));
    }
    let mood = if view.error.is_some() { Mood::Bad } else { Mood::Plain };
    layout.paint(&line, mood)
}

/// What each target answered to a test.
pub fn tested(views: &[TestedView], layout: Layout) -> String {
    let mut text = String::new();
    for view in views {
        let mood = if view.taken { Mood::Good } else { Mood::Bad };
        text.push_str(&layout.labelled(
            &view.target,
            &layout.paint(&format!("{}{}", view.answer, in_brackets(view.code)), mood),
        ));
    }
    text
}
