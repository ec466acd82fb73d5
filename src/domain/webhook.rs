//! Subscriptions of webhooks as values, and the port of those that an API can set up: Mailchimp's (Mailchimp contract
//! §13). HubSpot's are set up in its own pages only.

use super::port::{CallResult, Priority};
use async_trait::async_trait;
use std::fmt;

/// A webhook of the audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it sends.
    pub url: String,
}

/// One that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeWebhook {
    /// Its id; none where the answer does not say.
    pub id: Option<String>,
    /// What it signs with; none when it signs nothing.
    pub secret: Option<SigningSecret>,
}

/// What webhooks are signed with. Shown by Mailchimp once, when the webhook is made; never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// From an answer.
    pub fn new(text: String) -> SigningSecret {
        SigningSecret(text)
    }

    /// The secret itself, for the one who asked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(hidden)")
    }
}

/// The audience's webhooks.
#[async_trait]
pub trait WebhookAccount: Send + Sync + 'static {
    /// All of them.
    async fn webhooks(&self, priority: Priority) -> CallResult<Vec<Webhook>>;
    /// Makes one for what becomes of members by their own doing or by hand, not by the API. Mailchimp looks whether
    /// anybody answers there. Repeating it makes a second one.
    async fn create_webhook(&self, priority: Priority, url: &str) -> CallResult<MadeWebhook>;
    /// Removes one; one that is gone is success.
    async fn delete_webhook(&self, priority: Priority, id: &str) -> CallResult<()>;
}
