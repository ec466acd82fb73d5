//! The client: its settings, the calls about the account and its merge fields, and the port put
//! together from all of them. Members, tags and batches have files of their own.

use super::classify::classify;
use super::wire;
use crate::connect::classify::CallKind;
use crate::connect::http::{Credential, Http, Method};
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::{Ask, Line, segment};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{FailureClass, Service};
use crate::domain::id::SegmentId;
use crate::domain::member::{AudienceInfo, Member, MemberStatus, MergeField, TagInfo};
use crate::domain::port::{
    AudienceAccount, BatchCall, BatchOutcome, BatchState, BatchSummary, CallResult, Gate, ItemOutcome,
    MemberQuery, NewMember, Page, Priority, Subscribed,
};
use crate::domain::step::Delivery;
use crate::domain::tag::TagName;
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// Rows per page: the largest there is; the default would be 10.
pub(super) const PAGE: u64 = 1_000;

/// How an audience is reached.
#[derive(Clone, Debug)]
pub struct MailchimpSettings {
    /// As [`default_base_url`] says, unless overridden; may have a path of its own.
    pub base_url: Url,
    /// API key.
    pub api_key: SecretString,
    /// The audience's id.
    pub audience: String,
}

/// The base URL a key belongs to: its data centre's, or the common host when the key names none.
///
/// # Errors
/// Never with a key that Mailchimp made; an odd suffix is ignored.
pub fn default_base_url(api_key: &SecretString) -> Result<Url, url::ParseError> {
    let suffix = api_key.expose_secret().trim().rsplit_once('-').map(|(_, suffix)| suffix);
    let is_centre = |s: &&str| {
        let digits = s.trim_start_matches(|c: char| c.is_ascii_lowercase());
        (2..=8).contains(&s.len())
            && digits.len() < s.len()
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit())
    };
    match suffix.filter(is_centre) {
        Some(centre) => Url::parse(&format!("https://{centre}.api.mailchimp.com/3.0")),
        None => Url::parse("https://api.mailchimp.com/3.0"),
    }
}

/// One audience.
pub struct MailchimpClient {
    pub(super) line: Line,
    /// `/lists/{id}`, which is also how batch operations name it.
    pub(super) audience: String,
}

impl MailchimpClient {
    /// A client of the audience; sends nothing yet.
    pub fn new(settings: MailchimpSettings, gate: Arc<dyn Gate>, http: Http) -> MailchimpClient {
        MailchimpClient {
            line: Line {
                service: Service::Mailchimp,
                http,
                gate,
                credential: Credential::Basic("hsmc", settings.api_key),
                base: settings.base_url,
                classify,
            },
            audience: format!("/lists/{}", segment(&settings.audience)),
        }
    }

    /// A read below the audience.
    pub(super) fn read(&self, priority: Priority, what: &str, path: &str) -> Ask {
        self.line.ask(priority, CallKind::read(what), Method::GET, &format!("{}{path}", self.audience))
    }

    /// A write below the audience.
    pub(super) fn write(
        &self,
        priority: Priority,
        what: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Ask {
        let path = format!("{}{path}", self.audience);
        self.line.ask(priority, CallKind::write(what), method, &path).body(body)
    }

    /// A single answer of which a list under `key` is expected.
    pub(super) async fn rows(&self, ask: &Ask, key: &str) -> CallResult<(Vec<Value>, Option<u64>)> {
        let (answer, mut body) = self.line.object(ask).await?;
        let total = body.number("total_items");
        match body.get_mut(key).map(Value::take) {
            Some(Value::Array(rows)) => Ok((rows, total)),
            _ => Err(self.line.unreadable(ask, &answer, key)),
        }
    }
}

#[async_trait]
impl AudienceAccount for MailchimpClient {
    async fn account(&self, priority: Priority) -> CallResult<String> {
        let call = CallKind::read("read the account");
        let ask = self.line.ask(priority, call, Method::GET, "/").query("fields", "account_id");
        let (answer, body) = self.line.object(&ask).await?;
        body.text("account_id").ok_or_else(|| self.line.unreadable(&ask, &answer, "account_id"))
    }

    async fn audience(&self, priority: Priority) -> CallResult<AudienceInfo> {
        let ask = self
            .read(priority, "read the audience", "")
            .query("fields", "id,name,stats.member_count,double_optin");
        let (answer, body) = self.line.object(&ask).await?;
        Ok(AudienceInfo {
            name: body.text("name").ok_or_else(|| self.line.unreadable(&ask, &answer, "name"))?,
            member_count: body.get("stats").and_then(|stats| stats.number("member_count")).unwrap_or(0),
            double_opt_in: body.flag("double_optin").unwrap_or(false),
        })
    }

