//! The text cut into words and signs, each with its place.

use super::limits;
use super::mistake::Mistake;

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`
    Sign(&'static str),
    /// `"text"` or `'text'`
    Quoted(String),
    /// `` `name` ``: a property, whatever it is called.
    Name(String),
    /// Anything bare: a keyword, a property, a value.
    Word(String),
}

/// A token and the byte it begins at.
pub(super) type Placed = (Token, usize);

// Two characters before one, or `>=` would be read as `>`.
const SIGNS: [(&str, &str); 7] =
    [("!=", "!="), (">=", ">="), ("<=", "<="), ("==", "="), ("=", "="), (">", ">"), ("<", "<")];

/// Whether a bare word may hold the character.
pub(super) fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+')
}

/// Cuts the text.
pub(super) fn cut(text: &str) -> Result<Vec<Placed>, Mistake> {
    if text.len() > limits::TEXT {
        return Err(Mistake::at(
            text,
            0,
            format!("the rule is longer than {} bytes", limits::TEXT),
            "put the people into a list in HubSpot, and ask for that list",
        ));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        let (token, length) = first(text, at, rest)?;
        tokens.push((token, at));
        at += length;
    }
    Ok(tokens)
}

/// The token that the rest begins with, and its length.
fn first(text: &str, at: usize, rest: &str) -> Result<(Token, usize), Mistake> {
    if let Some((written, sign)) = SIGNS.iter().find(|(written, _)| rest.starts_with(written)) {
        return Ok((Token::Sign(sign), written.len()));
    }
    let bare = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
    if bare > 0 {
        return Ok((Token::Word(rest.get(..bare).unwrap_or(rest).to_owned()), bare));
    }
    match rest.chars().next() {
        Some('(') => Ok((Token::Open, 1)),
        Some(')') => Ok((Token::Close, 1)),
        Some('[') => Ok((Token::ListOpen, 1)),
        Some(']') => Ok((Token::ListClose, 1)),
        Some(',') => Ok((Token::Comma, 1)),
        Some(quote @ ('"' | '\'' | '`')) => {
            let (inner, length) = quoted(rest, quote).ok_or_else(|| {
                Mistake::at(text, at, "a quote is opened and not closed", format!("close it with {quote}"))
            })?;
            Ok((if quote == '`' { Token::Name(inner) } else { Token::Quoted(inner) }, length))
        }
        Some(c) => Err(Mistake::at(
            text,
            at,
            format!("`{c}` belongs to nothing here"),
            "take it out, or put the value into quotes",
        )),
        None => Ok((Token::Comma, 0)),
    }
}

/// What stands between the quotes, and the length with them. A backslash takes the next character as
/// it is.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => {
                inner.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Some((inner, at + c.len_utf8())),
            c => inner.push(c),
        }
    }
    None
}
