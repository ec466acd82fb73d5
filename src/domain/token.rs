//! Tokens for the HTTP API: what they may do, and what is kept of them.
//!
//! Promises: the secret is shown once, to whoever makes the token; what is kept is a hash of it, which is compared in
//! constant time. A token is found by its id, which is no secret: how long a look takes tells nothing of the secret.

use super::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// What a token may do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Look.
    Read,
    /// Start runs, decide on plans and moves, hold work back.
    Operate,
    /// Whatever takes something away.
    Admin,
}

impl TokenScope {
    /// All, the narrowest first.
    pub const ALL: [TokenScope; 3] = [TokenScope::Read, TokenScope::Operate, TokenScope::Admin];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            TokenScope::Read => "read",
            TokenScope::Operate => "operate",
            TokenScope::Admin => "admin",
        }
    }
}

impl FromStr for TokenScope {
    type Err = String;

    fn from_str(text: &str) -> Result<TokenScope, String> {
        let known = TokenScope::ALL.into_iter().find(|scope| scope.word() == text);
        known.ok_or_else(|| "write read, operate or admin".to_owned())
    }
}

/// A token's public half: names it in lists and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub [u8; 8]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for TokenId {
    type Err = String;

    fn from_str(text: &str) -> Result<TokenId, String> {
        let mut bytes = [0; 8];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(TokenId(bytes)),
            Err(_) => Err(format!("`{text}` is no token's id: `hsmc token list` shows them")),
        }
    }
}

/// A token as whoever asks shows it. Has no `Debug`: nothing prints it but [`Presented::text`].
pub struct Presented {
    /// Which.
    pub id: TokenId,
    secret: [u8; 32],
}

const PREFIX: &str = "hsmc_";

impl Presented {
    /// A new one, from bytes that nobody can guess.
    pub fn new(id: [u8; 32], secret: [u8; 32]) -> Presented {
        let mut short = [0; 8];
        short.iter_mut().zip(id).for_each(|(to, from)| *to = from);
        Presented { id: TokenId(short), secret }
    }

    /// Reads one; none where the text is no token.
    pub fn read(text: &str) -> Option<Presented> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(secret, &mut bytes).ok()?;
        Some(Presented { id: id.parse().ok()?, secret: bytes })
    }

    /// As it is shown, once.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, hex::encode(self.secret))
    }

    /// What is kept instead of the secret. It has 256 bits of chance: there is nothing to guess, and nothing to slow
    /// down.
    pub fn hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"hsmc token\0");
        digest.update(self.id.0);
        digest.update(self.secret);
        digest.finalize().into()
    }
}

/// What is kept of a token. Its serde form is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Which.
    pub id: TokenId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// A hash of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// No token of this hsmc.
    Unknown,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl Token {
    /// Whether it is good at a moment.
    ///
    /// # Errors
    /// It has expired, or was revoked.
    pub fn is_good(&self, now: Timestamp) -> Result<(), NotTaken> {
        if self.revoked.is_some() {
            return Err(NotTaken::Revoked);
        }
        if self.expires.is_some_and(|expires| expires <= now) { Err(NotTaken::Expired) } else { Ok(()) }
    }
}

/// What a presented token may do, given what is kept under its id. An unknown id takes as long as a known one.
///
/// # Errors
/// The token is not taken.
pub fn admit(presented: &Presented, kept: Option<&Token>, now: Timestamp) -> Result<TokenScope, NotTaken> {
    let expected = kept.map_or([0; 32], |token| token.hash);
    let is_same = bool::from(presented.hash().ct_eq(&expected));
    let token = kept.filter(|_| is_same).ok_or(NotTaken::Unknown)?;
    token.is_good(now).map(|()| token.scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(presented: &Presented) -> Token {
        Token {
            id: presented.id,
            name: "t".to_owned(),
            scope: TokenScope::Operate,
            hash: presented.hash(),
            created: Timestamp(0),
            expires: Some(Timestamp(10)),
            revoked: None,
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_shown_and_no_other_secret_is_taken_for_it(id: [u8; 32], a: [u8; 32], b: [u8; 32]) {
            let made = Presented::new(id, a);
            let token = kept(&made);
            let read = Presented::read(&made.text()).unwrap();
            prop_assert_eq!(admit(&read, Some(&token), Timestamp(9)), Ok(TokenScope::Operate));
            prop_assert_eq!(admit(&read, Some(&token), Timestamp(10)), Err(NotTaken::Expired));
            prop_assert_eq!(admit(&read, None, Timestamp(9)), Err(NotTaken::Unknown));
            let revoked = Token { revoked: Some(Timestamp(1)), ..token.clone() };
            prop_assert_eq!(admit(&read, Some(&revoked), Timestamp(9)), Err(NotTaken::Revoked));
            if a != b {
                let forged = Presented::new(id, b);
                prop_assert_eq!(admit(&forged, Some(&token), Timestamp(9)), Err(NotTaken::Unknown));
            }
        }

        #[test]
        fn whatever_is_presented_is_read_or_refused(text in ".*") {
            prop_assert!(Presented::read(&text).is_none());
        }
    }

    #[test]
    fn each_scope_includes_those_before_it() {
        assert!(TokenScope::Admin > TokenScope::Operate && TokenScope::Operate > TokenScope::Read);
        assert!(TokenScope::ALL.into_iter().all(|scope| scope.word().parse() == Ok(scope)));
    }
}