    async fn merge_fields(&self, priority: Priority) -> CallResult<Vec<MergeField>> {
        let ask = self
            .read(priority, "read the merge fields", "/merge-fields")
            .query("count", &PAGE.to_string())
            .query(
                "fields",
                "merge_fields.tag,merge_fields.type,merge_fields.required,merge_fields.options,total_items",
            );
        let (rows, _) = self.rows(&ask, "merge_fields").await?;
        Ok(read_rows(&rows, "merge fields", wire::merge_field))
    }

    async fn create_merge_field(&self, priority: Priority, tag: &str, name: &str) -> CallResult<()> {
        // With the tag always: without one Mailchimp makes one up, and a repetition a second field.
        let body = json!({"tag": tag, "name": name, "type": "text", "public": false, "required": false});
        let what = format!("create merge field {tag}");
        let ask = self.write(priority, &what, Method::POST, "/merge-fields", body);
        let Err(failure) = self.line.answer(&ask).await else { return Ok(()) };
        if failure.class == FailureClass::Permanent {
            let fields = self.merge_fields(priority).await?;
            if fields.iter().any(|field| field.tag.eq_ignore_ascii_case(tag)) {
                return Ok(());
            }
        }
        Err(failure)
    }

    async fn tags(&self, priority: Priority) -> CallResult<Vec<TagInfo>> {
        self.read_tags(priority).await
    }

    async fn members(
        &self,
        priority: Priority,
        query: &MemberQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        self.member_page(priority, query, after).await
    }

    async fn bearers(
        &self,
        priority: Priority,
        segment: SegmentId,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        self.bearer_page(priority, segment, after).await
    }

    async fn member(&self, priority: Priority, hash: SubscriberHash) -> CallResult<Option<Member>> {
        self.read_member(priority, hash).await
    }

    async fn subscribe(&self, priority: Priority, members: &[NewMember]) -> CallResult<Subscribed> {
        self.create_members(priority, members).await
    }

    async fn unsubscribe(
        &self,
        priority: Priority,
        emails: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        self.unsubscribe_members(priority, emails).await
    }

    async fn refresh(
        &self,
        priority: Priority,
        email: &Email,
        fields: &BTreeMap<String, Value>,
    ) -> CallResult<()> {
        self.write_fields(priority, email, fields).await
    }

    async fn restore(
        &self,
        priority: Priority,
        email: &Email,
        status: &MemberStatus,
        fields: &BTreeMap<String, Value>,
    ) -> CallResult<()> {
        self.restore_member(priority, email, status, fields).await
    }

    async fn rename(&self, priority: Priority, old: SubscriberHash, email: &Email) -> CallResult<()> {
        self.change_address(priority, old, email).await
    }

    async fn archive(&self, priority: Priority, hash: SubscriberHash) -> CallResult<ItemOutcome> {
        self.archive_member(priority, hash).await
    }

    async fn erase(&self, priority: Priority, hash: SubscriberHash) -> CallResult<ItemOutcome> {
        self.erase_member(priority, hash).await
    }

    async fn tag_many(
        &self,
        priority: Priority,
        segment: SegmentId,
        add: &[Email],
        remove: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        self.tag_members(priority, segment, add, remove).await
    }

    async fn tag_one(
        &self,
        priority: Priority,
        hash: SubscriberHash,
        changes: &[(TagName, bool)],
        delivery: Delivery,
    ) -> CallResult<()> {
        self.tag_member(priority, hash, changes, delivery).await
    }

    async fn create_tag(&self, priority: Priority, name: &TagName) -> CallResult<SegmentId> {
        self.find_or_create_tag(priority, name).await
    }

    async fn rename_tag(&self, priority: Priority, segment: SegmentId, name: &TagName) -> CallResult<()> {
        self.change_tag_name(priority, segment, name).await
    }

    async fn submit(
        &self,
        priority: Priority,
        calls: &[(String, SubscriberHash, Option<Email>, BatchCall)],
    ) -> CallResult<String> {
        self.submit_batch(priority, calls).await
    }

    async fn batch(&self, priority: Priority, ticket: &str) -> CallResult<BatchState> {
        self.read_batch(priority, ticket).await
    }

    async fn batches(&self, priority: Priority) -> CallResult<Vec<BatchSummary>> {
        self.read_batches(priority).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_names_its_data_centre() {
        let base = |key: &str| default_base_url(&SecretString::from(key)).unwrap().to_string();
        assert_eq!(base("0123456789abcdef0123456789abcdef-us21"), "https://us21.api.mailchimp.com/3.0");
        for key in ["", "0123456789abcdef", "abc-", "abc-evil.example.com/", "abc-us", "abc-21", "abc-usx21y"]
        {
            assert_eq!(base(key), "https://api.mailchimp.com/3.0", "{key}");
        }
    }
}
