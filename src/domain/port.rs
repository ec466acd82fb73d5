//! What the world must offer: the two accounts, a clock, chance, hands for long work. Traits only, no
//! implementation.
//!
//! Every call is one exchange with the service, or a fixed number of them where the service pages
//! within one question. No implementation retries a write: whether a call is sent again is decided
//! by the engine, from the failure's class.

use super::contact::{Contact, ListInfo, Membership, PropertyDefinition};
use super::email::{Email, SubscriberHash};
use super::failure::{CallFailure, Refusal, Service};
use super::id::{ListId, RecordId, SegmentId};
use super::member::{AudienceInfo, Member, MemberStatus, MergeField, TagInfo};
use super::step::{Delivery, OptOutScope};
use super::tag::TagName;
use super::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::time::Duration;

/// Which call goes first when the budget is short, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// Opt-outs, with a connection of their own.
    OptOut,
    /// Probes and steps of moves already begun, and handovers.
    HandOver,
    /// Enrolments and refreshes.
    Enroll,
    /// Scans.
    Scan,
    /// Pulls into the mirror.
    Pull,
}

/// Result of a port call.
pub type CallResult<T> = Result<T, CallFailure>;

/// What became of one input of a batched write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It holds now.
    Done,
    /// It held already before the call, as the answer says.
    AlreadyHeld,
    /// Refused for this input.
    Refused(Refusal),
    /// The answer does not say: probe.
    Unknown,
}

/// One outcome per input of a batched write, by key; an input without an entry is `Unknown`.
pub type BatchOutcome<K> = BTreeMap<K, ItemOutcome>;

/// What became of members that were to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscribed {
    /// One outcome for each.
    pub outcomes: BatchOutcome<SubscriberHash>,
    /// Mailchimp's own number (`contact_id`) of each that was made: it stays when the address changes (Mailchimp
    /// contract §4).
    pub numbers: BTreeMap<SubscriberHash, String>,
}

/// One page and the cursor of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on the page.
    pub rows: Vec<T>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
    /// How many there are in all, when the answer says so.
    pub total: Option<u64>,
}

/// The portal behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalInfo {
    /// Its id.
    pub portal_id: u64,
    /// Its time zone: the daily quota ends at midnight there.
    pub time_zone: String,
}

/// A subscription type of the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionType {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Neither internal nor inactive.
    pub usable: bool,
}

/// Which contacts a search asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactQuery {
    /// Modified at or after `since` and before `until`.
    Modified {
        /// Lower bound, included.
        since: Timestamp,
        /// Upper bound, excluded.
        until: Timestamp,
    },
    /// Opted out of all email, or of any configured subscription type.
    OptedOut,
}

/// The real change a list write reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListWrite {
    /// Ids the answer names as added.
    pub added: BTreeSet<RecordId>,
    /// Ids the answer names as removed.
    pub removed: BTreeSet<RecordId>,
    /// Ids that do not exist.
    pub missing: BTreeSet<RecordId>,
}

/// Lawful basis and wording that go with an opt-out, as far as the API takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutBasis {
    /// HubSpot's word, e.g. `LEGITIMATE_INTEREST_OTHER`.
    pub legal_basis: String,
    /// Free text.
    pub explanation: String,
}

