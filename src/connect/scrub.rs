//! Takes people and secrets out of texts that come from outside, so that they may be logged, stored
//! and shown (design §3.13). Pure.

use regex::{Captures, Regex};
use std::sync::LazyLock;

/// The longest text that is kept, in characters.
pub const LONGEST: usize = 300;

/// One pattern per kind of thing that is taken out, tried in this order.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // Before the addresses, so that the word in front of a token stays readable.
        (r"(?i)\b(bearer|basic|oauth)\s+[^\s,;]+", "[token]"),
        (r"(?i)pat-[a-z0-9]+-[a-z0-9-]{8,}", "[token]"),
        // Percent-encoded ones as well. Greedy on purpose: rather a word too much than half an address.
        (r#"(?i)[^\s"<>(),;]*(?:@|%40)[^\s"<>(),;]*"#, "[address]"),
        // Mailchimp keys are 32 hex digits with the data centre behind them.
        (r"(?i)[0-9a-f]{32,}-[a-z]{2,4}[0-9]+", "[token]"),
        (r"(?i)[0-9a-f]{32,}", "[hash]"),
    ]
    .into_iter()
    .filter_map(|(pattern, word)| Regex::new(pattern).ok().map(|regex| (regex, word)))
    .collect()
});

/// One line of at most [`LONGEST`] characters without addresses, hashes and tokens.
pub fn scrub(text: &str) -> String {
    let mut line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).fold(
        String::new(),
        |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        },
    );
    for (regex, word) in PATTERNS.iter() {
        line = regex.replace_all(&line, |_: &Captures<'_>| *word).into_owned();
    }
    cut(&line)
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_hashes_and_tokens_are_taken_out() {
        for secret in [
            "ann.lee+x@example.com",
            "o'brien@example.org",
            "ann%40example.com",
            "62eeb292278cc15f5817cb78f7790b08",
            "62EEB292278CC15F5817CB78F7790B08",
            "0123456789abcdef0123456789abcdef-us21",
            "pat-eu1-12345678-aaaa-bbbb-cccc-1234567890ab",
            "jürgen@example.org",
        ] {
            for text in [
                format!("the member {secret} is gone"),
                secret.to_owned(),
                format!("{{\"email\":\"{secret}\"}}"),
                format!("at '{secret}'."),
                format!("user_{secret}"),
            ] {
                let clean = scrub(&text);
                assert!(!clean.contains(secret), "{clean}");
                assert!(!clean.contains("brien") && !clean.contains("ann"), "{clean}");
            }
        }
        assert_eq!(scrub("Authorization: Bearer abc.def"), "Authorization: [token]");
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        let text = "Contact already exists. Existing ID: 12345678901";
        assert_eq!(scrub(text), text);
    }

    #[test]
    fn texts_become_one_line_of_bounded_length() {
        let clean = scrub(&"word\r\n\t".repeat(500));
        assert_eq!(clean.chars().count(), LONGEST);
        assert!(!clean.contains('\n'));
    }

    #[test]
    fn all_patterns_compile() {
        assert_eq!(PATTERNS.len(), 5);
    }

    proptest! {
        #[test]
        fn no_text_keeps_an_at_sign_or_grows_beyond_the_limit(text in "\\PC{0,400}") {
            let clean = scrub(&text);
            prop_assert!(!clean.contains('@'));
            prop_assert!(clean.chars().count() <= LONGEST);
        }
    }
}
