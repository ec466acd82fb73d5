//! `[webhooks]`: what webhooks of both services are checked by. Off where there is no secret.

use super::api::Api;
use super::error::Problem;
use super::lenient::Text;
use super::schema;
use crate::domain::code::Code;
use secrecy::{ExposeSecret, SecretString};

/// Secrets of webhooks, and where the services find hsmc.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    /// The client secret of HubSpot's app.
    pub hubspot_secret: Option<SecretString>,
    /// The signing secret of Mailchimp's webhook.
    pub mailchimp_secret: Option<SecretString>,
    /// The API's address as the services call it, without a slash at the end.
    pub url: Option<String>,
}

impl Webhooks {
    /// The text of HubSpot's secret.
    pub fn hubspot_key(&self) -> Option<&str> {
        self.hubspot_secret.as_ref().map(ExposeSecret::expose_secret)
    }

    /// The text of Mailchimp's secret.
    pub fn mailchimp_key(&self) -> Option<&str> {
        self.mailchimp_secret.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// Checks the section.
pub(super) fn check(from: schema::Webhooks, api: Option<&Api>, problems: &mut Vec<Problem>) -> Webhooks {
    let given = |text: Option<Text>| text.map(|Text(text)| text).filter(|text| !text.is_empty());
    let (hubspot, mailchimp) = (given(from.hubspot_secret), given(from.mailchimp_secret));
    let url = given(from.url);
    let expected = hubspot.is_some() || mailchimp.is_some();
    if expected && api.is_none() {
        problems.push(Problem::new(
            Code::ConfigContradiction,
            if hubspot.is_some() { "webhooks.hubspot_secret" } else { "webhooks.mailchimp_secret" },
            "webhooks come in by the API, and nothing says where that listens",
            "add `listen = \"127.0.0.1:4680\"` under [api]",
        ));
    }
    if hubspot.is_some() && url.is_none() {
        problems.push(Problem::new(
            Code::ConfigMissing,
            "webhooks.url",
            "HubSpot signs the address it calls, and `url` does not say which that is",
            "add `url = \"https://host\"`: the API's address as HubSpot calls it",
        ));
    }
    let is_web = |url: &String| {
        url::Url::parse(url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        })
    };
    if url.as_ref().is_some_and(|url| !is_web(url)) {
        problems.push(Problem::new(
            Code::ConfigValue,
            "webhooks.url",
            "this is no web address, or it has more than host and path",
            "write it as \"https://host\"",
        ));
    }
    Webhooks {
        hubspot_secret: hubspot.map(SecretString::from),
        mailchimp_secret: mailchimp.map(SecretString::from),
        url: url.map(|url| url.trim_end_matches('/').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(lines: &str, api: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let api = api.then(|| {
            super::super::api::check(toml::from_str("listen = \"127.0.0.1:1\"").unwrap(), &mut problems)
                .unwrap()
        });
        check(toml::from_str(lines).unwrap(), api.as_ref(), &mut problems);
        problems.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn secrets_are_of_use_only_where_webhooks_can_come_in() {
        let both = "hubspot_secret = \"a\"\nmailchimp_secret = \"b\"\nurl = \"https://sync.example.com/\"";
        assert_eq!(wrong(both, true), Vec::<String>::new());
        assert_eq!(wrong(both, false), ["webhooks.hubspot_secret"]);
        assert_eq!(wrong("mailchimp_secret = \"b\"", true), Vec::<String>::new());
        assert_eq!(wrong("hubspot_secret = \"a\"", true), ["webhooks.url"]);
        assert_eq!(wrong("hubspot_secret = \"a\"\nurl = \"https://h/?a=1\"", true), ["webhooks.url"]);
        assert_eq!(wrong("", false), Vec::<String>::new());
    }
}
