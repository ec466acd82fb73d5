//! Two accounts in memory, sharing one world. They page, count calls, and fail or stop where told.

use async_trait::async_trait;
use hsmc::domain::contact::*;
use hsmc::domain::email::{Email, SubscriberHash};
use hsmc::domain::failure::*;
use hsmc::domain::id::*;
use hsmc::domain::member::*;
use hsmc::domain::port::*;
use hsmc::domain::step::{Delivery, OptOutScope};
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub struct List {
    pub members: BTreeMap<RecordId, Timestamp>,
    pub changes: u64,
    pub complete: bool,
    pub marked: bool,
}

pub struct World {
    pub now: Timestamp,
    pub page: usize,
    pub lists: BTreeMap<ListId, List>,
    pub contacts: BTreeMap<RecordId, Contact>,
    /// Secondary addresses.
    pub secondary: BTreeMap<Email, RecordId>,
    /// Merged away, and the survivor.
    pub merged: BTreeMap<RecordId, RecordId>,
    pub members: BTreeMap<SubscriberHash, Member>,
    /// Tags and their segments.
    pub segments: BTreeMap<TagName, SegmentId>,
    /// Whether a tag moves a member's date of change.
    pub tags_move_date: bool,
    /// Each membership page repeats the last row of the page before.
    pub overlap: bool,
    /// Members that the first listing skips (pages shifted under it).
    pub skipped_once: BTreeSet<SubscriberHash>,
    pub next_id: u64,
    /// So many people made up on the fly, each on both sides and in list 1.
    pub made_up: u64,
    pub calls: BTreeMap<&'static str, u64>,
    pub total_calls: u64,
    /// Calls by number that fail with this class.
    pub fail: BTreeMap<u64, FailureClass>,
    /// Raised after this many calls.
    pub stop_after: Option<(u64, watch::Sender<bool>)>,
}

impl World {
    pub fn new() -> World {
        World {
            now: Timestamp(1_790_000_000_000),
            page: 3,
            lists: BTreeMap::new(),
            contacts: BTreeMap::new(),
            secondary: BTreeMap::new(),
            merged: BTreeMap::new(),
            members: BTreeMap::new(),
            segments: BTreeMap::new(),
            tags_move_date: true,
            overlap: false,
            skipped_once: BTreeSet::new(),
            next_id: 0,
            made_up: 0,
            calls: BTreeMap::new(),
            total_calls: 0,
            fail: BTreeMap::new(),
            stop_after: None,
        }
    }

    pub fn later(&mut self, minutes: i64) {
        self.now = Timestamp(self.now.0 + minutes * 60_000);
    }

    pub fn list(&mut self, id: u64) -> &mut List {
        self.lists.entry(ListId(id)).or_insert(List {
            members: BTreeMap::new(),
            changes: 0,
            complete: true,
            marked: true,
        })
    }

    pub fn join(&mut self, list: u64, record: u64) {
        let now = self.now;
        let list = self.list(list);
        if let Entry::Vacant(place) = list.members.entry(RecordId(record)) {
            place.insert(now);
            list.changes += 1;
        }
    }

    pub fn leave(&mut self, list: u64, record: u64) {
        let list = self.list(list);
        if list.members.remove(&RecordId(record)).is_some() {
            list.changes += 1;
        }
    }

    pub fn contact(&mut self, record: u64, address: &str) -> &mut Contact {
        let now = self.now;
        let contact = self.contacts.entry(RecordId(record)).or_insert(Contact {
            record: RecordId(record),
            address: String::new(),
            properties: BTreeMap::new(),
            opted_out: false,
            created: Some(now),
            modified: Some(now),
        });
        contact.address = address.to_owned();
        contact.modified = Some(now);
        contact
    }

    pub fn member(&mut self, address: &str, status: MemberStatus) -> &mut Member {
        let now = self.now;
        let email = Email::parse(address).unwrap();
        self.next_id += 1;
        let fresh = Member {
            contact_id: format!("c{}", self.next_id),
            email: email.clone(),
            status: status.clone(),
            fields: BTreeMap::new(),
            tags: Vec::new(),
            changed: Some(now),
            opted: Some(now),
            unsubscribe_reason: None,
        };
        let member = self.members.entry(email.hash()).or_insert(fresh);
        member.status = status;
        member.changed = Some(now);
        member
    }

