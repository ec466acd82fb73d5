//! `hsmc check`: findings, the worst first, each with its place and the way out.

use super::coded;
use crate::cli::table::{Layout, Mood};
use crate::serve::views::{CheckView, Finding, Severity};

/// The findings.
pub fn check(view: &CheckView, layout: Layout) -> String {
    let mut text = String::new();
    let mut findings: Vec<&Finding> = view.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    for finding in &findings {
        let (word, mood) = match finding.severity {
            Severity::Error => ("error", Mood::Bad),
            Severity::Warning => ("warning", Mood::Wary),
            Severity::Note => ("note", Mood::Plain),
        };
        let place = if finding.place.is_empty() { String::new() } else { format!(" {}", finding.place) };
        text.push_str(&format!("{}{place}\n", layout.paint(&coded(word, finding.code), mood)));
        text.push_str(&layout.labelled("", &finding.message));
        if !finding.way_out.is_empty() {
            text.push_str(&layout.labelled("  do", &finding.way_out));
        }
        text.push('\n');
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let verdict = match (errors, warnings) {
        (0, 0) => layout.paint("ready", Mood::Good),
        (0, warnings) => layout.paint(&format!("ready, with {}", plural(warnings, "warning")), Mood::Wary),
        (errors, _) => layout.paint(&format!("not ready: {}", plural(errors, "error")), Mood::Bad),
    };
    text.push_str(&layout.labelled("checked", &view.checked.join(" · ")));
    text.push_str(&layout.labelled("result", &verdict));
    if findings.iter().any(|finding| finding.code.is_some()) {
        text.push_str(&layout.labelled("more", "hsmc explain CODE"));
    }
    text
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
