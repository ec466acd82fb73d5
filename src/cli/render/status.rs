//! `hsmc status`: what a person woken at night needs, the worst first.

use super::alerts;
use super::{ago, in_brackets, move_table, run_mood, until};
use crate::cli::table::{Layout, Mood, counts, number, print};
use crate::domain::time::Timestamp;
use crate::serve::views::{BudgetView, LaneView, ProcessView, RunView, RunningView, StatusView};
use std::time::Duration;

/// The whole status.
pub fn status(view: &StatusView, layout: Layout) -> String {
    let mut text = String::new();
    let mut row = |label: &str, line: &str| text.push_str(&layout.labelled(label, line));
    row("workspace", &view.workspace);
    match &view.process {
        ProcessView::Running(RunningView { pid, what }) => {
            row("process", &format!("{what} running, pid {pid}"))
        }
        ProcessView::NotRunning => row("process", &format!("not running; as of {}", view.at)),
    }
    if let Some(run) = &view.current_run {
        row("this run", &run_line(run, view.at, layout));
    }
    match &view.last_run {
        Some(run) => row("last run", &run_line(run, view.at, layout)),
        None => row("last run", "none yet"),
    }
    if let Some(next) = view.next_run_at {
        row("next run", &until(view.at, next));
    }
    row("people", &counts(&view.people));
    let open = match view.open_moves {
        0 => "none".to_owned(),
        open => format!("{}: {}", number(open), counts(&view.by_phase)),
    };
    row("moves open", &open);
    for budget in &view.budgets {
        row(&budget.service, &budget_line(budget, layout));
    }
    for pause in &view.pauses {
        row("paused", &layout.paint(pause, Mood::Wary));
    }
    for notice in &view.notices {
        row("notice", &layout.paint(notice, Mood::Wary));
    }
    for target in &view.told {
        row(&target.target, &alerts::told(target, view.at, layout));
    }
    if !view.alerts.is_empty() {
        text.push('\n');
        text.push_str(&alerts::alerts(&view.alerts, view.at, layout));
    }
    if !view.moves.is_empty() {
        text.push('\n');
        text.push_str(&move_table(&view.moves, view.at, layout));
        let shown = u64::try_from(view.moves.len()).unwrap_or(u64::MAX);
        if view.open_moves > shown {
            text.push_str(&format!("… and {} more\n", number(view.open_moves - shown)));
        }
    }
    if !view.lanes.is_empty() {
        text.push('\n');
        text.push_str(&lane_table(&view.lanes, layout));
    }
    if view.moves.iter().any(|open| open.phase == crate::serve::views::MovePhase::Stuck) {
        text.push_str("\nstuck: `hsmc status MOVE` tells why, and whether to retry, skip or roll back\n");
    }
    text
}

/// `12 schedule, full, done: started 2h ago, took 1m 3s`
fn run_line(run: &RunView, at: Timestamp, layout: Layout) -> String {
    let reach = if run.full { "full" } else { "incremental" };
    let took = run.ended.map_or_else(String::new, |ended| {
        format!(", took {}", crate::cli::table::duration(ended.since(run.started)))
    });
    let phase = format!("{}{}", run.phase, in_brackets(run.code));
    let phase = layout.paint(&phase, run_mood(run.state));
    format!("{} ({}, {reach}), started {}{took}: {phase}", run.id, run.cause, ago(at, run.started))
}

fn budget_line(budget: &BudgetView, layout: Layout) -> String {
    let mut line = match budget.window_s {
        0 => format!("{} of {} connections", number(budget.used), number(budget.max)),
        window => {
            let window = crate::cli::table::duration(Duration::from_secs(window));
            format!("{} of {} calls in {window}", number(budget.used), number(budget.max))
        }
    };
    if let Some(left) = budget.remaining_today {
        line.push_str(&format!(" · {} left today", number(left)));
    }
    if budget.breaker != "closed" {
        line.push_str(" · ");
        line.push_str(&layout.paint(&budget.breaker, Mood::Bad));
    }
    line
}

fn lane_table(lanes: &[LaneView], layout: Layout) -> String {
    let mut table = layout.table(&["lane", "waiting", "in a call", ""]);
    for lane in lanes {
        table.add_row(vec![
            layout.cell(&lane.target, Mood::Plain),
            layout.cell(number(lane.queued), Mood::Plain),
            layout.cell(number(lane.in_flight), Mood::Plain),
            layout.cell(if lane.paused { "paused" } else { "" }, Mood::Wary),
        ]);
    }
    print(&table)
}
