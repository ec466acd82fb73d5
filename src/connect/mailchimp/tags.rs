//! Calls about tags (Mailchimp contract §8). Names are compared without case; the stored spelling is
//! what is written.

use super::client::{MailchimpClient, PAGE};
use super::wire;
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::FailureClass;
use crate::domain::id::SegmentId;
use crate::domain::member::TagInfo;
use crate::domain::port::{BatchOutcome, CallResult, Priority};
use crate::domain::step::Delivery;
use crate::domain::tag::TagName;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Pages of tags that are read at most: 100,000 tags.
const PAGES: u64 = 100;

impl MailchimpClient {
    pub(super) async fn read_tags(&self, priority: Priority) -> CallResult<Vec<TagInfo>> {
        let mut tags = Vec::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            let ask = self
                .read(priority, "read the tags", "/segments")
                .query("type", "static")
                .query("count", &PAGE.to_string())
                .query("offset", &offset.to_string())
                .query("fields", "segments.id,segments.name,segments.member_count,segments.type,total_items");
            let (rows, total) = self.rows(&ask, "segments").await?;
            let is_tag = |row: &&Value| row.text("type").is_none_or(|kind| kind == "static");
            let found: Vec<Value> = rows.iter().filter(is_tag).cloned().collect();
            tags.extend(read_rows(&found, "tags", wire::tag));
            match wire::next_offset(offset, rows.len(), PAGE, total).and_then(|next| next.parse().ok()) {
                Some(next) => offset = next,
                None => break,
            }
        }
        Ok(tags)
    }

    /// All tags of one member: the inline ones stop at 50.
    pub(super) async fn tags_of(&self, priority: Priority, hash: SubscriberHash) -> CallResult<Vec<TagName>> {
        let ask = self
            .read(priority, "read the tags of a member", &format!("/members/{}/tags", hash.hex()))
            .query("count", &PAGE.to_string())
            .query("fields", "tags.name,total_items");
        let (rows, _) = self.rows(&ask, "tags").await?;
        Ok(read_rows(&rows, "tags", wire::tag_name))
    }

    pub(super) async fn tag_members(
        &self,
        priority: Priority,
        segment: SegmentId,
        add: &[Email],
        remove: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        let mut body = serde_json::Map::new();
        for (key, emails) in [("members_to_add", add), ("members_to_remove", remove)] {
            if !emails.is_empty() {
                body.insert(key.to_owned(), emails.iter().map(Email::as_str).collect());
            }
        }
        if body.is_empty() {
            return Ok(BTreeMap::new());
        }
        let path = format!("/segments/{segment}");
        let ask =
            self.write(priority, "change the bearers of a tag", Method::POST, &path, Value::Object(body));
        let (_, body) = self.line.object(&ask).await?;
        Ok(wire::tag_outcomes(&body, add, remove))
    }

    pub(super) async fn tag_member(
        &self,
        priority: Priority,
        hash: SubscriberHash,
        changes: &[(TagName, bool)],
        delivery: Delivery,
    ) -> CallResult<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let body = wire::tag_changes(changes, delivery == Delivery::Silent);
        let path = format!("/members/{}/tags", hash.hex());
        let ask = self.write(priority, "change the tags of a member", Method::POST, &path, body);
        self.line.silent(&ask).await
    }

    /// Looks first: whether a taken name is refused or makes a twin is unconfirmed.
    pub(super) async fn find_or_create_tag(
        &self,
        priority: Priority,
        name: &TagName,
    ) -> CallResult<SegmentId> {
        if let Some(segment) = self.find_tag(priority, name).await? {
            return Ok(segment);
        }
        let body = json!({"name": name.as_str(), "static_segment": []});
        let ask = self.write(priority, "create a tag", Method::POST, "/segments", body);
        match self.line.answer(&ask).await {
            Ok(answer) => {
                let id = answer.json.as_ref().and_then(|body| body.number("id"));
                id.map(SegmentId).ok_or_else(|| self.line.unreadable(&ask, &answer, "id"))
            }
            // Taken in between.
            Err(failure) if failure.class == FailureClass::Permanent => {
                self.find_tag(priority, name).await?.ok_or(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn find_tag(&self, priority: Priority, name: &TagName) -> CallResult<Option<SegmentId>> {
        let ask = self.read(priority, "search a tag", "/tag-search").query("name", name.as_str());
        let (rows, _) = self.rows(&ask, "tags").await?;
        let tags = read_rows(&rows, "tags", wire::tag);
        // The search goes by prefix; of twins the spelling asked for is the one.
        let exact = tags.iter().find(|tag| tag.name.as_str() == name.as_str());
        Ok(exact.or_else(|| tags.iter().find(|tag| tag.name == *name)).map(|tag| tag.segment))
    }

    /// With the name alone: a `static_segment` beside it would empty the tag.
    pub(super) async fn change_tag_name(
        &self,
        priority: Priority,
        segment: SegmentId,
        name: &TagName,
    ) -> CallResult<()> {
        let body = json!({"name": name.as_str()});
        let ask = self.write(priority, "rename a tag", Method::PATCH, &format!("/segments/{segment}"), body);
        self.line.answer(&ask).await.map(drop)
    }
}
