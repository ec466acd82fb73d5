//! `hsmc token`: its arguments.

use crate::domain::token::{TokenId, TokenScope};
use crate::serve::tokens::TokenRequest;
use clap::Subcommand;
use std::time::Duration;

/// `token …`
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once, and kept only as a hash
    Create {
        /// What it may do: read, operate or admin; each includes those before it
        #[arg(long, value_name = "SCOPE")]
        scope: TokenScope,
        /// What it is for
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// How long it is good, as 90d; without it, until it is revoked
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
    },
    /// List all tokens, without their secrets
    List,
    /// Let a token be good for nothing from now on
    Revoke {
        /// Its id, as `hsmc token list` shows it
        id: TokenId,
    },
}

impl From<&TokenCommand> for TokenRequest {
    fn from(command: &TokenCommand) -> TokenRequest {
        match command {
            TokenCommand::Create { scope, name, expires } => {
                TokenRequest::Create { name: name.clone(), scope: *scope, expires: *expires }
            }
            TokenCommand::List => TokenRequest::List,
            TokenCommand::Revoke { id } => TokenRequest::Revoke(*id),
        }
    }
}