    pub fn tag(&mut self, address: &str, tag: &str, borne: bool) {
        let number = 100 + self.segments.len() as u64;
        let tag = TagName::new(tag);
        self.segments.entry(tag.clone()).or_insert(SegmentId(number));
        let now = self.now;
        let move_date = self.tags_move_date;
        if let Some(member) = self.members.get_mut(&Email::parse(address).unwrap().hash()) {
            if member.bears(&tag) != borne && move_date {
                member.changed = Some(now);
            }
            member.tags.retain(|other| *other != tag);
            if borne {
                member.tags.push(tag);
            }
        }
    }

    fn bearers_of(&self, tag: &TagName) -> Vec<Member> {
        let bears = |m: &&Member| m.bears(tag) && m.status != MemberStatus::Archived;
        self.members.values().filter(bears).cloned().collect()
    }

    fn page_of<T: Clone>(&self, rows: &[T], after: Option<&str>, size: usize) -> Page<T> {
        let from = after.map_or(0, |after| after.parse::<usize>().unwrap());
        let to = (from + size).min(rows.len());
        let first = if self.overlap && from > 0 { from - 1 } else { from };
        Page {
            rows: rows[first.min(to)..to].to_vec(),
            next: (to < rows.len()).then(|| to.to_string()),
            total: Some(rows.len() as u64),
        }
    }

    /// One page of made-up rows.
    fn made_up<T>(&self, after: Option<&str>, row: fn(u64) -> T) -> Page<T> {
        let from = after.map_or(1, |after| after.parse::<u64>().unwrap());
        let to = (from + self.page as u64).min(self.made_up + 1);
        Page {
            rows: (from..to).map(row).collect(),
            next: (to <= self.made_up).then(|| to.to_string()),
            total: Some(self.made_up),
        }
    }

    fn called(&mut self, service: Service, what: &'static str) -> CallResult<()> {
        *self.calls.entry(what).or_default() += 1;
        self.total_calls += 1;
        if let Some((after, stop)) = &self.stop_after
            && self.total_calls > *after
        {
            stop.send_replace(true);
        }
        match self.fail.get(&self.total_calls) {
            None => Ok(()),
            Some(class) => Err(CallFailure {
                service,
                class: *class,
                refusal: RefusalCode::Other,
                status: Some(500),
                what: what.to_owned(),
                message: "as told".to_owned(),
                trace: None,
            }),
        }
    }
}

#[derive(Clone)]
pub struct Fake(pub Arc<Mutex<World>>);

