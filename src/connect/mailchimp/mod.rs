//! Mailchimp's connector: [`MailchimpClient`] is the
//! [`AudienceAccount`](crate::domain::port::AudienceAccount) of one audience.
//!
//! What it promises: every listing names the members it wants and takes the largest page; outcomes of
//! batched writes are matched by address; an update never carries a status unless the call is about
//! the status.
//! What it never does: retry, erase, replace all tags of a member, or delete a tag or merge field.

mod batch;
mod classify;
mod client;
mod members;
mod tags;
mod webhooks;
mod wire;

pub use classify::classify;
pub use client::{MailchimpClient, MailchimpSettings, default_base_url};
