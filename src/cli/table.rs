//! Tables and counts that fit a terminal of 80 columns and stay plain text without one.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use std::collections::BTreeMap;
use std::time::Duration;

/// How text is laid out: decided once, passed everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns at hand.
    pub width: u16,
    /// Whether colours are wanted.
    pub colour: bool,
}

impl Layout {
    /// 80 columns, no colour: pipes, files and tests.
    pub const PLAIN: Layout = Layout { width: 80, colour: false };
}

/// What a colour stands for. The word beside it always says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Nothing to note.
    Plain,
    /// As it should be.
    Good,
    /// Look at it.
    Wary,
    /// Do something.
    Bad,
}

impl Mood {
    fn colour(self) -> Option<Color> {
        match self {
            Mood::Plain => None,
            Mood::Good => Some(Color::Green),
            Mood::Wary => Some(Color::Yellow),
            Mood::Bad => Some(Color::Red),
        }
    }

    fn ansi(self) -> Option<&'static str> {
        match self {
            Mood::Plain => None,
            Mood::Good => Some("32"),
            Mood::Wary => Some("33"),
            Mood::Bad => Some("31"),
        }
    }
}

impl Layout {
    /// An empty table with a header.
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if !header.is_empty() {
            table.set_header(header.iter().map(|name| name.to_uppercase()));
        }
        table
    }

    /// A cell in a mood.
    pub fn cell(self, text: impl ToString, mood: Mood) -> Cell {
        let cell = Cell::new(text);
        match mood.colour().filter(|_| self.colour) {
            Some(colour) => cell.fg(colour),
            None => cell,
        }
    }

    /// A word in a mood.
    pub fn paint(self, text: &str, mood: Mood) -> String {
        match mood.ansi().filter(|_| self.colour) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }

    /// A paragraph under a label, wrapped with a hanging indent:
    /// `people    enrolled 3,211 · opted-out 40`.
    pub fn labelled(self, label: &str, text: &str) -> String {
        const COLUMN: usize = 11;
        let room = usize::from(self.width).saturating_sub(COLUMN).max(20);
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + 1 + word.chars().count() > room {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        let mut shown = String::new();
        for (index, line) in lines.iter().enumerate() {
            let head = if index == 0 { label } else { "" };
            shown.push_str(format!("{head:<COLUMN$}{line}").replace('\u{a0}', " ").trim_end());
            shown.push('\n');
        }
        shown
    }
}

/// A table as text, without blanks at the ends of lines.
pub fn print(table: &Table) -> String {
    let mut text = String::new();
    for line in table.trim_fmt().lines() {
        // The style without borders still has a blank before each line.
        text.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
        text.push('\n');
    }
    text
}

/// `1,234,567`
pub fn number(value: u64) -> String {
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

/// `enroll 12 · refresh 3`; what is zero is left out, `none` when all are. A word and its count are
/// tied by a blank that `labelled` does not break at.
pub fn counts(of: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = of
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(word, count)| format!("{word}\u{a0}{}", number(*count)))
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(" · ") }
}

/// `1h 5m`, to the second; `0s` below one.
pub fn duration(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_readable() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(duration(Duration::from_millis(3_605_900)), "1h 5s");
        assert_eq!(duration(Duration::from_millis(900)), "0s");
    }

    #[test]
    fn a_long_paragraph_hangs_under_its_label() {
        let layout = Layout { width: 40, colour: false };
        let text = layout.labelled("people", "enrolled 3,211 and many others that do not fit one line");
        assert_eq!(
            text,
            "people     enrolled 3,211 and many\n           others that do not fit one\n           line\n"
        );
    }
}
