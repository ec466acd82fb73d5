//! A Slack incoming webhook: blocks, and the text that notifications and screen readers show.

use crate::domain::alert::{Event, Message, Severity};
use serde_json::{Value, json};

/// Slack refuses a message with a longer heading.
const LONGEST_HEADING: usize = 150;

/// The message.
pub(super) fn body(message: &Message) -> Value {
    let heading: String =
        format!("{} {}", mark(message), message.heading()).chars().take(LONGEST_HEADING).collect();
    let mut lines = vec![literal(&message.text)];
    lines.extend(message.facts.iter().map(|(name, value)| format!("*{name}*: {}", literal(value))));
    lines.extend(message.history().map(|history| literal(&history)));
    lines.extend(message.advice().map(|advice| format!("*What to do*: {}", literal(&advice))));
    json!({
        "text": literal(&format!("{}: {}", message.heading(), message.text)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": heading, "emoji": true}},
            {"type": "section", "text": {"type": "mrkdwn", "text": lines.join("\n"), "verbatim": true}},
            {"type": "context", "elements": [
                {"type": "plain_text", "text": format!("{} · {}", message.at, message.id)}
            ]},
        ],
    })
}

/// The three characters that Slack reads as its own.
fn literal(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn mark(message: &Message) -> &'static str {
    match (message.event, message.severity) {
        (Event::Resolved, _) => ":white_check_mark:",
        (Event::Test, _) | (_, Severity::Note) => ":information_source:",
        (_, Severity::Warning) => ":warning:",
        (_, Severity::Error) => ":red_circle:",
    }
}
