//! Every call of both connectors, answered with the same bytes whatever was asked. The fuzz targets share this.
//!
//! Promises: a call ends, with an answer or a failure. Never: a network.

use async_trait::async_trait;
use hsmc::connect::{
    Http, HubSpotClient, HubSpotSettings, Incoming, Loss, MailchimpClient, MailchimpSettings, OpenGate,
    Outgoing, Transport,
};
use hsmc::domain::email::{Email, SubscriberHash};
use hsmc::domain::failure::{CallFailure, Service};
use hsmc::domain::id::{ListId, RecordId, SegmentId};
use hsmc::domain::member::MemberStatus;
use hsmc::domain::port::{
    AudienceAccount, BatchCall, ContactQuery, CrmAccount, MemberQuery, NewMember, OptOutBasis, Priority,
};
use hsmc::domain::step::{Delivery, OptOutScope};
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

const P: Priority = Priority::Scan;
const AT: Timestamp = Timestamp(1_795_442_400_000);
/// Exchanges that one call may make, at most: paging over the same page for ever is no end.
const EXCHANGES: u32 = 200;

/// What is answered, whatever is asked.
#[derive(Clone, Debug)]
pub struct Canned {
    /// Status.
    pub status: u16,
    /// A value for every header that a connector looks at.
    pub header: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The headers that a connector looks at.
const HEADERS: [&str; 8] = [
    "retry-after",
    "date",
    "x-request-id",
    "x-hubspot-correlation-id",
    "x-hubspot-ratelimit-daily-remaining",
    "x-hubspot-ratelimit-interval-milliseconds",
    "x-hubspot-ratelimit-max",
    "x-hubspot-ratelimit-remaining",
];

struct Always {
    canned: Canned,
    exchanges: AtomicU32,
}

#[async_trait]
impl Transport for Always {
    async fn exchange(&self, _: Outgoing) -> Result<Incoming, Loss> {
        assert!(self.exchanges.fetch_add(1, Ordering::Relaxed) < EXCHANGES, "a call that finds no end");
        let headers = HEADERS.map(|name| (name.to_owned(), self.canned.header.clone())).into();
        Ok(Incoming { status: self.canned.status, headers, body: Ok(self.canned.body.clone()), at: AT })
    }
}

/// Makes each call of HubSpot's connector with this answer; how many ended as failures.
pub async fn of_hubspot(canned: &Canned) -> usize {
    let (ann, ids, lists) = (ann(), [RecordId(1), RecordId(2)], [ListId(946), ListId(7)]);
    let basis =
        OptOutBasis { legal_basis: "LEGITIMATE_INTEREST_OTHER".to_owned(), explanation: String::new() };
    let updates = BTreeMap::from([(RecordId(1), BTreeMap::from([("city".to_owned(), "Berne".to_owned())]))]);
    let modified = ContactQuery::Modified { since: Timestamp(0), until: AT };
    let mut failed = Failed::default();
    failed.count(&hubspot(canned).portal(P).await);
    failed.count(&hubspot(canned).lists(P, &lists).await);
    failed.count(&hubspot(canned).memberships(P, ListId(946), None).await);
    failed.count(&hubspot(canned).contacts(P, &ids).await);
    failed.count(&hubspot(canned).contacts_by_email(P, std::slice::from_ref(&ann)).await);
    failed.count(&hubspot(canned).contact(P, RecordId(1)).await);
    for query in [modified, ContactQuery::OptedOut] {
        let first = hubspot(canned).search(P, &query, None).await;
        if let Ok(page) = &first {
            failed.count(&hubspot(canned).search(P, &query, page.next.as_deref()).await);
        }
        failed.count(&first);
    }
    failed.count(&hubspot(canned).memberships_of(P, &ids).await);
    failed.count(&hubspot(canned).properties(P).await);
    failed.count(&hubspot(canned).create_text_property(P, "list", "List").await);
    failed.count(&hubspot(canned).list_add(P, ListId(946), &ids).await);
    failed.count(&hubspot(canned).list_remove(P, ListId(946), &ids).await);
    failed.count(&hubspot(canned).update_contacts(P, &updates).await);
    failed.count(&hubspot(canned).create_contact(P, &ann).await);
    failed.count(&hubspot(canned).subscription_types(P).await);
    for scope in [OptOutScope::All, OptOutScope::Subscription(1)] {
        failed.count(&hubspot(canned).opt_out(P, &ann, scope, &basis).await);
        failed.count(&hubspot(canned).is_opted_out(P, &ann, scope).await);
    }
    failed.count(&hubspot(canned).erase_contact(P, RecordId(1)).await);
    failed.0
}

/// Makes each call of Mailchimp's connector with this answer; how many ended as failures.
pub async fn of_mailchimp(canned: &Canned) -> usize {
    let (ann, tag, segment) = (ann(), TagName::new("Spring"), SegmentId(1));
    let (hash, emails) = (ann.hash(), std::slice::from_ref(&ann));
    let fields = BTreeMap::from([("FNAME".to_owned(), serde_json::json!("Ann"))]);
    let fresh = NewMember {
        email: ann.clone(),
        status: MemberStatus::Subscribed,
        fields: fields.clone(),
        tags: vec![tag.clone()],
    };
    let query = MemberQuery { status: Some(MemberStatus::Archived), ..MemberQuery::default() };
    let calls: [(String, SubscriberHash, Option<Email>, BatchCall); 1] =
        [("1".to_owned(), hash, Some(ann.clone()), BatchCall::Archive)];
    let mut failed = Failed::default();
    failed.count(&mailchimp(canned).account(P).await);
    failed.count(&mailchimp(canned).audience(P).await);
    failed.count(&mailchimp(canned).merge_fields(P).await);
    failed.count(&mailchimp(canned).create_merge_field(P, "CITY", "City").await);
    failed.count(&mailchimp(canned).tags(P).await);
    let first = mailchimp(canned).members(P, &query, None).await;
    if let Ok(page) = &first {
        failed.count(&mailchimp(canned).members(P, &query, page.next.as_deref()).await);
    }
    failed.count(&first);
    failed.count(&mailchimp(canned).bearers(P, segment, None).await);
    failed.count(&mailchimp(canned).member(P, hash).await);
    failed.count(&mailchimp(canned).subscribe(P, std::slice::from_ref(&fresh)).await);
    failed.count(&mailchimp(canned).unsubscribe(P, emails).await);
    failed.count(&mailchimp(canned).refresh(P, &ann, &fields).await);
    failed.count(&mailchimp(canned).restore(P, &ann, &MemberStatus::Subscribed, &fields).await);
    failed.count(&mailchimp(canned).rename(P, hash, &ann).await);
    failed.count(&mailchimp(canned).archive(P, hash).await);
    failed.count(&mailchimp(canned).erase(P, hash).await);
    failed.count(&mailchimp(canned).tag_many(P, segment, emails, &[]).await);
    failed.count(&mailchimp(canned).tag_one(P, hash, &[(tag.clone(), true)], Delivery::Silent).await);
    failed.count(&mailchimp(canned).create_tag(P, &tag).await);
    failed.count(&mailchimp(canned).rename_tag(P, segment, &tag).await);
    failed.count(&mailchimp(canned).submit(P, &calls).await);
    failed.count(&mailchimp(canned).batch(P, "ticket").await);
    failed.count(&mailchimp(canned).batches(P).await);
    failed.0
}

/// Counts failures; each must be one that can be printed without anybody's address.
#[derive(Default)]
struct Failed(usize);

impl Failed {
    fn count<T>(&mut self, outcome: &Result<T, CallFailure>) {
        let Err(failure) = outcome else { return };
        let printed = format!("{failure} {failure:?}");
        assert!(!printed.contains("ann.lee@example.com"), "{printed}");
        self.0 += 1;
    }
}

fn ann() -> Email {
    Email::parse("ann.lee@example.com").expect("an address")
}

fn over(canned: &Canned) -> Http {
    Http::over(Arc::new(Always { canned: canned.clone(), exchanges: AtomicU32::new(0) }))
}

fn base() -> Url {
    Url::parse("http://127.0.0.1/base/").expect("an address")
}

fn hubspot(canned: &Canned) -> HubSpotClient {
    let settings = HubSpotSettings {
        base_url: base(),
        token: "token".to_owned().into(),
        api_version: "v3".to_owned(),
        properties: vec!["city".to_owned()],
        opt_out_scopes: vec![OptOutScope::All],
        list_write_limit: 500,
    };
    HubSpotClient::new(settings, Arc::new(OpenGate(Service::HubSpot)), over(canned))
}

fn mailchimp(canned: &Canned) -> MailchimpClient {
    let settings = MailchimpSettings {
        base_url: base(),
        api_key: "key-us1".to_owned().into(),
        audience: "aud1".to_owned(),
    };
    MailchimpClient::new(settings, Arc::new(OpenGate(Service::Mailchimp)), over(canned))
}

impl Canned {
    /// From a file of the corpus, or whatever a fuzzer made of one: status and headers' value on the first line, the
    /// body behind it.
    pub fn from_bytes(bytes: &[u8]) -> Canned {
        let (first, body) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&bytes[..end], &bytes[end + 1..]),
            None => (&bytes[..0], bytes),
        };
        let first = String::from_utf8_lossy(first);
        let (status, header) = first.split_once(' ').unwrap_or(("200", ""));
        let status = status.parse().unwrap_or(200).clamp(100, 599);
        Canned { status, header: header.to_owned(), body: body.to_vec() }
    }
}
