//! A workspace's config against the simulated accounts.

const TEMPLATE: &str = include_str!("workspace.toml");

/// The agency's config with the sandbox's credentials and addresses.
pub fn config_toml(hubspot_base_url: &str, mailchimp_base_url: &str) -> String {
    TEMPLATE.replace("@HUBSPOT@", hubspot_base_url).replace("@MAILCHIMP@", mailchimp_base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_names_only_lists_and_tags_the_scenarios_have() {
        let text = config_toml("http://127.0.0.1:1/hubspot", "http://127.0.0.1:1/mailchimp/3.0");
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["sync"]["apply"].as_str(), Some("always"));
        assert_eq!(config["hubspot"]["base_url"].as_str(), Some("http://127.0.0.1:1/hubspot"));
        let state = crate::sandbox::scenario::tiny(1).state();
        let lists = state["hubspot"]["lists"].as_object().unwrap();
        for group in config["group"].as_array().unwrap() {
            for list in group["list"].as_array().unwrap() {
                assert!(lists.contains_key(list["id"].as_str().unwrap()));
            }
            for list in group["exclude"].as_array().unwrap() {
                assert!(lists.contains_key(list.as_str().unwrap()));
            }
        }
        for handover in config["handover"].as_array().unwrap() {
            for key in ["to", "from"] {
                let Some(list) = handover.get(key) else { continue };
                assert!(lists.contains_key(list.as_str().unwrap()));
            }
        }
    }
}
