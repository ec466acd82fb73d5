//! Two accounts in memory that answer at once: so many made-up people, each a contact in one list and a member with its
//! entry tag, all as the rules want them. Every change is answered as done, and none is kept.
//!
//! Never: failing, or looking like anything that a service does besides. The sandbox is for that.

use crate::domain::contact::{Contact, ListInfo, ListKind, Membership, PropertyDefinition};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::id::{ListId, RecordId, SegmentId};
use crate::domain::member::{AudienceInfo, Member, MemberStatus, MergeField, TagInfo};
use crate::domain::port::{
    AudienceAccount, BatchCall, BatchOutcome, BatchState, BatchSummary, CallResult, ContactQuery, CrmAccount,
    ItemOutcome, ListWrite, MemberQuery, NewMember, OptOutBasis, Page, PortalInfo, Priority, Subscribed,
    SubscriptionType,
};
use crate::domain::step::{Delivery, OptOutScope};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The list that everybody is in.
pub(super) const LIST: ListId = ListId(1);
/// The tag that everybody bears.
pub(super) const TAG: &str = "Entry";
/// The merge fields, and the properties they are made from.
pub(super) const FIELDS: [(&str, &str); 3] =
    [("FNAME", "firstname"), ("LNAME", "lastname"), ("CITY", "city")];
/// Everything happened here.
const THEN: Timestamp = Timestamp(1_790_000_000_000);
const CONTACTS: u64 = 250;
const MEMBERS: u64 = 1_000;

/// The accounts.
pub(super) struct Prompt {
    /// How many people.
    pub(super) people: u64,
    /// How long a look at somebody's lists takes.
    pub(super) probe_takes: Duration,
}

/// The contact of a made-up person.
pub(super) fn contact(number: u64) -> Contact {
    Contact {
        record: RecordId(number),
        address: format!("somebody.with.a.name.{number}@example.com"),
        properties: FIELDS.map(|(_, name)| (name.to_owned(), format!("{name} of {number}"))).into(),
        opted_out: false,
        created: Some(THEN),
        modified: Some(THEN),
    }
}

/// The address of a made-up person.
pub(super) fn email(number: u64) -> Option<Email> {
    contact(number).email()
}

fn member(number: u64) -> Option<Member> {
    let contact = contact(number);
    let value = |name: &str| contact.properties.get(name).cloned().unwrap_or_default();
    Some(Member {
        email: contact.email()?,
        contact_id: format!("{number:032x}"),
        status: MemberStatus::Subscribed,
        fields: FIELDS.map(|(field, name)| (field.to_owned(), value(name))).into(),
        tags: vec![TagName::new(TAG), TagName::new("Somebody else's")],
        changed: Some(THEN),
        opted: Some(THEN),
        unsubscribe_reason: None,
    })
}

fn empty<T>() -> Page<T> {
    Page { rows: Vec::new(), next: None, total: Some(0) }
}

fn done<K: Ord>(keys: impl Iterator<Item = K>) -> BatchOutcome<K> {
    keys.map(|key| (key, ItemOutcome::Done)).collect()
}

/// A call that no benchmark makes: it would be one of a move that is not as it should be.
fn unexpected<T>(service: Service, what: &str) -> CallResult<T> {
    Err(CallFailure {
        service,
        class: FailureClass::Misconfigured,
        refusal: RefusalCode::Other,
        status: None,
        what: what.to_owned(),
        message: "no benchmark makes this call".to_owned(),
        trace: None,
    })
}

impl Prompt {
    /// With so many people.
    pub(super) fn of(people: u64) -> Prompt {
        Prompt { people, probe_takes: Duration::ZERO }
    }

    /// One page of made-up rows.
    fn page<T>(&self, after: Option<&str>, size: u64, row: impl Fn(u64) -> Option<T>) -> Page<T> {
        let from = after.and_then(|after| after.parse().ok()).unwrap_or(1);
        let to = self.people.min(from + size - 1);
        Page {
            rows: (from..=to).filter_map(row).collect(),
            next: (to < self.people).then(|| (to + 1).to_string()),
            total: Some(self.people),
        }
    }
}

