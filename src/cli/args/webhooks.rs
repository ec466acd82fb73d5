//! `hsmc webhooks`: its arguments.

use crate::serve::hooks_setup::WebhooksRequest;
use clap::Subcommand;

/// `webhooks …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Set up Mailchimp's by its API, and print what is to be done in HubSpot's pages
    Setup {
        /// Make Mailchimp's anew, with another secret
        #[arg(long)]
        replace: bool,
    },
}

impl WebhooksCommand {
    /// What is asked for.
    pub fn request(command: Option<&WebhooksCommand>) -> WebhooksRequest {
        match command {
            None => WebhooksRequest::default(),
            Some(WebhooksCommand::Setup { replace }) => WebhooksRequest { setup: true, replace: *replace },
        }
    }
}
