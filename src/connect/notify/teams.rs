//! A Teams workflow ("Post to a channel when a webhook request is received"): a message with one Adaptive
//! Card attached. Version 1.4 is what every Teams client shows; a message may have 28 KB.

use crate::domain::alert::{Event, Message, Severity};
use serde_json::{Value, json};

const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// The message.
pub(super) fn body(message: &Message) -> Value {
    let mut facts: Vec<Value> =
        message.facts.iter().map(|(name, value)| json!({"title": name, "value": value})).collect();
    facts.extend(message.history().map(|history| json!({"title": "seen", "value": history})));
    let heading = json!({
        "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true,
        "color": colour(message), "text": plain(&message.heading()),
    });
    let mut elements = vec![heading, text(&message.text)];
    if !facts.is_empty() {
        elements.push(json!({"type": "FactSet", "facts": facts}));
    }
    elements.extend(message.advice().map(|advice| text(&format!("What to do: {advice}"))));
    elements.push(json!({
        "type": "TextBlock", "size": "Small", "isSubtle": true, "wrap": true,
        "text": format!("{} · {}", message.at, message.id),
    }));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": plain(&format!("{}: {}", message.heading(), message.text)),
        "body": elements,
    });
    json!({
        "type": "message",
        "attachments": [{"contentType": CARD, "contentUrl": null, "content": card}],
    })
}

fn text(text: &str) -> Value {
    json!({"type": "TextBlock", "wrap": true, "text": plain(text)})
}

/// Cards take some Markdown. Ours to say holds none, and nothing in it shall become a link.
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

fn colour(message: &Message) -> &'static str {
    match (message.event, message.severity) {
        (Event::Resolved, _) => "Good",
        (Event::Test, _) | (_, Severity::Note) => "Default",
        (_, Severity::Warning) => "Warning",
        (_, Severity::Error) => "Attention",
    }
}
