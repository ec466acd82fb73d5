//! Figures as inline SVG. Bars stretch with the page while all words stay text beside them, so that they can be
//! read on a telephone. No style attribute and no script: the page forbids both.

use std::fmt::Write;

/// One row of a bar chart.
pub struct Row {
    /// What it is about.
    pub label: String,
    /// Its parts, each with the class that gives its colour.
    pub parts: Vec<(u64, &'static str)>,
    /// What stands behind it.
    pub told: String,
}

/// Rows of bars, all on the scale of the longest.
pub fn bars(rows: &[Row]) -> String {
    let total = |row: &Row| row.parts.iter().map(|(amount, _)| amount).sum::<u64>();
    let longest = rows.iter().map(total).max().unwrap_or(0).max(1);
    let mut html = String::from("<table class=\"bars\">");
    for row in rows {
        write_to(
            &mut html,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"bar\">{}</td><td class=\"told\">{}</td></tr>",
                escape(&row.label),
                bar(&row.parts, longest),
                escape(&row.told)
            ),
        );
    }
    html.push_str("</table>");
    html
}

/// One bar of parts, of so much at most. What is there is never too thin to be seen.
fn bar(parts: &[(u64, &'static str)], most: u64) -> String {
    let mut svg = String::from(
        "<svg viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"1000\" height=\"20\"/>",
    );
    let mut at = 0.0;
    for (amount, class) in parts.iter().filter(|(amount, _)| *amount > 0) {
        let width = (*amount as f64 / most.max(1) as f64 * 1000.0).clamp(5.0, 1000.0);
        write_to(
            &mut svg,
            format_args!("<rect class=\"{class}\" x=\"{at:.1}\" width=\"{width:.1}\" height=\"20\"/>"),
        );
        at += width;
    }
    svg.push_str("</svg>");
    svg
}

/// Amounts over time as columns, and the line they must stay below.
pub fn columns(amounts: &[u32], line: Option<u64>, class: &'static str) -> String {
    let highest = amounts.iter().map(|amount| u64::from(*amount)).max().unwrap_or(0);
    let top = highest.max(line.unwrap_or(0)).max(1) as f64 * 1.08;
    let width = 1000.0 / amounts.len().max(1) as f64;
    let mut svg = String::from(
        "<svg class=\"columns\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    for (index, amount) in amounts.iter().enumerate() {
        let height = f64::from(*amount) / top * 100.0;
        let (x, y) = (index as f64 * width, 100.0 - height);
        write_to(
            &mut svg,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{height:.2}\"/>",
                (width * 0.86).max(width - 3.0)
            ),
        );
    }
    if let Some(line) = line {
        let y = 100.0 - line as f64 / top * 100.0;
        write_to(
            &mut svg,
            format_args!("<line class=\"limit\" x1=\"0\" x2=\"1000\" y1=\"{y:.2}\" y2=\"{y:.2}\"/>"),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Text as it may stand in a page.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

/// Adds to text in memory, which never fails.
pub fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).ok();
}