#[async_trait]
impl CrmAccount for Prompt {
    async fn portal(&self, _: Priority) -> CallResult<PortalInfo> {
        Ok(PortalInfo { portal_id: 1, time_zone: "UTC".to_owned() })
    }
    async fn lists(&self, _: Priority, ids: &[ListId]) -> CallResult<Vec<ListInfo>> {
        let info = |list: &ListId| ListInfo {
            list: *list,
            name: format!("List {list}"),
            kind: ListKind::Static,
            of_contacts: true,
            complete: true,
            mark: Some("never changed".to_owned()),
            size: Some(self.people),
        };
        Ok(ids.iter().map(info).collect())
    }
    async fn memberships(
        &self,
        _: Priority,
        list: ListId,
        after: Option<&str>,
    ) -> CallResult<Page<Membership>> {
        if list != LIST {
            return Ok(empty());
        }
        let row = |number| Some(Membership { record: RecordId(number), joined: Some(THEN) });
        Ok(self.page(after, CONTACTS, row))
    }
    async fn contacts(&self, _: Priority, ids: &[RecordId]) -> CallResult<Vec<Contact>> {
        Ok(ids.iter().map(|id| contact(id.0)).collect())
    }
    async fn contacts_by_email(&self, _: Priority, _: &[Email]) -> CallResult<Vec<Contact>> {
        Ok(Vec::new())
    }
    async fn contact(&self, _: Priority, id: RecordId) -> CallResult<Option<Contact>> {
        Ok(Some(contact(id.0)))
    }
    async fn search(&self, _: Priority, _: &ContactQuery, _: Option<&str>) -> CallResult<Page<Contact>> {
        Ok(empty())
    }
    async fn memberships_of(
        &self,
        _: Priority,
        ids: &[RecordId],
    ) -> CallResult<BTreeMap<RecordId, BTreeSet<ListId>>> {
        if !self.probe_takes.is_zero() {
            tokio::time::sleep(self.probe_takes).await;
        }
        Ok(ids.iter().map(|id| (*id, BTreeSet::from([LIST]))).collect())
    }
    async fn properties(&self, _: Priority) -> CallResult<Vec<PropertyDefinition>> {
        let definition = |(_, name): (&str, &str)| PropertyDefinition {
            name: name.to_owned(),
            kind: "string".to_owned(),
            read_only: false,
            options: Vec::new(),
        };
        Ok(FIELDS.map(definition).into())
    }
    async fn create_text_property(&self, _: Priority, _: &str, _: &str) -> CallResult<()> {
        Ok(())
    }
    async fn list_add(&self, _: Priority, _: ListId, ids: &[RecordId]) -> CallResult<ListWrite> {
        Ok(ListWrite { added: ids.iter().copied().collect(), ..ListWrite::default() })
    }
    async fn list_remove(&self, _: Priority, _: ListId, ids: &[RecordId]) -> CallResult<ListWrite> {
        Ok(ListWrite { removed: ids.iter().copied().collect(), ..ListWrite::default() })
    }
    async fn update_contacts(
        &self,
        _: Priority,
        updates: &BTreeMap<RecordId, BTreeMap<String, String>>,
    ) -> CallResult<BatchOutcome<RecordId>> {
        Ok(done(updates.keys().copied()))
    }
    async fn create_contact(&self, _: Priority, _: &Email) -> CallResult<RecordId> {
        unexpected(Service::HubSpot, "contact: create")
    }
    async fn subscription_types(&self, _: Priority) -> CallResult<Vec<SubscriptionType>> {
        Ok(Vec::new())
    }
    async fn opt_out(
        &self,
        _: Priority,
        _: &Email,
        _: OptOutScope,
        _: &OptOutBasis,
    ) -> CallResult<ItemOutcome> {
        Ok(ItemOutcome::Done)
    }
    async fn is_opted_out(&self, _: Priority, _: &Email, _: OptOutScope) -> CallResult<bool> {
        Ok(false)
    }
    async fn erase_contact(&self, _: Priority, _: RecordId) -> CallResult<ItemOutcome> {
        unexpected(Service::HubSpot, "contact: erase")
    }
    fn list_write_limit(&self) -> usize {
        500
    }
}

