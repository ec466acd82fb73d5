//! What is asked and answered about tokens of the HTTP API.

use crate::domain::time::Timestamp;
use crate::domain::token::{Token, TokenId, TokenScope};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is asked about tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// Make one.
    Create {
        /// What it is for.
        name: String,
        /// What it may do.
        scope: TokenScope,
        /// How long it is good; none for until it is revoked.
        expires: Option<Duration>,
    },
    /// Show all.
    List,
    /// Let one be good for nothing from now on.
    Revoke(TokenId),
}

/// The answer to one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TokenAnswer {
    /// A new one: its secret is shown here, and never again.
    Created {
        /// The token, as `Authorization: Bearer …` takes it.
        token: String,
        /// What is kept of it.
        kept: TokenView,
    },
    /// All, or the one that was revoked.
    Tokens(Vec<TokenView>),
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Whether it is good now.
    pub is_good: bool,
}

impl TokenView {
    /// As it stands at a moment.
    pub fn of(token: &Token, now: Timestamp) -> TokenView {
        TokenView {
            id: token.id.to_string(),
            name: token.name.clone(),
            scope: token.scope,
            created: token.created,
            expires: token.expires,
            revoked: token.revoked,
            is_good: token.is_good(now).is_ok(),
        }
    }
}
