//! The app as the owner behind the HTTP API, and the API's settings from the config.

use super::App;
use crate::config::Config;
use crate::domain::hint::Says;
use crate::domain::id::PersonId;
use crate::domain::time::Timestamp;
use crate::domain::token::{Token, TokenId};
use crate::journal::tokens;
use crate::serve::api::{self, Owner, Served, TlsFiles};
use crate::serve::pull::PullView;
use crate::serve::requests::Trouble;
use crate::serve::views::RunView;
use crate::serve::webhooks::{HubSpotSource, MailchimpSource, SigningKey, Sources, Whom};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

#[async_trait]
impl Owner for App {
    fn now(&self) -> Timestamp {
        self.workspace.shared.clock.now()
    }

    fn unguessable(&self) -> [u8; 32] {
        self.workspace.shared.entropy.secret()
    }

    fn token(&self, id: TokenId) -> Result<Option<Token>, Trouble> {
        Ok(tokens::of(&self.workspace.shared.journal, id)?)
    }

    fn address(&self, person: PersonId) -> Result<Option<String>, Trouble> {
        let person = self.workspace.shared.journal.person(person)?;
        Ok(person.and_then(|person| person.email).map(|email| email.as_str().to_owned()))
    }

    fn newest_run(&self) -> Result<Option<RunView>, Trouble> {
        Ok(self.workspace.shared.journal.runs(1)?.first().map(RunView::from))
    }

    async fn newest_pull(&self) -> Result<Option<PullView>, Trouble> {
        App::newest_pull(self).await
    }

    async fn hear_of(&self, whom: Vec<Whom>, says: Says) -> Result<u64, Trouble> {
        App::hear_of(self, whom, says).await
    }

    fn waiting(&self) -> u64 {
        self.hints.waiting() as u64
    }
}

/// Serves the API as the config says; none where it says nothing.
///
/// # Errors
/// The address, the certificate or its key cannot be had.
pub async fn serve(app: &Arc<App>, config_path: &Path) -> Result<Option<Served>, Trouble> {
    let Some(settings) = settings(&app.config, config_path) else { return Ok(None) };
    let owner: Arc<dyn Owner> = Arc::clone(app) as Arc<dyn Owner>;
    let served = api::serve(settings, owner).await?;
    tracing::info!(address = %served.address, "the API listens");
    Ok(Some(served))
}

fn settings(config: &Config, config_path: &Path) -> Option<api::Settings> {
    let from = config.api.as_ref()?;
    let folder = config_path.parent().unwrap_or(Path::new(""));
    let files = |tls: &crate::config::Tls| TlsFiles {
        certificate: folder.join(&tls.certificate),
        key: folder.join(&tls.key),
    };
    Some(api::Settings {
        listen: from.listen,
        tls: from.tls.as_ref().map(files),
        body_limit: from.body_limit,
        requests_per_minute: from.requests_per_minute,
        concurrency: from.concurrency,
        answer_within: from.answer_within,
        webhooks: sources(config),
    })
}

fn sources(config: &Config) -> Sources {
    let from = &config.webhooks;
    let hubspot = from.hubspot_key().and_then(SigningKey::new).zip(from.url.as_ref());
    let mailchimp = from.mailchimp_key().and_then(SigningKey::new);
    Sources {
        hubspot: hubspot.map(|(key, url)| HubSpotSource {
            key,
            url: format!("{url}/v1/webhooks/hubspot"),
            portal: config.hubspot.portal_id,
        }),
        mailchimp: mailchimp.map(|key| MailchimpSource { key, audience: config.mailchimp.audience.clone() }),
    }
}
