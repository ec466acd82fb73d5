//! Text for a terminal that holds words of others: names of lists and tags, what a service said.
//!
//! Promises: nothing in it steers the terminal but hsmc's own colours, nor turns the direction of reading.
//! Never: another letter.

use super::table::Layout;
use std::borrow::Cow;

/// What stands where something would have steered the terminal.
const INSTEAD: char = '\u{fffd}';

/// The same text, and nothing but text, lines and, where the layout has them, colours.
pub(super) fn printable(text: &str, layout: Layout) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let colour = if layout.colour { colour_at_start(rest) } else { None };
        let taken = colour.map_or(next.len_utf8(), str::len);
        match colour {
            Some(colour) => shown.push_str(colour),
            None => shown.push(if steers(next) { INSTEAD } else { next }),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(shown)
}

fn steers(letter: char) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && letter != '\n')
}

/// A change of colour or weight: ESC, bracket, numbers, `m`.
fn colour_at_start(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let length = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers.get(length..)?.strip_prefix('m')?;
    text.get(..length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::Mood;

    const COLOURED: Layout = Layout { colour: true, ..Layout::PLAIN };

    #[test]
    fn a_name_takes_no_orders_for_the_terminal() {
        for (name, shown) in [
            ("Alpha · ä\n", "Alpha · ä\n"),
            ("\u{1b}]0;title\u{7}Alpha", "\u{fffd}]0;title\u{fffd}Alpha"),
            ("Al\u{1b}[2Jpha\r", "Al\u{fffd}[2Jpha\u{fffd}"),
            ("\u{9b}2J\u{202e}", "\u{fffd}2J\u{fffd}"),
            ("\u{1b}", "\u{fffd}"),
            ("\u{1b}[31", "\u{fffd}[31"),
        ] {
            assert_eq!(printable(name, Layout::PLAIN), shown);
            assert_eq!(printable(name, COLOURED), shown);
        }
    }

    #[test]
    fn colours_stay_where_there_are_any() {
        let painted = COLOURED.paint("stuck\u{7}", Mood::Bad);
        assert_eq!(printable(&painted, COLOURED), "\u{1b}[31mstuck\u{fffd}\u{1b}[0m");
        assert_eq!(printable("\u{1b}[1;31mred", Layout::PLAIN), "\u{fffd}[1;31mred");
    }
}
