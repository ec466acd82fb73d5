//! What the API promises of its face alone.

use super::*;

#[test]
fn no_address_stands_in_a_path_or_a_query() {
    let document: serde_json::Value = serde_json::from_str(&description()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().unwrap() {
                let is_free_text =
                    parameter["schema"]["type"] == "string" && parameter["schema"].get("pattern").is_none();
                assert!(!is_free_text, "{method} {path}: {}", parameter["name"]);
            }
        }
    }
}
