//! Addresses. An address is trimmed and lower-cased, dots and plus-tags kept (design §8), and never
//! prints itself: neither an address nor its hash may reach a log (design §3.13).

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A normalised address. `Debug` hides it; only [`Email::as_str`] gives it out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Email(String);

/// Why a text is no address that either service would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailProblem {
    /// Nothing but blanks.
    #[error("there is no address")]
    Empty,
    /// Not of the form `name@example.com`, or with characters no address has.
    #[error("the address is malformed")]
    Malformed,
    /// Longer than the 254 characters an address may have.
    #[error("the address is too long")]
    TooLong,
}

impl Email {
    /// Normalises and checks an address.
    ///
    /// # Errors
    /// Says what is wrong with the text; never repeats it.
    pub fn parse(text: &str) -> Result<Email, EmailProblem> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return Err(EmailProblem::Empty);
        }
        if text.chars().count() > 254 {
            return Err(EmailProblem::TooLong);
        }
        let Some((local, domain)) = text.rsplit_once('@') else { return Err(EmailProblem::Malformed) };
        let bad = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')')
        };
        let labels_fine = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
        let local_fine =
            !local.is_empty() && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if !labels_fine || !local_fine || local.contains(bad) || domain.contains(bad) {
            return Err(EmailProblem::Malformed);
        }
        Ok(Email(text))
    }

    /// An address as a service has it, or an operator names it, normalised: whoever bears a strange one may have
    /// opted out. Nobody is enrolled by it.
    ///
    /// # Errors
    /// It is empty, has control characters or no `@`.
    pub fn as_given(text: &str) -> Result<Email, EmailProblem> {
        let text = text.trim().to_lowercase();
        match text.is_empty() {
            true => Err(EmailProblem::Empty),
            false if text.contains('@') && !text.contains(char::is_control) => Ok(Email(text)),
            false => Err(EmailProblem::Malformed),
        }
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Mailchimp subscriber hash of this address (Mailchimp contract §4).
    pub fn hash(&self) -> SubscriberHash {
        SubscriberHash(Md5::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(hidden)")
    }
}

/// MD5 of the lower-cased address: Mailchimp's name for a member. Unsalted, so it is treated as an
/// address and never prints itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriberHash(pub [u8; 16]);

impl SubscriberHash {
    /// The form that goes into a path: 32 lower-case hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads 32 hex digits.
    pub fn from_hex(text: &str) -> Option<SubscriberHash> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(SubscriberHash(bytes))
    }
}

impl fmt::Debug for SubscriberHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubscriberHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_lower_cased_and_keep_dots_and_tags() {
        let email = Email::parse("  Ann.Lee+News@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "ann.lee+news@example.com");
        assert_eq!(format!("{email:?}"), "Email(hidden)");
    }

    #[test]
    fn unicode_is_lower_cased_too() {
        assert_eq!(Email::parse("JÜRGEN@example.org").unwrap().as_str(), "jürgen@example.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "   ",
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
            "a@b@example.com",
            "a@example..com",
            ".a@example.com",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?} passed");
        }
    }

    #[test]
    fn the_hash_is_the_md5_of_the_normalised_address() {
        let hash = Email::parse("Urist.McVankab@example.com").unwrap().hash();
        assert_eq!(hash.hex(), "cb63c7306d1853af527b11f0cb244d45");
        assert_eq!(SubscriberHash::from_hex(&hash.hex()), Some(hash));
    }
}
