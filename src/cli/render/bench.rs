//! What was measured, beside what it was compared with and what was aimed at.

use crate::cli::table::{Layout, Mood, number, print};
use crate::serve::bench::{Aim, BenchView, Figure, ResultView, Unit};

/// All benchmarks.
pub fn bench(view: &BenchView, layout: Layout) -> String {
    let machine = &view.machine;
    let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    let load = machine.load_before.map_or_else(String::new, |load| format!(", load {load:.1} before"));
    let mut text = layout.labelled("machine", &format!("{cores}{load}; the disk of {}", machine.folder));
    if view.quick {
        text.push_str(&layout.labelled("quick", "small and short: these are no figures to keep"));
    }
    for result in &view.results {
        text.push('\n');
        text.push_str(&one(result, layout));
    }
    text
}

fn one(result: &ResultView, layout: Layout) -> String {
    let title = format!("{} ({:.0} s)", result.bench.about(), result.seconds);
    let mut text = layout.labelled(result.bench.word(), &title);
    let mut table = layout.table(&["what", "hsmc", "beside", "ratio", "aim"]);
    for figure in &result.figures {
        let (beside, ratio) = match &figure.beside {
            Some(beside) => (
                format!("{} {}", beside.what, amount(beside.measured, figure.unit)),
                if beside.ratio < 1.0 { format!("{:.3}", beside.ratio) } else { precise(beside.ratio) },
            ),
            None => (String::new(), String::new()),
        };
        table.add_row(vec![
            layout.cell(&figure.what, Mood::Plain),
            layout.cell(amount(figure.measured, figure.unit), Mood::Plain),
            layout.cell(beside, Mood::Plain),
            layout.cell(ratio, Mood::Plain),
            layout.cell(aim(figure), mood(figure.reached)),
        ]);
    }
    text.push_str(&print(&table));
    for note in &result.notes {
        text.push_str(&layout.labelled("", note));
    }
    text
}

fn mood(reached: Option<bool>) -> Mood {
    match reached {
        Some(true) => Mood::Good,
        Some(false) => Mood::Wary,
        None => Mood::Plain,
    }
}

/// `at least 0.45: missed`
fn aim(figure: &Figure) -> String {
    let Some(aim) = figure.aim else { return String::new() };
    let bound = match aim {
        Aim::RatioAtLeast(least) => format!("ratio ≥ {least}"),
        Aim::RatioAtMost(most) => format!("ratio ≤ {most}"),
        Aim::AtMost(most) => format!("≤ {}", amount(most, figure.unit)),
    };
    match figure.reached {
        Some(true) => format!("{bound}: met"),
        Some(false) => format!("{bound}: missed"),
        None => bound,
    }
}

/// `58,432/s`, `2.85 s`, `241 MB`
fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", whole(value)),
        Unit::Seconds => format!("{} s", precise(value)),
        Unit::Milliseconds => format!("{} ms", precise(value)),
        Unit::Megabytes => format!("{} MB", precise(value)),
        Unit::Bytes => format!("{} B", whole(value)),
        Unit::Calls => format!("{} calls", whole(value)),
        Unit::NanosecondsEach => format!("{} ns each", whole(value)),
    }
}

fn whole(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no figure is below zero")]
    let value = value.round() as u64;
    number(value)
}

/// Three figures that count.
fn precise(value: f64) -> String {
    match value {
        100.0.. => whole(value),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::bench::{Bench, MachineView, Round};

    #[test]
    fn a_figure_stands_beside_what_it_is_compared_with_and_what_was_aimed_at_in_80_columns() {
        let rounds = vec![Round { measured: 58_432.0, beside: 131_201.4 }];
        let records = Figure::of_rounds("64 writers", Unit::PerSecond, "bare committer", rounds);
        let view = BenchView {
            machine: MachineView { cores: 2, load_before: Some(0.31), folder: "/var/lib/hsmc".to_owned() },
            quick: true,
            results: vec![ResultView {
                bench: Bench::Records,
                seconds: 42.4,
                figures: vec![
                    records.aim(Aim::RatioAtLeast(0.45)),
                    Figure::alone("100000 people, no change: time", Unit::Seconds, 2.857)
                        .beside("least", 2.0)
                        .aim(Aim::RatioAtMost(1.25)),
                    Figure::alone("most memory", Unit::Megabytes, 123.4).aim(Aim::AtMost(256.0)),
                ],
                notes: vec![
                    "a note that is longer than one line of a terminal which has eighty columns".to_owned(),
                ],
            }],
        };
        let text = bench(&view, Layout::PLAIN);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in [
            "2 cores, load 0.3 before",
            "58,432/s",
            "131,201/s",
            "0.445",
            "ratio ≥ 0.45: missed",
            "2.86 s",
            "123 MB",
            "≤ 256 MB: met",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }
}
