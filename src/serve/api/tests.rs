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

#[test]
fn the_dashboard_and_the_page_on_the_api_name_the_metrics_there_are() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/");
    let dashboard = std::fs::read_to_string(format!("{docs}grafana-dashboard.json")).unwrap();
    let page = std::fs::read_to_string(format!("{docs}api.md")).unwrap();
    let _: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let known: Vec<&str> = crate::telemetry::metric::ALL.iter().map(|metric| metric.name).collect();
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    for text in [&dashboard, &page] {
        for (at, _) in text.match_indices("hsmc_") {
            let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
            assert!(known.contains(&name.as_str()) || name == "hsmc_", "{name} is no metric");
        }
    }
    for name in known {
        assert!(page.contains(&format!("`{name}`")), "docs/api.md does not tell of {name}");
    }
}