impl Fake {
    pub fn new() -> Fake {
        Fake(Arc::new(Mutex::new(World::new())))
    }
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
    async fn crm(&self, what: &'static str) -> CallResult<MutexGuard<'_, World>> {
        self.pass(Service::HubSpot, what)
    }
    async fn mc(&self, what: &'static str) -> CallResult<MutexGuard<'_, World>> {
        self.pass(Service::Mailchimp, what)
    }
    fn pass(&self, service: Service, what: &'static str) -> CallResult<MutexGuard<'_, World>> {
        let mut world = self.world();
        world.called(service, what)?;
        Ok(world)
    }
}

fn made_up_contact(number: u64) -> Contact {
    let words = ["firstname", "lastname", "city", "branches", "import_list"];
    Contact {
        record: RecordId(number),
        address: format!("somebody.with.a.name.{number}@example.com"),
        properties: words.map(|word| (word.to_owned(), format!("{word} of {number}"))).into(),
        opted_out: false,
        created: Some(Timestamp(1)),
        modified: Some(Timestamp(1)),
    }
}

fn made_up_member(number: u64) -> Member {
    Member {
        email: made_up_contact(number).email().unwrap(),
        contact_id: format!("{number:032x}"),
        status: MemberStatus::Subscribed,
        fields: ["FNAME", "LNAME", "CITY"].map(|tag| (tag.to_owned(), format!("{tag} of {number}"))).into(),
        tags: vec![TagName::new("Entry"), TagName::new("Another tag")],
        changed: Some(Timestamp(1)),
        opted: Some(Timestamp(1)),
        unsubscribe_reason: None,
    }
}

fn no<T>() -> CallResult<T> {
    panic!("a scan makes no such call")
}

#[async_trait]
impl CrmAccount for Fake {
    async fn lists(&self, _: Priority, ids: &[ListId]) -> CallResult<Vec<ListInfo>> {
        let world = self.crm("lists").await?;
        let known = ids.iter().filter_map(|id| world.lists.get(id).map(|list| (id, list)));
        Ok(known
            .map(|(id, list)| ListInfo {
                list: *id,
                name: format!("List {id}"),
                kind: ListKind::Static,
                of_contacts: true,
                complete: list.complete,
                mark: list.marked.then(|| list.changes.to_string()),
                size: Some(list.members.len() as u64),
            })
            .collect())
    }
    async fn memberships(
        &self,
        _: Priority,
        list: ListId,
        after: Option<&str>,
    ) -> CallResult<Page<Membership>> {
        let world = self.crm("memberships").await?;
        if world.made_up > 0 {
            let row = |n| Membership { record: RecordId(n), joined: Some(Timestamp(1)) };
            return Ok(world.made_up(after, row));
        }
        let rows: Vec<Membership> = world.lists[&list]
            .members
            .iter()
            .map(|(record, joined)| Membership { record: *record, joined: Some(*joined) })
            .collect();
        Ok(world.page_of(&rows, after, world.page))
    }
    async fn contacts(&self, _: Priority, ids: &[RecordId]) -> CallResult<Vec<Contact>> {
        assert!(ids.len() <= 100);
        let world = self.crm("contacts").await?;
        if world.made_up > 0 {
            return Ok(ids.iter().map(|id| made_up_contact(id.0)).collect());
        }
        Ok(ids.iter().filter_map(|id| world.contacts.get(id)).cloned().collect())
    }
    async fn contacts_by_email(&self, _: Priority, emails: &[Email]) -> CallResult<Vec<Contact>> {
        assert!(emails.len() <= 100);
        let world = self.crm("contacts_by_email").await?;
        let has = |c: &&Contact| {
            let own = c.email().is_some_and(|own| emails.contains(&own));
            own || emails.iter().any(|email| world.secondary.get(email) == Some(&c.record))
        };
        Ok(world.contacts.values().filter(has).cloned().collect())
    }
    async fn contact(&self, _: Priority, id: RecordId) -> CallResult<Option<Contact>> {
        let world = self.crm("contact").await?;
        let id = world.merged.get(&id).copied().unwrap_or(id);
        Ok(world.contacts.get(&id).cloned())
    }
    async fn search(
        &self,
        _: Priority,
        query: &ContactQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Contact>> {
        let world = self.crm("search").await?;
        let fits = |c: &&Contact| match query {
            ContactQuery::OptedOut => c.opted_out,
            ContactQuery::Modified { since, until } => {
                c.modified.is_some_and(|at| at >= *since && at < *until)
            }
        };
        let rows: Vec<Contact> = world.contacts.values().filter(fits).cloned().collect();
        Ok(world.page_of(&rows, after, world.page))
    }
    async fn memberships_of(
        &self,
        _: Priority,
        ids: &[RecordId],
    ) -> CallResult<BTreeMap<RecordId, BTreeSet<ListId>>> {
        assert!(ids.len() <= 100);
        let world = self.crm("memberships_of").await?;
        let known = ids.iter().filter(|id| world.contacts.contains_key(id));
        let lists_of = |id: &RecordId| {
            world
                .lists
                .iter()
                .filter(|(_, list)| list.members.contains_key(id))
                .map(|(list, _)| *list)
                .collect()
        };
        Ok(known.map(|id| (*id, lists_of(id))).collect())
    }
    async fn portal(&self, _: Priority) -> CallResult<PortalInfo> {
        no()
    }
    async fn properties(&self, _: Priority) -> CallResult<Vec<PropertyDefinition>> {
        no()
    }
    async fn create_text_property(&self, _: Priority, _: &str, _: &str) -> CallResult<()> {
        no()
    }
    async fn list_add(&self, _: Priority, _: ListId, _: &[RecordId]) -> CallResult<ListWrite> {
        no()
    }
    async fn list_remove(&self, _: Priority, _: ListId, _: &[RecordId]) -> CallResult<ListWrite> {
        no()
    }
    async fn update_contacts(
        &self,
        _: Priority,
        _: &BTreeMap<RecordId, BTreeMap<String, String>>,
    ) -> CallResult<BatchOutcome<RecordId>> {
        no()
    }
    async fn create_contact(&self, _: Priority, _: &Email) -> CallResult<RecordId> {
        no()
    }
    async fn subscription_types(&self, _: Priority) -> CallResult<Vec<SubscriptionType>> {
        no()
    }
    async fn opt_out(
        &self,
        _: Priority,
        _: &Email,
        _: OptOutScope,
        _: &OptOutBasis,
    ) -> CallResult<ItemOutcome> {
        no()
    }
    async fn is_opted_out(&self, _: Priority, _: &Email, _: OptOutScope) -> CallResult<bool> {
        no()
    }
    async fn erase_contact(&self, _: Priority, _: RecordId) -> CallResult<ItemOutcome> {
        no()
    }
    fn list_write_limit(&self) -> usize {
        500
    }
}

#[async_trait]
impl AudienceAccount for Fake {
    async fn tags(&self, _: Priority) -> CallResult<Vec<TagInfo>> {
        let world = self.mc("tags").await?;
        Ok(world
            .segments
            .iter()
            .map(|(name, segment)| TagInfo {
                segment: *segment,
                name: name.clone(),
                member_count: world.bearers_of(name).len() as u64,
            })
            .collect())
    }
    async fn members(
        &self,
        _: Priority,
        query: &MemberQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        let mut world = self.mc("members").await?;
        if world.made_up > 0 && query.status.is_none() {
            return Ok(world.made_up(after, made_up_member));
        }
        let fits = |m: &&Member| {
            let status = match &query.status {
                Some(status) => m.status == *status,
                None => m.status != MemberStatus::Archived,
            };
            status
                && query.changed_since.is_none_or(|since| m.changed >= Some(since))
                && query.unsubscribed_since.is_none_or(|since| m.changed >= Some(since))
        };
        let mut rows: Vec<Member> = world.members.values().filter(fits).cloned().collect();
        rows.sort_by_key(|m| (m.opted, m.hash()));
        let mut page = world.page_of(&rows, after, world.page);
        let skipped = std::mem::take(&mut world.skipped_once);
        page.rows.retain(|m| !skipped.contains(&m.hash()));
        Ok(page)
    }
    async fn bearers(
        &self,
        _: Priority,
        segment: SegmentId,
        after: Option<&str>,
    ) -> CallResult<Page<Member>> {
        let world = self.mc("bearers").await?;
        let tag = world.segments.iter().find(|(_, s)| **s == segment).unwrap().0.clone();
        let rows = world.bearers_of(&tag);
        Ok(world.page_of(&rows, after, world.page))
    }
    async fn account(&self, _: Priority) -> CallResult<String> {
        no()
    }
    async fn audience(&self, _: Priority) -> CallResult<AudienceInfo> {
        no()
    }
    async fn merge_fields(&self, _: Priority) -> CallResult<Vec<MergeField>> {
        no()
    }
    async fn create_merge_field(&self, _: Priority, _: &str, _: &str) -> CallResult<()> {
        no()
    }
    async fn member(&self, _: Priority, _: SubscriberHash) -> CallResult<Option<Member>> {
        no()
    }
    async fn subscribe(&self, _: Priority, _: &[NewMember]) -> CallResult<Subscribed> {
        no()
    }
    async fn unsubscribe(&self, _: Priority, _: &[Email]) -> CallResult<BatchOutcome<SubscriberHash>> {
        no()
    }
    async fn refresh(
        &self,
        _: Priority,
        _: &Email,
        _: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()> {
        no()
    }
    async fn restore(
        &self,
        _: Priority,
        _: &Email,
        _: &MemberStatus,
        _: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()> {
        no()
    }
    async fn rename(&self, _: Priority, _: SubscriberHash, _: &Email) -> CallResult<()> {
        no()
    }
    async fn archive(&self, _: Priority, _: SubscriberHash) -> CallResult<ItemOutcome> {
        no()
    }
    async fn erase(&self, _: Priority, _: SubscriberHash) -> CallResult<ItemOutcome> {
        no()
    }
    async fn tag_many(
        &self,
        _: Priority,
        _: SegmentId,
        _: &[Email],
        _: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>> {
        no()
    }
    async fn tag_one(
        &self,
        _: Priority,
        _: SubscriberHash,
        _: &[(TagName, bool)],
        _: Delivery,
    ) -> CallResult<()> {
        no()
    }
    async fn create_tag(&self, _: Priority, _: &TagName) -> CallResult<SegmentId> {
        no()
    }
    async fn rename_tag(&self, _: Priority, _: SegmentId, _: &TagName) -> CallResult<()> {
        no()
    }
    async fn submit(
        &self,
        _: Priority,
        _: &[(String, SubscriberHash, Option<Email>, BatchCall)],
    ) -> CallResult<String> {
        no()
    }
    async fn batch(&self, _: Priority, _: &str) -> CallResult<BatchState> {
        no()
    }
    async fn batches(&self, _: Priority) -> CallResult<Vec<BatchSummary>> {
        no()
    }
}

#[async_trait]
impl Clock for Fake {
    fn now(&self) -> Timestamp {
        self.world().now
    }
    async fn sleep(&self, duration: Duration) {
        let mut world = self.world();
        world.now = world.now.plus(duration);
    }
}
