//! What is wrong with a rule's text: where, what, and what to do.

use std::fmt;

/// One mistake, at a place of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line of the text, from 1.
    pub line: usize,
    /// Character of that line, from 1.
    pub column: usize,
    /// The text from there, at most some twenty characters; empty at the end.
    pub found: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub way_out: String,
}

impl Mistake {
    /// A mistake at a byte of the text.
    pub(super) fn at(
        text: &str,
        byte: usize,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Mistake {
        const SHOWN: usize = 20;
        let before = text.get(..byte).unwrap_or(text);
        let rest = text.get(byte..).unwrap_or("");
        let first = rest.lines().next().unwrap_or("").trim_end();
        let mut found: String = first.chars().take(SHOWN).collect();
        if first.chars().count() > SHOWN {
            found.push('…');
        }
        let on_line = before.rsplit('\n').next().unwrap_or("");
        Mistake {
            line: before.matches('\n').count() + 1,
            column: on_line.chars().count() + 1,
            found,
            what: what.into(),
            way_out: way_out.into(),
        }
    }

    /// What is wrong and where, without the way out.
    pub fn told(&self) -> String {
        let line = if self.line > 1 { format!("line {}, ", self.line) } else { String::new() };
        if self.found.is_empty() {
            return format!("{}, at the end of the rule", self.what);
        }
        format!("{} ({line}character {}: `{}`)", self.what, self.column, self.found)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.told(), self.way_out)
    }
}

impl std::error::Error for Mistake {}
