//! What `webhooks` asks for and shows: how webhooks of both services are set up. The secret in it goes to the operator
//! who asked, over the control socket at most; the HTTP API has no such call.

use serde::{Deserialize, Serialize};

/// Sets webhooks up, or shows how they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhooksRequest {
    /// Set up what is missing; else it is only looked at.
    pub setup: bool,
    /// Make Mailchimp's anew, with another secret.
    pub replace: bool,
}

/// How Mailchimp's webhook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailchimpHook {
    /// There is none.
    Missing,
    /// It is there, and the config has a secret.
    There,
    /// It is there, and the config has no secret: Mailchimp shows it only once.
    WithoutSecret,
    /// There are several for the same address: everything is told as often.
    Several,
    /// It was made just now.
    Made,
    /// It was made just now, and Mailchimp signs nothing: hsmc refuses what is not signed.
    Unsigned,
}

/// How webhooks are set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhooksView {
    /// Where Mailchimp is to send them.
    pub mailchimp_url: String,
    /// How that stands.
    pub mailchimp: MailchimpHook,
    /// What Mailchimp signs with; shown this once.
    pub mailchimp_secret: Option<String>,
    /// Where HubSpot is to send them.
    pub hubspot_url: String,
    /// Whether the config has HubSpot's secret.
    pub hubspot_secret: bool,
    /// What HubSpot is to tell of.
    pub hubspot_events: Vec<String>,
}