#[async_trait]
impl AudienceAccount for Prompt {
    async fn account(&self, _: Priority) -> CallResult<String> {
        Ok("made up".to_owned())
    }
    async fn audience(&self, _: Priority) -> CallResult<AudienceInfo> {
        Ok(AudienceInfo { name: "Made up".to_owned(), member_count: self.people, double_opt_in: false })
    }
    async fn merge_fields(&self, _: Priority) -> CallResult<Vec<MergeField>> {
        let field = |(tag, _): (&str, &str)| MergeField {
            tag: tag.to_owned(),
            kind: "text".to_owned(),
            format: None,
            choices: Vec::new(),
            required: false,
        };
        Ok(FIELDS.map(field).into())
    }
    async fn create_merge_field(&self, _: Priority, _: &str, _: &str) -> CallResult<()> {
        Ok(())
    }
    async fn tags(&self, _: Priority) -> CallResult<Vec<TagInfo>> {
        Ok(vec![TagInfo { segment: SegmentId(1), name: TagName::new(TAG), member_count: self.people }])
    }
    async fn members(
        &self,
        _: Priority,
        query: &MemberQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        let is_whole = query.status.is_none() && query.changed_since.is_none();
        Ok(if is_whole { self.page(after, MEMBERS, member) } else { empty() })
    }
    async fn bearers(&self, _: Priority, _: SegmentId, after: Option<&str>) -> CallResult<Page<Member>> {
        Ok(self.page(after, MEMBERS, member))
    }
    async fn member(&self, _: Priority, _: SubscriberHash) -> CallResult<Option<Member>> {
        unexpected(Service::Mailchimp, "member: read")
    }
    async fn subscribe(&self, _: Priority, members: &[NewMember]) -> CallResult<Subscribed> {
        let outcomes = done(members.iter().map(|member| member.email.hash()));
        Ok(Subscribed { outcomes, ..Subscribed::default() })
    }
    async fn unsubscribe(&self, _: Priority, emails: &[Email]) -> CallResult<BatchOutcome<SubscriberHash>> {
        Ok(done(emails.iter().map(Email::hash)))
    }
    async fn refresh(
        &self,
        _: Priority,
        _: &Email,
        _: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()> {
        Ok(())
    }
    async fn restore(
        &self,
        _: Priority,
        _: &Email,
        _: &MemberStatus,
        _: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()> {
        Ok(())
    }
    async fn rename(&self, _: Priority, _: SubscriberHash, _: &Email) -> CallResult<()> {
        Ok(())
    }
    async fn archive(&self, _: Priority, _: SubscriberHash) -> CallResult<ItemOutcome> {
        Ok(ItemOutcome::Done)
    }
    async fn erase(&self, _: Priority, _: SubscriberHash) -> CallResult<ItemOutcome> {
        unexpected(Service::Mailchimp, "member: erase")
    }
    async fn tag_many(
        &self,
        _: Priority,
        _: SegmentId,
        add: &[Email],
        remove: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        Ok(done(add.iter().chain(remove).map(Email::hash)))
    }
    async fn tag_one(
        &self,
        _: Priority,
        _: SubscriberHash,
        _: &[(TagName, bool)],
        _: Delivery,
    ) -> CallResult<()> {
        Ok(())
    }
    async fn create_tag(&self, _: Priority, _: &TagName) -> CallResult<SegmentId> {
        Ok(SegmentId(1))
    }
    async fn rename_tag(&self, _: Priority, _: SegmentId, _: &TagName) -> CallResult<()> {
        Ok(())
    }
    async fn submit(
        &self,
        _: Priority,
        _: &[(String, SubscriberHash, Option<Email>, BatchCall)],
    ) -> CallResult<String> {
        unexpected(Service::Mailchimp, "batch: submit")
    }
    async fn batch(&self, _: Priority, _: &str) -> CallResult<BatchState> {
        Ok(BatchState::Unknown)
    }
    async fn batches(&self, _: Priority) -> CallResult<Vec<BatchSummary>> {
        Ok(Vec::new())
    }
}
