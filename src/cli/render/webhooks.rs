//! `hsmc webhooks`: how they are set up, and what is left to do.

use crate::cli::table::Layout;
use crate::serve::hooks_setup::{MailchimpHook, WebhooksView};

/// Both services' webhooks.
pub fn webhooks(view: &WebhooksView, layout: Layout) -> String {
    let mut text = layout.labelled("mailchimp", &view.mailchimp_url);
    let (stands, way_out) = match view.mailchimp {
        MailchimpHook::Missing => ("there is none", "hsmc webhooks setup"),
        MailchimpHook::There => ("it is there", ""),
        MailchimpHook::WithoutSecret => (
            "it is there, and its secret is nowhere in the config: Mailchimp shows it only once",
            "hsmc webhooks setup --replace",
        ),
        MailchimpHook::Several => (
            "there are several for this address: everything is told as often",
            "hsmc webhooks setup --replace",
        ),
        MailchimpHook::Made => (
            "it was made; its secret is shown this once",
            "put it into a file, name that as `mailchimp_secret = \"file:…\"` under [webhooks], then SIGHUP the daemon; in the environment it takes a restart",
        ),
        MailchimpHook::Unsigned => (
            "it was made, and Mailchimp signs nothing: what is not signed is refused",
            "delete it in Mailchimp's pages; opt-outs cross over with each run",
        ),
    };
    text.push_str(&layout.labelled("  stands", stands));
    if let Some(secret) = &view.mailchimp_secret {
        text.push_str(&layout.labelled("  secret", secret));
    }
    if !way_out.is_empty() {
        text.push_str(&layout.labelled("  do", way_out));
    }
    text.push_str(&layout.labelled("hubspot", &view.hubspot_url));
    text.push_str(
        &layout.labelled(
            "  do",
            "in HubSpot: the app's Webhooks page, or webhooks-hsmeta.json of a project app",
        ),
    );
    text.push_str(
        &layout.labelled("", "1. give the address above as target URL, at most 10 requests at once"),
    );
    text.push_str(&layout.labelled("", "2. subscribe to, and activate:"));
    for event in &view.hubspot_events {
        text.push_str(&layout.labelled("", &format!("   {event}")));
    }
    let third = if view.hubspot_secret {
        "3. the config has a client secret: see that it is this app's"
    } else {
        "3. name the app's client secret as `hubspot_secret` under [webhooks]; `file:` then takes a SIGHUP, `env:` a restart"
    };
    text.push_str(&layout.labelled("", third));
    text
}