/// HubSpot, as the rules need it (HubSpot contract §18: the cheapest call for each task).
#[async_trait]
pub trait CrmAccount: Send + Sync + 'static {
    /// The portal behind the token.
    async fn portal(&self, priority: Priority) -> CallResult<PortalInfo>;
    /// All lists named, in one search; lists that do not exist are left out.
    async fn lists(&self, priority: Priority, ids: &[ListId]) -> CallResult<Vec<ListInfo>>;
    /// One page (250) of a list's members in ascending record id.
    async fn memberships(
        &self,
        priority: Priority,
        list: ListId,
        after: Option<&str>,
    ) -> CallResult<Page<Membership>>;
    /// Up to 100 contacts by record id. A survivor of a merge comes under its own id. Ids without an
    /// answer are left out.
    async fn contacts(&self, priority: Priority, ids: &[RecordId]) -> CallResult<Vec<Contact>>;
    /// Up to 100 contacts by address (primary or secondary). Addresses without a contact are left out.
    async fn contacts_by_email(&self, priority: Priority, emails: &[Email]) -> CallResult<Vec<Contact>>;
    /// One contact by an id that may be merged away; none when deleted.
    async fn contact(&self, priority: Priority, id: RecordId) -> CallResult<Option<Contact>>;
    /// One page of a search; pages past the 10,000 ceiling are handled within (`next` stays valid).
    async fn search(
        &self,
        priority: Priority,
        query: &ContactQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Contact>>;
    /// The lists each of up to 100 records is in: the probe of membership steps. A record the answer
    /// has no entry for is left out of the map, which never means "in no list".
    async fn memberships_of(
        &self,
        priority: Priority,
        ids: &[RecordId],
    ) -> CallResult<BTreeMap<RecordId, BTreeSet<ListId>>>;
    /// All contact property definitions.
    async fn properties(&self, priority: Priority) -> CallResult<Vec<PropertyDefinition>>;
    /// Creates a single-line text property; an existing one is success.
    async fn create_text_property(&self, priority: Priority, name: &str, label: &str) -> CallResult<()>;
    /// Adds records to a static list.
    async fn list_add(&self, priority: Priority, list: ListId, ids: &[RecordId]) -> CallResult<ListWrite>;
    /// Removes records from a static list.
    async fn list_remove(&self, priority: Priority, list: ListId, ids: &[RecordId]) -> CallResult<ListWrite>;
    /// Writes properties of up to 100 contacts. An empty value clears.
    async fn update_contacts(
        &self,
        priority: Priority,
        updates: &BTreeMap<RecordId, BTreeMap<String, String>>,
    ) -> CallResult<BatchOutcome<RecordId>>;
    /// Creates a contact; one that exists under the address is success, with its id.
    async fn create_contact(&self, priority: Priority, email: &Email) -> CallResult<RecordId>;
    /// The subscription types of the portal.
    async fn subscription_types(&self, priority: Priority) -> CallResult<Vec<SubscriptionType>>;
    /// Opts one address out. `AlreadyHeld` when it was.
    async fn opt_out(
        &self,
        priority: Priority,
        email: &Email,
        scope: OptOutScope,
        basis: &OptOutBasis,
    ) -> CallResult<ItemOutcome>;
    /// Whether the address is opted out.
    async fn is_opted_out(&self, priority: Priority, email: &Email, scope: OptOutScope) -> CallResult<bool>;
    /// Deletes a contact for good, with its history (HubSpot contract §11). `AlreadyHeld` when there is none.
    async fn erase_contact(&self, priority: Priority, id: RecordId) -> CallResult<ItemOutcome>;
    /// Ids one list write may carry (a setting).
    fn list_write_limit(&self) -> usize;
}

/// Which members a listing asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberQuery {
    /// Only this status. Without it archived members are left out.
    pub status: Option<MemberStatus>,
    /// Changed since.
    pub changed_since: Option<Timestamp>,
    /// Unsubscribed since (only with `status` = unsubscribed).
    pub unsubscribed_since: Option<Timestamp>,
}

/// A member to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// Address.
    pub email: Email,
    /// `subscribed` or `pending`.
    pub status: MemberStatus,
    /// Merge fields, fitted to their types; JSON because addresses are objects.
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Tags by name.
    pub tags: Vec<TagName>,
}

/// One call of an asynchronous batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchCall {
    /// DELETE the member.
    Archive,
    /// PUT merge fields without a status.
    Refresh(BTreeMap<String, serde_json::Value>),
    /// Tag changes by the member call.
    Tags {
        /// Name and whether it shall be borne.
        changes: Vec<(TagName, bool)>,
        /// Whether journeys may start.
        delivery: Delivery,
    },
}

/// The state of an asynchronous batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Not finished; so many of its operations are.
    Running(u64),
    /// Finished: one outcome per operation id.
    Finished(BTreeMap<String, Result<ItemOutcome, CallFailure>>),
    /// The service knows no such batch (results are kept for 7 days).
    Unknown,
}

/// A batch the service knows, to find the one whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its id.
    pub ticket: String,
    /// When it was submitted.
    pub submitted: Option<Timestamp>,
    /// How many operations it has.
    pub operations: u64,
}

