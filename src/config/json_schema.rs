//! The JSON Schema of the config file, for editors: shapes from the types that read it, words and defaults from the
//! table of keys. `docs/hsmc.schema.json` is this, and a test holds it to that.

use super::keys::{self, Kind};
use super::lenient::{Limit, Share, Span, Text, Truth, Whole};
use super::schema::Document;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;

macro_rules! written_as {
    ($($type:ty, $name:literal, $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

// Numbers and truth values may be text too: that is how the environment and references give them.
written_as! {
    Text, "Text", { "type": ["string", "number", "boolean"] };
    Whole, "Whole", { "type": ["integer", "string"], "minimum": 0 };
    Share, "Share", { "type": ["number", "string"], "minimum": 0, "maximum": 1 };
    Truth, "Truth", { "type": ["boolean", "string"] };
    Span, "Span", { "type": "string" };
    Limit<Whole>, "WholeOrNone", { "type": ["integer", "string"], "minimum": 0 };
    Limit<Share>, "ShareOrNone", { "type": ["number", "string"], "minimum": 0, "maximum": 1 };
}

/// The schema, as the text of a file.
pub fn schema() -> String {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = generator.root_schema_for::<Document>().to_value();
    describe(&mut schema, "");
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "hsmc.toml".into());
        root.insert("description".to_owned(), "The config of one workspace of hsmc.".into());
    }
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Puts words, defaults and allowed words beside the shape of each key.
fn describe(schema: &mut Value, path: &str) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("default");
    if let Some(key) = keys::KEYS.iter().find(|key| key.path == path) {
        object.insert("description".to_owned(), key.what.into());
        if let Some(default) = key.default.filter(|_| !matches!(key.kind, Kind::Texts | Kind::Names)) {
            object.insert("default".to_owned(), default.into());
        }
        if let Kind::Word(words) = key.kind {
            object.insert("examples".to_owned(), words.to_vec().into());
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, inner) in properties {
            describe(inner, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") });
        }
    }
    if let Some(items) = object.get_mut("items") {
        describe(items, &format!("{path}[]"));
    }
    if let Some(each) = object.get_mut("additionalProperties") {
        describe(each, &format!("{path}.*"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every key that the types know: objects and lists of objects are looked into.
    fn paths(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, inner) in properties {
                paths(inner, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        } else if schema["additionalProperties"]["properties"].is_object() {
            paths(&schema["additionalProperties"], &format!("{path}.*"), found);
        } else if schema["items"]["properties"].is_object() {
            paths(&schema["items"], &format!("{path}[]"), found);
        } else {
            found.insert(path.to_owned());
        }
    }

    #[test]
    fn every_key_is_explained_and_nothing_else_is() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let mut known = BTreeSet::new();
        paths(&schema, "", &mut known);
        let told: BTreeSet<String> = keys::KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(
            known, told,
            "src/config/keys.rs tells of every key in src/config/schema.rs, and of no other"
        );
    }

    #[test]
    fn the_schema_in_docs_is_what_the_code_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hsmc.schema.json");
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            std::fs::write(file, schema()).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            written == schema(),
            "docs/hsmc.schema.json is stale: WRITE_GOLDEN=1 cargo test --lib json_schema"
        );
    }

    #[test]
    fn the_defaults_told_are_the_defaults_in_force() {
        let least = "[hubspot]\ntoken = \"t\"\n[mailchimp]\napi_key = \"k-us1\"\naudience = \"a\"\n";
        let spelled: String = keys::KEYS
            .iter()
            .filter(|key| !key.path.contains(['[', '*']))
            .filter_map(|key| {
                let (section, name) = key.path.split_once('.')?;
                let value = match key.default? {
                    "[]" => "[]".to_owned(),
                    default => format!("\"{default}\""),
                };
                Some((section, format!("{name} = {value}\n")))
            })
            .fold(std::collections::BTreeMap::<&str, String>::new(), |mut all, (section, line)| {
                all.entry(section).or_default().push_str(&line);
                all
            })
            .into_iter()
            .map(|(section, lines)| match section {
                "hubspot" => format!("[hubspot]\ntoken = \"t\"\n{lines}"),
                "mailchimp" => format!("[mailchimp]\napi_key = \"k-us1\"\naudience = \"a\"\n{lines}"),
                section => format!("[{section}]\n{lines}"),
            })
            .collect();
        let group = "[[group]]\nname = \"g\"\nlist = [{ id = \"1\", tag = \"T\" }]\n";
        let load = |text: &str| {
            let text = format!("{text}{group}");
            let read =
                crate::config::load_text("t", &text, ".".as_ref(), &crate::config::Environment::default());
            format!("{:?}", read.unwrap_or_else(|errors| panic!("{errors}\n{text}")))
        };
        assert_eq!(load(&spelled), load(least));
    }
}
