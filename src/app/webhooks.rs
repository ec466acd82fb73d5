//! `webhooks`: sets up Mailchimp's by its API, and says what is to be done in HubSpot's pages.

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::failure::{CallFailure, FailureClass};
use crate::domain::port::Priority;
use crate::domain::step::OptOutScope;
use crate::domain::webhook::{SigningSecret, Webhook};
use crate::serve::hooks_setup::{MailchimpHook, WebhooksRequest, WebhooksView};
use crate::serve::requests::Trouble;

/// What HubSpot is to tell of: whatever may be an opt-out, another address or another person.
const HUBSPOT_EVENTS: [&str; 6] = [
    "contact.propertyChange: email",
    "contact.creation",
    "contact.deletion",
    "contact.privacyDeletion",
    "contact.merge",
    "contact.restore",
];

/// The same, with the properties that show an opt-out: of everything, and of each type that counts as one.
fn hubspot_events(scopes: &[OptOutScope]) -> Vec<String> {
    let of_types = scopes.iter().filter_map(|scope| match scope {
        OptOutScope::All => None,
        OptOutScope::Subscription(id) => Some(format!("contact.propertyChange: hs_email_optout_{id}")),
    });
    let of_all = "contact.propertyChange: hs_email_optout".to_owned();
    std::iter::once(of_all).chain(of_types).chain(HUBSPOT_EVENTS.map(str::to_owned)).collect()
}

impl From<CallFailure> for Trouble {
    fn from(failure: CallFailure) -> Trouble {
        let trouble = Trouble::failed(failure.code(), failure.to_string());
        match crate::sync::preflight::way_out_of(&failure) {
            Some(way_out) => trouble.with_way_out(way_out),
            None => trouble,
        }
    }
}

/// Lost once more: one may be there whose secret nobody knows.
fn in_doubt(failure: &CallFailure) -> Trouble {
    let trouble = Trouble::from(failure.clone());
    match failure.class {
        FailureClass::InDoubt => {
            trouble.with_way_out("hsmc webhooks setup --replace, once Mailchimp answers")
        }
        _ => trouble,
    }
}

impl App {
    /// Shows how webhooks are set up, and sets up what is missing.
    ///
    /// # Errors
    /// The config does not say where they are to come in, or Mailchimp refuses.
    pub async fn set_up_webhooks(&self, request: WebhooksRequest) -> Done<WebhooksView> {
        let Some(url) = &self.config.webhooks.url else {
            return Err(Trouble::usage(Code::ConfigMissing, "nothing says where webhooks are to come in")
                .with_way_out("add `url = \"https://host\"` under [webhooks]: the API's address as the services call it"));
        };
        let mailchimp_url = format!("{url}/v1/webhooks/mailchimp");
        let (mailchimp, secret) = self.mailchimp_webhook(&mailchimp_url, &request).await?;
        Ok(WebhooksView {
            mailchimp_url,
            mailchimp,
            mailchimp_secret: secret.map(|secret| secret.reveal().to_owned()),
            hubspot_url: format!("{url}/v1/webhooks/hubspot"),
            hubspot_secret: self.config.webhooks.hubspot_key().is_some(),
            hubspot_events: hubspot_events(&self.config.rules.opt_out_scopes),
        })
    }

    async fn mailchimp_webhook(
        &self,
        url: &str,
        request: &WebhooksRequest,
    ) -> Done<(MailchimpHook, Option<SigningSecret>)> {
        let has_secret = self.config.webhooks.mailchimp_key().is_some();
        let there = self.webhooks_at(url).await?;
        let stands = match (there.len(), has_secret) {
            (0, _) => MailchimpHook::Missing,
            (1, true) => MailchimpHook::There,
            (1, false) => MailchimpHook::WithoutSecret,
            _ => MailchimpHook::Several,
        };
        if !request.setup || (stands != MailchimpHook::Missing && !request.replace) {
            return Ok((stands, None));
        }
        self.remove(there).await?;
        let made = match self.hooks.create_webhook(Priority::Scan, url).await {
            // It may have been made, and its secret is lost with the answer.
            Err(failure) if failure.class == FailureClass::InDoubt => {
                self.remove(self.webhooks_at(url).await?).await?;
                self.hooks.create_webhook(Priority::Scan, url).await.map_err(|failure| in_doubt(&failure))?
            }
            made => made?,
        };
        // One whose answer was lost may have come since: two would tell everything twice.
        let mut others = self.webhooks_at(url).await?;
        others.retain(|webhook| made.id.as_ref().is_some_and(|made| *made != webhook.id));
        self.remove(others).await?;
        tracing::info!("a webhook was made in Mailchimp");
        Ok(match made.secret {
            Some(secret) => (MailchimpHook::Made, Some(secret)),
            None => (MailchimpHook::Unsigned, None),
        })
    }

    async fn webhooks_at(&self, url: &str) -> Done<Vec<Webhook>> {
        let mut all = self.hooks.webhooks(Priority::Scan).await?;
        all.retain(|webhook| webhook.url == url);
        Ok(all)
    }

    async fn remove(&self, webhooks: Vec<Webhook>) -> Done<()> {
        for webhook in webhooks {
            self.hooks.delete_webhook(Priority::Scan, &webhook.id).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r20_each_type_of_mail_whose_opt_out_counts_is_told_of() {
        let events = hubspot_events(&[OptOutScope::All, OptOutScope::Subscription(7)]);
        for property in ["hs_email_optout", "hs_email_optout_7", "email"] {
            assert!(events.contains(&format!("contact.propertyChange: {property}")), "{events:?}");
        }
        assert_eq!(events.len(), HUBSPOT_EVENTS.len() + 2);
    }
}