/// Mailchimp, one audience (Mailchimp contract §19: the cheapest call for each task).
#[async_trait]
pub trait AudienceAccount: Send + Sync + 'static {
    /// Checks the key; the account's id.
    async fn account(&self, priority: Priority) -> CallResult<String>;
    /// The audience's own page.
    async fn audience(&self, priority: Priority) -> CallResult<AudienceInfo>;
    /// All merge fields.
    async fn merge_fields(&self, priority: Priority) -> CallResult<Vec<MergeField>>;
    /// Creates a text merge field (not public, not required); an existing one is success.
    async fn create_merge_field(&self, priority: Priority, tag: &str, name: &str) -> CallResult<()>;
    /// All tags with their counts.
    async fn tags(&self, priority: Priority) -> CallResult<Vec<TagInfo>>;
    /// One page (1,000) of members, oldest sign-up first. The cursor is opaque.
    async fn members(
        &self,
        priority: Priority,
        query: &MemberQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Member>>;
    /// One page (1,000) of a tag's bearers, whatever their status.
    async fn bearers(
        &self,
        priority: Priority,
        segment: SegmentId,
        after: Option<&str>,
    ) -> CallResult<Page<Member>>;
    /// One member, archived ones too; none when there is no such member.
    async fn member(&self, priority: Priority, hash: SubscriberHash) -> CallResult<Option<Member>>;
    /// Creates up to 500 members with tags; existing ones are left alone and come back as
    /// `Refused(AlreadyExists)`.
    async fn subscribe(&self, priority: Priority, members: &[NewMember]) -> CallResult<Subscribed>;
    /// Unsubscribes up to 500 existing members.
    async fn unsubscribe(
        &self,
        priority: Priority,
        emails: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>>;
    /// Writes merge fields of one existing member, never a status.
    async fn refresh(
        &self,
        priority: Priority,
        email: &Email,
        fields: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()>;
    /// Gives one archived member a status again (R6, R28 only): `subscribed` or `transactional`. Without
    /// fields, merge fields stay as they are.
    async fn restore(
        &self,
        priority: Priority,
        email: &Email,
        status: &MemberStatus,
        fields: &BTreeMap<String, serde_json::Value>,
    ) -> CallResult<()>;
    /// Changes the address of the member known by `old`.
    async fn rename(&self, priority: Priority, old: SubscriberHash, email: &Email) -> CallResult<()>;
    /// Archives one member. `AlreadyHeld` when it was archived; 405 for another reason is `Refused`.
    async fn archive(&self, priority: Priority, hash: SubscriberHash) -> CallResult<ItemOutcome>;
    /// Deletes one member for good; the address cannot be imported again (Mailchimp contract §4).
    /// `AlreadyHeld` when there is none.
    async fn erase(&self, priority: Priority, hash: SubscriberHash) -> CallResult<ItemOutcome>;
    /// Adds and removes up to 500 addresses each to one tag, loudly.
    async fn tag_many(
        &self,
        priority: Priority,
        segment: SegmentId,
        add: &[Email],
        remove: &[Email],
    ) -> CallResult<BatchOutcome<SubscriberHash>>;
    /// Changes tags of one member; unknown tags are created.
    async fn tag_one(
        &self,
        priority: Priority,
        hash: SubscriberHash,
        changes: &[(TagName, bool)],
        delivery: Delivery,
    ) -> CallResult<()>;
    /// Creates an empty tag, or finds the one of that name.
    async fn create_tag(&self, priority: Priority, name: &TagName) -> CallResult<SegmentId>;
    /// Renames a tag, keeping its bearers.
    async fn rename_tag(&self, priority: Priority, segment: SegmentId, name: &TagName) -> CallResult<()>;
    /// Hands up to 1,000 independent calls to an asynchronous batch; answers its ticket.
    async fn submit(
        &self,
        priority: Priority,
        calls: &[(String, SubscriberHash, Option<Email>, BatchCall)],
    ) -> CallResult<String>;
    /// How an asynchronous batch is doing.
    async fn batch(&self, priority: Priority, ticket: &str) -> CallResult<BatchState>;
    /// The newest batches, to find one whose answer was lost.
    async fn batches(&self, priority: Priority) -> CallResult<Vec<BatchSummary>>;
}

/// What one exchange told the account's gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// The budget's window in milliseconds (`X-HubSpot-RateLimit-Interval-Milliseconds`).
    pub window_ms: Option<u64>,
    /// Calls allowed per window (`-Max`).
    pub window_max: Option<u32>,
    /// Calls left in the window (`-Remaining`).
    pub window_remaining: Option<u32>,
    /// Calls left today (`-Daily-Remaining`).
    pub daily_remaining: Option<u64>,
    /// `Retry-After`, or what the body's policy means.
    pub retry_after: Option<Duration>,
    /// The answer was a rate limit, whatever its status (429; 403 without JSON under load; 477).
    pub limited: bool,
    /// The credentials were refused.
    pub unauthorized: bool,
    /// What time it was for the service (`Date`).
    pub date: Option<Timestamp>,
}

/// Which budget a call is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Budget {
    /// The ordinary one.
    Ordinary,
    /// HubSpot search: 5 per second per account, outside the ordinary budget.
    Search,
}

