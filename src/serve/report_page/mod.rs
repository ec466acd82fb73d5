//! The report of a run as one page (R29): whole in itself, so that it can be mailed and opened anywhere. It loads
//! nothing, runs nothing, and names people by number only. Pure: the same report gives the same bytes.

mod figures;

use super::views::{ReportView, RunState, RunView};
use crate::domain::report::{ApprovalAsked, AudienceSize, CallCurve, RunReport};
use crate::domain::time::Timestamp;
use base64::Engine;
use figures::{Row, bars, columns, escape, write_to};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

const STYLE: &str = include_str!("style.css");

/// How a move can end, with the colour it has everywhere.
const ENDS: [(&str, &str); 7] = [
    ("done", "f-good"),
    ("unwound", "f-wary"),
    ("refused", "f-wary"),
    ("dropped", "f-violet"),
    ("superseded", "f-grey"),
    ("skipped", "f-grey"),
    ("stuck", "f-bad"),
];

/// The page.
pub fn page(view: &ReportView) -> String {
    let run = &view.run;
    let (mood, result) = result(run);
    let style_hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style_hash}'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         {}<style>{STYLE}</style></head><body><main>",
        title(run)
    );
    html.push_str(&head(run, mood, result));
    html.push_str(&tiles(view));
    html.push_str("<div class=\"cards\">");
    html.push_str(&run.asks.as_ref().map_or_else(String::new, asks));
    html.push_str(&repeated(&run.report));
    html.push_str(&stuck(view));
    html.push_str(&people(run));
    html.push_str(&moves(run));
    if let Some(size) = &run.report.audience {
        html.push_str(&audience(size, run.plans_audience()));
    }
    html.push_str(&phases(run));
    html.push_str(&left_out(run));
    html.push_str(&parked(run));
    html.push_str(&calls(&run.report));
    html.push_str(&notes(run));
    html.push_str("</div>");
    write_to(
        &mut html,
        format_args!(
            "<footer>hsmc {} · people are numbers here: <code>hsmc status {}</code> names the moves of this run to whoever may see them</footer></main></body></html>\n",
            env!("CARGO_PKG_VERSION"),
            run.id
        ),
    );
    html
}

/// Whether a page tells of the run as it is now: one that waited may have come to an end since.
pub fn tells(page: &str, run: &RunView) -> bool {
    page.contains(&title(run))
}

fn title(run: &RunView) -> String {
    format!("<title>hsmc run {}: {}</title>", run.id, result(run).1)
}

fn result(run: &RunView) -> (&'static str, &'static str) {
    match run.state {
        RunState::Done if !run.report.makes_progress() => ("wary", "done, but not everything gets further"),
        RunState::Done => ("good", "done"),
        RunState::Approved => ("good", "approved"),
        RunState::Running => ("plain", "in progress"),
        RunState::NeedsApproval => ("wary", "waits for approval"),
        RunState::Stuck => ("bad", "done, with stuck moves"),
        RunState::Failed => ("bad", "failed"),
        RunState::Superseded => ("plain", "superseded"),
        RunState::Interrupted => ("wary", "interrupted"),
        RunState::Rejected => ("plain", "rejected"),
    }
}

fn head(run: &RunView, mood: &str, result: &str) -> String {
    let reach = if run.full { "everything was read" } else { "what can have changed was read" };
    let of = run.of.map_or_else(String::new, |of| format!(" of run {of}"));
    let narrowed =
        run.report.narrowed.as_ref().map_or_else(String::new, |how| format!(" · only {}", escape(how)));
    let took =
        run.ended.map_or_else(String::new, |ended| format!(" · took {}", span(ended.since(run.started))));
    let mut html = format!(
        "<header><h1>Run {}</h1><p>{}{of} · {reach}{narrowed} · {}{took}</p><span class=\"pill {mood}\">{result}</span>",
        run.id,
        escape(&run.cause),
        run.started
    );
    if run.phase != result {
        write_to(&mut html, format_args!("<p class=\"why\">{}</p>", escape(&run.phase)));
    }
    if let Some(code) = run.code {
        write_to(
            &mut html,
            format_args!("<p class=\"why\">{code}: {} · hsmc explain {code}</p>", escape(code.title())),
        );
    }
    html.push_str("</header>");
    html
}

