//! The description in plainer words: programs that make clients from it, or test by it, understand these.

use serde_json::{Value, json};

/// Says it plainer, everywhere below.
pub(super) fn all(value: &mut Value) {
    match value {
        Value::Array(all_of_it) => all_of_it.iter_mut().for_each(all),
        Value::Object(object) => {
            if let Some(words) = object.get("oneOf").and_then(words) {
                let told: Vec<&str> = object.get("description").and_then(Value::as_str).into_iter().collect();
                let told: Vec<String> = told.into_iter().map(str::to_owned).chain(meanings(object)).collect();
                object.remove("oneOf");
                object.insert("description".to_owned(), told.join("\n").into());
                object.insert("type".to_owned(), "string".into());
                object.insert("enum".to_owned(), words.into());
            }
            bound(object);
            object.values_mut().for_each(all);
        }
        _ => {}
    }
}

type Object = serde_json::Map<String, Value>;

/// The words that may stand there, where there is nothing but words.
fn words(one_of: &Value) -> Option<Vec<Value>> {
    let mut words = Vec::new();
    for one in one_of.as_array()? {
        match (one.get("const"), one.get("enum").and_then(Value::as_array)) {
            (Some(word), _) if word.is_string() => words.push(word.clone()),
            (None, Some(some)) if some.iter().all(Value::is_string) => words.extend(some.iter().cloned()),
            _ => return None,
        }
    }
    Some(words)
}

/// What each word means, a line each.
fn meanings(object: &Object) -> Vec<String> {
    let all = object.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    all.filter_map(|one| Some(format!("- `{}`: {}", text(one, "const")?, text(one, "description")?)))
        .collect()
}

/// How far a number reaches: a client that goes by the description sends none that cannot be read.
fn bound(object: &mut Object) {
    let (least, most) = match object.get("format").and_then(Value::as_str) {
        Some("uint8") => (json!(0), json!(u8::MAX)),
        Some("uint16") => (json!(0), json!(u16::MAX)),
        Some("uint32") => (json!(0), json!(u32::MAX)),
        Some("uint64") => (json!(0), json!(u64::MAX)),
        Some("int64") => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    object.entry("minimum").or_insert(least);
    object.entry("maximum").or_insert(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_words_is_told_as_one_and_a_number_with_its_reach() {
        let mut schema = json!({
            "description": "How it stands.",
            "oneOf": [
                { "const": "running", "description": "It goes on.", "type": "string" },
                { "enum": ["done", "failed"], "type": "string" },
            ],
            "properties": {
                "number": { "format": "uint64", "minimum": 1, "type": "integer" },
                "other": { "oneOf": [{ "const": "all" }, { "type": "object" }] },
            },
        });
        all(&mut schema);
        let other = json!({ "oneOf": [{ "const": "all" }, { "type": "object" }] });
        let number = json!({ "format": "uint64", "minimum": 1, "maximum": u64::MAX, "type": "integer" });
        let told = json!({
            "description": "How it stands.\n- `running`: It goes on.",
            "type": "string", "enum": ["running", "done", "failed"],
            "properties": { "number": number, "other": other },
        });
        assert_eq!(schema, told);
    }
}
