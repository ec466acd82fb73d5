//! `hsmc token`: a new token, or all of them without their secrets.

use crate::cli::table::{Layout, Mood, print};
use crate::serve::tokens::{TokenAnswer, TokenView};

/// A new token alone on its line, so that a script can take it; else a table.
pub fn tokens(view: &TokenAnswer, layout: Layout) -> String {
    let tokens = match view {
        TokenAnswer::Created { token, kept } => {
            let until =
                kept.expires.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {at}"));
            let scope = kept.scope.word();
            return format!(
                "{token}\n  shown this once; scope {scope}, good {until}; to end it: hsmc token revoke {}\n",
                kept.id
            );
        }
        TokenAnswer::Tokens(tokens) if tokens.is_empty() => {
            return "no token was made yet: hsmc token create --scope read\n".to_owned();
        }
        TokenAnswer::Tokens(tokens) => tokens,
    };
    let mut table = layout.table(&["token", "name", "scope", "made", "good"]);
    for token in tokens {
        let mood = if token.is_good { Mood::Plain } else { Mood::Wary };
        table.add_row(vec![
            layout.cell(&token.id, Mood::Plain),
            layout.cell(&token.name, Mood::Plain),
            layout.cell(token.scope.word(), Mood::Plain),
            layout.cell(token.created, Mood::Plain),
            layout.cell(good(token), mood),
        ]);
    }
    print(&table)
}

fn good(token: &TokenView) -> String {
    match (token.revoked, token.expires) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if token.is_good => format!("until {at}"),
        (None, Some(at)) => format!("expired {at}"),
        (None, None) => "until revoked".to_owned(),
    }
}
