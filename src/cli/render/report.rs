//! The report of a run (R29): what was done, what was not and why.

use super::{in_brackets, move_table, run_mood, with_codes};
use crate::cli::table::{Layout, Mood, counts, duration, number};
use crate::domain::report::{Asked, AudienceSize, ParkedFor};
use crate::serve::codes::{of_repeated, of_word};
use crate::serve::views::{ReportView, RunState, RunView};

/// The report.
pub fn report(view: &ReportView, layout: Layout) -> String {
    let run = &view.run;
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    let reach = if run.full { "full" } else { "incremental" };
    let of = run.of.map_or_else(String::new, |of| format!(" of run {of}"));
    row("run", &format!("{} ({}{of}, {reach})", run.id, run.cause));
    if let Some(narrowed) = &run.report.narrowed {
        row("narrowed", narrowed);
    }
    row("result", &result(run, layout));
    row("started", &run.started.to_string());
    if let Some(ended) = run.ended {
        row("took", &duration(ended.since(run.started)));
    }
    row("planned", &counts(&run.counts.planned));
    if run.asks.is_none() {
        row("ended", &counts(&run.counts.ended));
    }
    if let Some(audience) = &run.report.audience {
        row("audience", &audience_line(audience, run.plans_audience()));
    }
    if !run.counts.left_out.is_empty() {
        row("left out", &format!("by limits: {}", with_codes(&run.counts.left_out)));
    }
    if !run.counts.parked.is_empty() {
        row("parked", &format!("in this run: {}", with_codes(&run.counts.parked)));
    }
    if !run.report.parked.is_empty() {
        let label = if run.counts.parked.is_empty() { "parked" } else { "" };
        let told = |one: &ParkedFor| format!("{one}{}", in_brackets(of_word(&one.reason)));
        let standing: Vec<String> = run.report.parked.iter().map(told).collect();
        row(label, &format!("in all: {}", standing.join(" · ")));
    }
    let known = run.counts.people.values().sum();
    row("people", &format!("{}: {}", number(known), counts(&run.counts.people)));
    if let Some(judged) = run.report.judged.filter(|judged| *judged != known) {
        row("", &format!("judged in this run: {}", number(judged)));
    }
    if !run.report.in_flight.is_empty() {
        row("in flight", &format!("beside their state: {}", counts(&run.report.in_flight)));
    }
    // Opt-outs are carried within another run, which counts; whoever was killed has not counted.
    match run.counts.calls.is_empty() {
        true => row("calls", "not counted for this run"),
        false => row("calls", &counts(&run.counts.calls)),
    }
    for (note, count) in &run.counts.notes {
        row("note", &format!("{note} ({})", number(*count)));
    }
    for repeated in &run.report.repeated {
        row("again", &layout.paint(&format!("{repeated}{}", in_brackets(of_repeated(repeated))), Mood::Wary));
    }
    if !view.stuck.is_empty() {
        text.push('\n');
        let at = run.ended.unwrap_or(run.started);
        text.push_str(&move_table(&view.stuck, at, layout));
    }
    match run.state {
        RunState::NeedsApproval => {
            let held = run.asks.as_ref().is_some_and(|asks| asks.asked == Asked::Never);
            text.push_str(match held {
                true => "\nnothing was changed, opt-outs neither: apply = \"never\"\n",
                false => "\nnothing but opt-outs was changed\n",
            });
            if let Some(asks) = &run.asks {
                text.push_str(&format!("next: {}\n", asks.way_out()));
            }
        }
        RunState::Interrupted => text.push_str("\nstart again: it goes on where it stood\n"),
        _ if !view.stuck.is_empty() => {
            text.push_str("\nstuck: `hsmc status MOVE` tells why, and whether to retry, skip or roll back\n");
        }
        _ => {}
    }
    text
}

/// A run that makes no progress on something is not green, however it ended.
fn result(run: &RunView, layout: Layout) -> String {
    if run.state != RunState::Done || run.report.makes_progress() {
        return layout.paint(&format!("{}{}", run.phase, in_brackets(run.code)), run_mood(run.state));
    }
    layout.paint(&format!("{}, but no progress on what is named under *again*", run.phase), Mood::Wary)
}

/// `1,200 subscribed before, 1,350 after (150 join, 0 leave); the cap is 5,000`
fn audience_line(audience: &AudienceSize, planned: bool) -> String {
    let AudienceSize { before, joining, leaving, cap } = *audience;
    let (before, after) = (number(before), number(audience.after()));
    let change = format!("{} join, {} leave", number(joining), number(leaving));
    let cap = cap.map_or_else(String::new, |cap| format!("; the cap is {}", number(cap)));
    let planned = if planned { ", as planned" } else { "" };
    format!("{before} subscribed before, {after} after{planned} ({change}){cap}")
}
