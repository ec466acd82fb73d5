//! Calls about members (Mailchimp contract §4 to §6, §9, §10).

use super::client::{MailchimpClient, PAGE};
use super::wire;
use crate::connect::classify::unaskable;
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::Ask;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{FailureClass, Refusal, RefusalCode, Service};
use crate::domain::id::SegmentId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::port::{
    BatchOutcome, CallResult, ItemOutcome, MemberQuery, NewMember, Page, Priority, Subscribed,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl MailchimpClient {
    pub(super) async fn member_page(
        &self,
        priority: Priority,
        query: &MemberQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        let mut ask = self
            .read(priority, "read members", "/members")
            // Who signed up long ago does not move, so pages shift as little as they can.
            .query("sort_field", "timestamp_signup")
            .query("sort_dir", "ASC");
        if let Some(status) = &query.status {
            ask = ask.query("status", status.wire());
        }
        if let Some(since) = query.changed_since {
            ask = ask.query("since_last_changed", &since.iso());
        }
        if let Some(since) = query.unsubscribed_since
            && query.status == Some(MemberStatus::Unsubscribed)
        {
            ask = ask.query("unsubscribed_since", &since.iso());
        }
        self.page(priority, ask, after).await
    }

    pub(super) async fn bearer_page(
        &self,
        priority: Priority,
        segment: SegmentId,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        let ask = self
            .read(priority, "read the bearers of a tag", &format!("/segments/{segment}/members"))
            .query("include_unsubscribed", "true")
            .query("include_cleaned", "true")
            .query("include_transactional", "true");
        self.page(priority, ask, after).await
    }

    async fn page(&self, priority: Priority, ask: Ask, after: Option<&str>) -> CallResult<Page<Member>> {
        let offset: u64 = match after {
            Some(text) => text
                .parse()
                .map_err(|_| unaskable(Service::Mailchimp, ask.call(), "the cursor is none of ours"))?,
            None => 0,
        };
        let ask = ask
            .query("count", &PAGE.to_string())
            .query("offset", &offset.to_string())
            .query("fields", &format!("{},total_items", wire::member_fields("members.")));
        let (rows, total) = self.rows(&ask, "members").await?;
        let mut members = Vec::with_capacity(rows.len());
        for (mut member, is_cut) in read_rows(&rows, "members", wire::member) {
            if is_cut {
                member.tags = self.tags_of(priority, member.hash()).await?;
            }
            members.push(member);
        }
        Ok(Page { rows: members, next: wire::next_offset(offset, rows.len(), PAGE, total), total })
    }

    pub(super) async fn read_member(
        &self,
        priority: Priority,
        hash: SubscriberHash,
    ) -> CallResult<Option<Member>> {
        let ask = self
            .read(priority, "read a member", &format!("/members/{}", hash.hex()))
            .query("fields", &wire::member_fields(""));
        let Some((answer, body)) = self.line.object_if_there(&ask).await? else { return Ok(None) };
        let Some((mut member, is_cut)) = wire::member(&body) else {
            return Err(self.line.unreadable(&ask, &answer, "email_address"));
        };
        if is_cut {
            member.tags = self.tags_of(priority, hash).await?;
        }
        Ok(Some(member))
    }

    pub(super) async fn create_members(
        &self,
        priority: Priority,
        members: &[NewMember],
    ) -> CallResult<Subscribed> {
        if members.is_empty() {
            return Ok(Subscribed::default());
        }
        let rows: Vec<Value> = members.iter().map(wire::new_member).collect();
        let wanted = members.iter().map(|member| (member.email.hash(), member.status.clone())).collect();
        let ask = self
            .write(
                priority,
                "create members",
                Method::POST,
                "",
                json!({"members": rows, "update_existing": false}),
            )
            .query("skip_merge_validation", "true");
        let body = self.answer_about_members(&ask).await?;
        Ok(Subscribed {
            outcomes: wire::subscribe_outcomes(&body, &wanted, false),
            numbers: wire::numbers_of_new(&body),
        })
    }

    pub(super) async fn unsubscribe_members(
        &self,
        priority: Priority,
        emails: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        let status = MemberStatus::Unsubscribed;
        match emails {
            [] => Ok(BTreeMap::new()),
            // One alone by PATCH, which cannot create anybody.
            [email] => Ok(BTreeMap::from([(email.hash(), self.unsubscribe_one(priority, email).await?)])),
            _ => {
                let rows: Vec<Value> = emails
                    .iter()
                    .map(|email| json!({"email_address": email.as_str(), "status": status.wire()}))
                    .collect();
                let wanted = emails.iter().map(|email| (email.hash(), status.clone())).collect();
                let ask = self
                    .write(
                        priority,
                        "unsubscribe members",
                        Method::POST,
                        "",
                        json!({"members": rows, "update_existing": true}),
                    )
                    .query("skip_merge_validation", "true");
                Ok(wire::subscribe_outcomes(&self.answer_about_members(&ask).await?, &wanted, true))
            }
        }
    }

    async fn answer_about_members(&self, ask: &Ask) -> CallResult<Value> {
        let (answer, body) = self.line.object(ask).await?;
        let parts = ["new_members", "updated_members", "errors"];
        if parts.iter().all(|key| body.rows(key).is_none()) {
            return Err(self.line.unreadable(ask, &answer, "members"));
        }
        Ok(body)
    }

    async fn unsubscribe_one(&self, priority: Priority, email: &Email) -> CallResult<ItemOutcome> {
        let path = format!("/members/{}", email.hash().hex());
        let ask = self
            .write(priority, "unsubscribe a member", Method::PATCH, &path, json!({"status": "unsubscribed"}))
            .query("skip_merge_validation", "true");
        match self.line.answer(&ask).await {
            Ok(answer) if status_in(&answer.json).as_deref() == Some("unsubscribed") => Ok(ItemOutcome::Done),
            Ok(_) => Ok(ItemOutcome::Unknown),
            Err(failure) if failure.class == FailureClass::Permanent => {
                Ok(ItemOutcome::Refused(failure.as_refusal()))
            }
            Err(failure) => Err(failure),
        }
    }

    /// By PATCH, not by PUT: a PUT creates whom it does not find, and asks for a status to do so; a
    /// PATCH can do neither, so a member erased since the scan stays erased and consent is untouched
    /// (Mailchimp contract §4).
    pub(super) async fn write_fields(
        &self,
        priority: Priority,
        email: &Email,
        fields: &BTreeMap<String, Value>,
    ) -> CallResult<()> {
        let path = format!("/members/{}", email.hash().hex());
        let ask = self
            .write(priority, "refresh a member", Method::PATCH, &path, json!({ "merge_fields": fields }))
            .query("skip_merge_validation", "true");
        self.member_in_answer(&ask).await
    }

    pub(super) async fn restore_member(
        &self,
        priority: Priority,
        email: &Email,
        status: &MemberStatus,
        fields: &BTreeMap<String, Value>,
    ) -> CallResult<()> {
        let path = format!("/members/{}", email.hash().hex());
        let body = if fields.is_empty() {
            json!({"email_address": email.as_str(), "status": status.wire()})
        } else {
            json!({"email_address": email.as_str(), "status": status.wire(), "merge_fields": fields})
        };
        let ask = self
            .write(priority, "restore a member", Method::PUT, &path, body)
            .query("skip_merge_validation", "true");
        let answer = self.line.answer(&ask).await?;
        // A wish to subscribe may be ignored without an error: then somebody has to look.
        match status_in(&answer.json).as_deref() {
            Some(given) if given == status.wire() => Ok(()),
            _ => Err(self.line.unreadable(&ask, &answer, "the status asked for")),
        }
    }

    pub(super) async fn change_address(
        &self,
        priority: Priority,
        old: SubscriberHash,
        email: &Email,
    ) -> CallResult<()> {
        let ask = self
            .write(
                priority,
                "change a member's address",
                Method::PATCH,
                &format!("/members/{}", old.hex()),
                json!({"email_address": email.as_str()}),
            )
            .query("skip_merge_validation", "true");
        self.member_in_answer(&ask).await
    }

    /// A write that is answered with the member as it is then.
    async fn member_in_answer(&self, ask: &Ask) -> CallResult<()> {
        let (answer, body) = self.line.object(ask).await?;
        match ["email_address", "status"].iter().any(|key| body.text(key).is_some()) {
            true => Ok(()),
            false => Err(self.line.unreadable(ask, &answer, "member")),
        }
    }

    pub(super) async fn archive_member(
        &self,
        priority: Priority,
        hash: SubscriberHash,
    ) -> CallResult<ItemOutcome> {
        let path = format!("/members/{}", hash.hex());
        let ask = self.write(priority, "archive a member", Method::DELETE, &path, Value::Null).without_body();
        let failure = match self.line.silent(&ask).await {
            Ok(()) => return Ok(ItemOutcome::Done),
            Err(failure) => failure,
        };
        match failure.status {
            Some(404) => Ok(ItemOutcome::Refused(failure.as_refusal())),
            // Archived already, or cleaned, or pending: only reading tells.
            Some(405) => Ok(match self.read_member(priority, hash).await? {
                Some(member) if member.status == MemberStatus::Archived => ItemOutcome::AlreadyHeld,
                Some(member) if matches!(member.status, MemberStatus::Cleaned | MemberStatus::Pending) => {
                    ItemOutcome::Refused(failure.as_refusal())
                }
                // No reason that is known: not for hsmc to pass over.
                Some(_) => ItemOutcome::Refused(Refusal { code: RefusalCode::Other, ..failure.as_refusal() }),
                None => ItemOutcome::Refused(Refusal { code: RefusalCode::NotFound, ..failure.as_refusal() }),
            }),
            _ => Err(failure),
        }
    }
}

impl MailchimpClient {
    pub(super) async fn erase_member(
        &self,
        priority: Priority,
        hash: SubscriberHash,
    ) -> CallResult<ItemOutcome> {
        let path = format!("/members/{}/actions/delete-permanent", hash.hex());
        let what = "delete a member for good";
        let ask = self.write(priority, what, Method::POST, &path, Value::Null).without_body();
        self.line.delete(&ask).await
    }
}

fn status_in(body: &Option<Value>) -> Option<String> {
    body.as_ref().and_then(|body| body.text("status"))
}