fn tiles(view: &ReportView) -> String {
    let run = &view.run;
    let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    let done = run.counts.ended.get("done").copied().unwrap_or(0);
    let mut html = String::from("<div class=\"tiles\">");
    // Opt-outs are carried within another run, which counts; whoever was killed has not counted.
    let calls = Some(sum(&run.counts.calls)).filter(|_| !run.counts.calls.is_empty());
    for (amount, what) in [
        (Some(sum(&run.counts.people)), "people"),
        (Some(sum(&run.counts.planned)), "moves planned"),
        (Some(done), "moves done"),
        (Some(view.stuck.len() as u64), "stuck now"),
        (calls, "calls"),
    ] {
        let amount = amount.map_or("–".to_owned(), number);
        write_to(&mut html, format_args!("<div class=\"tile\"><b>{amount}</b><span>{what}</span></div>"));
    }
    html.push_str("</div>");
    html
}

fn card(class: &str, title: &str, body: &str) -> String {
    format!("<section class=\"{class}\"><h2>{title}</h2>{body}</section>")
}

fn asks(asks: &ApprovalAsked) -> String {
    let mut body = format!("<p>{}</p>", escape(&asks.why));
    write_to(&mut body, format_args!("<p>It would make: {}.</p>", escape(&listed(&asks.moves))));
    if let Some(audience) = &asks.audience {
        write_to(&mut body, format_args!("<p>{}</p>", audience_line(audience)));
    }
    let way_out = asks.way_out();
    write_to(&mut body, format_args!("<p>What to do: {}</p>", escape(&way_out)));
    card("wide call", "A plan waits for a yes", &body)
}

fn repeated(report: &RunReport) -> String {
    if report.repeated.is_empty() {
        return String::new();
    }
    let mut body = String::from(
        "<p class=\"soft\">This went wrong before. Somebody has to look.</p><table><thead><tr><th>what</th><th>people</th><th>runs</th><th>since</th></tr></thead><tbody>",
    );
    for one in &report.repeated {
        let people = if one.people == 0 { "the run".to_owned() } else { number(one.people) };
        write_to(
            &mut body,
            format_args!(
                "<tr><td>{}</td><td class=\"number\">{people}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
                escape(&one.what),
                one.times,
                one.since.date()
            ),
        );
    }
    body.push_str("</tbody></table>");
    card("wide call", "Again", &body)
}

fn stuck(view: &ReportView) -> String {
    if view.stuck.is_empty() {
        return String::new();
    }
    let mut body = String::from(
        "<table><thead><tr><th>move</th><th>kind</th><th>step</th><th>why</th></tr></thead><tbody>",
    );
    for one in &view.stuck {
        write_to(
            &mut body,
            format_args!(
                "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                one.id,
                escape(&one.kind),
                escape(&one.step),
                escape(one.last_error.as_deref().unwrap_or_default())
            ),
        );
    }
    body.push_str("</tbody></table><p class=\"soft\"><code>hsmc status MOVE</code> tells why, and whether to retry, skip or roll back</p>");
    card("wide", "Stuck now", &body)
}

fn people(run: &RunView) -> String {
    let known: u64 = run.counts.people.values().sum();
    let mut by_count: Vec<_> = run.counts.people.iter().filter(|(_, count)| **count > 0).collect();
    by_count.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let row = |(state, count): (&String, &u64)| Row {
        label: state.clone(),
        parts: vec![(*count, state_colour(state))],
        told: number(*count),
    };
    let rows: Vec<Row> = by_count.into_iter().map(row).collect();
    let mut body = bars(&rows);
    let judged = run
        .report
        .judged
        .map_or_else(String::new, |judged| format!("; {} judged in this run", number(judged)));
    write_to(
        &mut body,
        format_args!("<p class=\"legend\">{} in all, each in one state{judged}</p>", number(known)),
    );
    if !run.report.in_flight.is_empty() {
        let flight = escape(&listed(&run.report.in_flight));
        write_to(&mut body, format_args!("<p class=\"legend\">Beside their state, in flight: {flight}</p>"));
    }
    card("", "People by state", &body)
}

