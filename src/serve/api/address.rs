//! What an address looks like, for the description: what it lets through, hsmc takes for an address.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Stands for an address in a body.
pub(super) struct Address;

/// What neither a name nor a part of a domain has; dots stand between them.
const PATTERN: &str = concat!(
    r#"^[^\s\u0000-\u001f\u007f-\u009f@,;<>"().]+(\.[^\s\u0000-\u001f\u007f-\u009f@,;<>"().]+)*"#,
    r#"@[^\s\u0000-\u001f\u007f-\u009f@,;<>"().]+(\.[^\s\u0000-\u001f\u007f-\u009f@,;<>"().]+)+$"#
);

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": 254 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::Email;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_the_description_lets_through_is_an_address(text in "[a-z.@ ,;<>\"()é\\u{7}-]{3,30}") {
            if regex::Regex::new(PATTERN).unwrap().is_match(&text) {
                prop_assert!(Email::parse(&text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_an_address_is_let_through() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for text in
            ["ada@example.com", "Ada.Lee+news@sub.example.com", "jürgen@example.org", "o'hara@example.com"]
        {
            assert!(pattern.is_match(text), "{text}");
        }
    }
}
