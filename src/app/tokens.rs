//! Tokens of the HTTP API: made, shown, revoked.

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::token::{Presented, Token};
use crate::journal::store::Batch;
use crate::journal::tokens;
use crate::serve::requests::Trouble;
use crate::serve::tokens::{TokenAnswer, TokenRequest, TokenView};

/// The longest name of a token.
const LONGEST_NAME: usize = 100;

impl App {
    /// What is asked about tokens.
    ///
    /// # Errors
    /// There is no such token, or the journal cannot be read or written.
    pub async fn tokens(&self, request: TokenRequest) -> Done<TokenAnswer> {
        let shared = &self.workspace.shared;
        let now = shared.clock.now();
        match request {
            TokenRequest::Create { name, scope, expires } => {
                if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
                    let message = format!("a token's name is one line of at most {LONGEST_NAME} characters");
                    return Err(Trouble::usage(Code::CommandLine, message));
                }
                if expires.is_some_and(|span| span.is_zero()) {
                    let message = "a token that is good for no time is good for nothing".to_owned();
                    return Err(Trouble::usage(Code::CommandLine, message));
                }
                let made = Presented::new(shared.entropy.secret(), shared.entropy.secret());
                let (hash, expires) = (made.hash(), expires.map(|span| now.plus(span)));
                let token = Token { id: made.id, name, scope, hash, created: now, expires, revoked: None };
                self.keep_token(&token).await?;
                tracing::info!(token = %token.id, scope = scope.word(), "a token was made");
                Ok(TokenAnswer::Created { token: made.text(), kept: TokenView::of(&token, now) })
            }
            TokenRequest::List => {
                let all = tokens::all(&shared.journal)?;
                Ok(TokenAnswer::Tokens(all.iter().map(|token| TokenView::of(token, now)).collect()))
            }
            TokenRequest::Revoke(id) => {
                let Some(token) = tokens::of(&shared.journal, id)? else {
                    return Err(Trouble::usage(Code::NothingSuch, format!("there is no token {id}"))
                        .with_way_out("`hsmc token list` shows them"));
                };
                let token = Token { revoked: Some(token.revoked.unwrap_or(now)), ..token };
                self.keep_token(&token).await?;
                tracing::info!(token = %id, "a token was revoked");
                Ok(TokenAnswer::Tokens(vec![TokenView::of(&token, now)]))
            }
        }
    }

    async fn keep_token(&self, token: &Token) -> Done<()> {
        let journal = &self.workspace.shared.journal;
        let mut batch = Batch::new();
        tokens::put(journal, &mut batch, token)?;
        journal.commit(batch).await?;
        Ok(())
    }
}