fn state_colour(state: &str) -> &'static str {
    match state {
        "enrolled" | "pending" => "f-good",
        "handed-over" => "f-teal",
        "opted-out" | "excluded" => "f-violet",
        "parked" | "contested" | "left-out" | "twin" => "f-wary",
        "protected" => "f-blue",
        _ => "f-grey",
    }
}

fn moves(run: &RunView) -> String {
    let kinds: std::collections::BTreeSet<&String> =
        run.counts.planned.keys().chain(run.report.by_kind.keys()).collect();
    if kinds.is_empty() {
        return card("", "Moves", "<p class=\"soft\">Nothing was to be done.</p>");
    }
    let row = |kind: &String| {
        let ends = run.report.by_kind.get(kind);
        let planned = run.counts.planned.get(kind).copied().unwrap_or(0);
        let mut parts: Vec<(u64, &'static str)> = ENDS
            .iter()
            .map(|(word, class)| (ends.and_then(|ends| ends.get(*word)).copied().unwrap_or(0), *class))
            .collect();
        let ended: u64 = parts.iter().map(|(count, _)| count).sum();
        parts.push((planned.saturating_sub(ended), "f-blue"));
        Row { label: kind.clone(), parts, told: number(planned.max(ended)) }
    };
    let rows: Vec<Row> = kinds.into_iter().map(row).collect();
    let mut body = bars(&rows);
    let seen = |word: &str| run.report.by_kind.values().any(|ends| ends.contains_key(word));
    let mut legend: Vec<(&str, &str)> = ENDS.iter().copied().filter(|(word, _)| seen(word)).collect();
    if rows.iter().any(|row| row.parts.last().is_some_and(|(open, _)| *open > 0)) {
        legend.push(("planned, not ended", "f-blue"));
    }
    body.push_str(&legend_of(&legend));
    card("", "Moves by kind and end", &body)
}

fn legend_of(entries: &[(&str, &str)]) -> String {
    let mut html = String::from("<p class=\"legend\">");
    for (word, class) in entries {
        write_to(
            &mut html,
            format_args!(
                "<span><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg>{word}</span>"
            ),
        );
    }
    html.push_str("</p>");
    html
}

fn audience(audience: &AudienceSize, planned: bool) -> String {
    let most = audience.cap.unwrap_or(0).max(audience.before).max(audience.after()).max(1);
    let over = |size: u64| if audience.cap.is_some_and(|cap| size >= cap) { "f-wary" } else { "f-teal" };
    let mut rows: Vec<Row> = [("before", audience.before), ("after", audience.after())]
        .into_iter()
        .map(|(label, size)| Row {
            label: label.to_owned(),
            parts: vec![(size, over(size))],
            told: number(size),
        })
        .collect();
    if let Some(cap) = audience.cap {
        rows.push(Row { label: "cap".to_owned(), parts: vec![(cap.min(most), "f-grey")], told: number(cap) });
    }
    let body = format!("{}<p class=\"legend\">{}</p>", bars(&rows), audience_line(audience));
    card("", if planned { "Audience, as planned" } else { "Audience" }, &body)
}

fn audience_line(audience: &AudienceSize) -> String {
    let (joining, leaving) = (number(audience.joining), number(audience.leaving));
    let cap = audience
        .cap
        .map_or_else(|| "there is no cap".to_owned(), |cap| format!("the cap is {}", number(cap)));
    let (before, after) = (number(audience.before), number(audience.after()));
    format!("{before} subscribed members before, {after} after: {joining} join, {leaving} leave; {cap}")
}

fn phases(run: &RunView) -> String {
    if run.report.phases.is_empty() {
        return String::new();
    }
    let colours = ["f-grey", "f-blue", "f-violet", "f-wary", "f-good", "f-teal"];
    let longest: u64 = run.report.phases.iter().map(|phase| phase.took_ms).max().unwrap_or(1);
    let rows: Vec<Row> = run
        .report
        .phases
        .iter()
        .zip(colours.iter().cycle())
        .map(|(phase, colour)| Row {
            label: if phase.phase == "before" { "looking first".to_owned() } else { phase.phase.clone() },
            parts: vec![(phase.took_ms.max(longest / 500), colour)],
            told: span(Duration::from_millis(phase.took_ms)),
        })
        .collect();
    card("", "Duration by phase", &bars(&rows))
}

fn calls(report: &RunReport) -> String {
    let curves: Vec<&CallCurve> = report.calls.iter().filter(|curve| !curve.calls.is_empty()).collect();
    if curves.is_empty() {
        return String::new();
    }
    let mut body = String::new();
    for (curve, class) in curves.into_iter().zip(["f-blue", "f-teal"]) {
        let bucket = span(Duration::from_millis(curve.bucket_ms));
        let total: u64 = curve.calls.iter().map(|calls| u64::from(*calls)).sum();
        let highest = curve.calls.iter().max().copied().unwrap_or(0);
        let limit = curve
            .most
            .map_or_else(String::new, |most| format!("; the limit is {} in {bucket} (dashed)", number(most)));
        let until =
            Timestamp(curve.from.0).plus(Duration::from_millis(curve.bucket_ms * curve.calls.len() as u64));
        write_to(
            &mut body,
            format_args!(
                "<p>{}: {} calls, at most {highest} in {bucket}{limit}</p>{}<p class=\"axis\"><span>{}</span><span>{}</span></p>",
                curve.service,
                number(total),
                columns(&curve.calls, curve.most, class),
                clock(curve.from),
                clock(until)
            ),
        );
    }
    card("wide", "Calls over time", &body)
}

fn left_out(run: &RunView) -> String {
    if run.counts.left_out.values().all(|count| *count == 0) {
        return String::new();
    }
    let rows: Vec<Row> = run
        .counts
        .left_out
        .iter()
        .map(|(limit, count)| Row {
            label: limit.clone(),
            parts: vec![(*count, "f-wary")],
            told: number(*count),
        })
        .collect();
    let body = format!(
        "{}<p class=\"legend\">Whole moves, the oldest go first; the rest has its turn later</p>",
        bars(&rows)
    );
    card("", "Left out by limits", &body)
}

fn parked(run: &RunView) -> String {
    if run.report.parked.is_empty() && run.counts.parked.is_empty() {
        return String::new();
    }
    let rows: Vec<Row> = run
        .report
        .parked
        .iter()
        .map(|one| Row {
            label: match run.codes.get(&one.reason) {
                Some(code) => format!("{} {code}", one.reason),
                None => one.reason.clone(),
            },
            parts: vec![(one.people, "f-wary")],
            told: format!("{} · since {}", number(one.people), one.since.date()),
        })
        .collect();
    let now = match run.counts.parked.values().sum::<u64>() {
        0 => "none".to_owned(),
        _ => escape(&listed(&run.counts.parked)),
    };
    let body = format!("{}<p class=\"legend\">Parked in this run: {now}</p>", bars(&rows));
    card("", "Parked by reason", &body)
}

fn notes(run: &RunView) -> String {
    if run.counts.notes.is_empty() {
        return String::new();
    }
    let mut body = String::from("<ul>");
    for (note, count) in &run.counts.notes {
        let count = if *count == 1 { String::new() } else { format!(" ({})", number(*count)) };
        write_to(&mut body, format_args!("<li>{}{count}</li>", escape(note)));
    }
    body.push_str("</ul>");
    card("wide", "Notes", &body)
}

/// `enroll 40, hand-over 12`
fn listed(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{word} {}", number(*count))).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// `1,234,567`
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1h 5m`; below ten seconds to a tenth of one.
fn span(length: Duration) -> String {
    if length < Duration::from_secs(10) {
        return format!("{:.1}s", length.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(length.as_secs())).to_string()
}

/// `14:03:20`
fn clock(at: Timestamp) -> String {
    at.iso().chars().skip(11).take(8).collect()
}

#[cfg(test)]
mod tests;
