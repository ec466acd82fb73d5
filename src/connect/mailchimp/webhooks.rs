//! The audience's webhooks (Mailchimp contract §13).

use super::client::{MailchimpClient, PAGE};
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::segment;
use crate::domain::port::{CallResult, Priority};
use crate::domain::webhook::{MadeWebhook, SigningSecret, Webhook, WebhookAccount};
use async_trait::async_trait;
use serde_json::{Value, json};

#[async_trait]
impl WebhookAccount for MailchimpClient {
    async fn webhooks(&self, priority: Priority) -> CallResult<Vec<Webhook>> {
        let ask = self
            .read(priority, "read the webhooks", "/webhooks")
            .query("count", &PAGE.to_string())
            .query("fields", "webhooks.id,webhooks.url");
        let (rows, _) = self.rows(&ask, "webhooks").await?;
        let one = |row: &Value| Some(Webhook { id: row.text("id")?, url: row.text("url")? });
        Ok(read_rows(&rows, "webhooks", one))
    }

    async fn create_webhook(&self, priority: Priority, url: &str) -> CallResult<MadeWebhook> {
        // What hsmc and other programs do by the API comes with the next scan: hsmc's own echoes would be most of it.
        let body = json!({
            "url": url,
            "events": {
                "subscribe": true, "unsubscribe": true, "profile": true, "upemail": true, "cleaned": true,
                "campaign": false,
            },
            "sources": { "user": true, "admin": true, "api": false },
        });
        let ask = self.write(priority, "create a webhook", Method::POST, "/webhooks", body);
        let (_, answer) = self.line.object(&ask).await?;
        let secret = answer.text("signing_secret").filter(|secret| !secret.is_empty());
        Ok(MadeWebhook { id: answer.text("id"), secret: secret.map(SigningSecret::new) })
    }

    async fn delete_webhook(&self, priority: Priority, id: &str) -> CallResult<()> {
        let path = format!("/webhooks/{}", segment(id));
        let ask = self.write(priority, "delete a webhook", Method::DELETE, &path, Value::Null).without_body();
        let answer = self.line.exchange(&ask).await?;
        match answer.status {
            404 if answer.json.is_some() => Ok(()),
            200..300 => Ok(()),
            _ => Err((self.line.classify)(ask.call(), &answer)),
        }
    }
}