/// Leave to make one call; report what was seen, or drop it when nothing was.
pub trait Permit: Send {
    /// Ends the call and tells the gate what was seen.
    fn report(self: Box<Self>, observed: Observed);
}

/// The only way to the network: every exchange of a connector first asks its account's gate.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Waits until a call may leave.
    ///
    /// # Errors
    /// The account is stopped (credentials refused, breaker open, shutting down): nothing was sent.
    async fn admit(&self, priority: Priority, budget: Budget) -> Result<Box<dyn Permit>, CallFailure>;
    /// The service behind the gate.
    fn service(&self) -> Service;
}

/// What time it is.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Wall time: for due dates and records.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// Chance, from a seed where a test wants it.
pub trait Entropy: Send + Sync + 'static {
    /// A number in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64;
    /// Bytes nobody can guess: salts and keys.
    fn secret(&self) -> [u8; 32];
}

/// Something that long work waits for in the midst of it.
pub type Awaited = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long work waits for what is not its own: a commit of the journal.
pub trait Waits {
    /// Returns when it has come to its end.
    ///
    /// # Errors
    /// Nobody sees to it any more: the process ends.
    fn wait_for(&self, awaited: Awaited) -> Result<(), BrokenOff>;
}

/// Work that reads and writes files for long and gives way to nobody meanwhile.
pub type LongWork = Box<dyn FnOnce(&dyn Waits) + Send>;

/// Long work did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("work that was under way broke off: {0}")]
pub struct BrokenOff(pub String);

/// Where long work is done: on a thread of its own, so that it holds nobody up; in a simulation, in its turn.
#[async_trait]
pub trait Hands: Send + Sync + 'static {
    /// Does the work and returns when it is done.
    ///
    /// # Errors
    /// It panicked, or the process ends.
    async fn carry_out(&self, work: LongWork) -> Result<(), BrokenOff>;
}

/// Has long work done and gives what comes of it.
///
/// # Errors
/// As [`Hands::carry_out`].
pub async fn long_work<T: Send + 'static>(
    hands: &dyn Hands,
    work: impl FnOnce(&dyn Waits) -> T + Send + 'static,
) -> Result<T, BrokenOff> {
    let (answer, answered) = mpsc::sync_channel(1);
    hands
        .carry_out(Box::new(move |waits| {
            // Whoever asked may have gone; then nobody misses the answer.
            drop(answer.send(work(waits)));
        }))
        .await?;
    answered.try_recv().map_err(|_| BrokenOff("it gave no answer".to_owned()))
}

/// Waits, within long work, for what comes of something.
///
/// # Errors
/// As [`Waits::wait_for`].
pub fn wait_for<T: Send + 'static>(
    waits: &dyn Waits,
    awaited: impl Future<Output = T> + Send + 'static,
) -> Result<T, BrokenOff> {
    let (answer, answered) = mpsc::sync_channel(1);
    waits.wait_for(Box::pin(async move {
        drop(answer.send(awaited.await));
    }))?;
    answered.try_recv().map_err(|_| BrokenOff("it gave no answer".to_owned()))
}
