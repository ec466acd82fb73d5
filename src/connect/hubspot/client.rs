//! The client: its settings, the calls about contacts, and the port put together from all of them.
//! Calls about lists and consent have files of their own.

use super::classify::classify;
use super::paths::Paths;
use super::{search, wire};
use crate::connect::classify::{CallKind, unaskable};
use crate::connect::http::{Credential, Http, Method};
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::{Line, segment};
use crate::domain::contact::{
    Contact, FURTHER_ADDRESSES, ListInfo, MERGED_RECORDS, Membership, PropertyDefinition,
};
use crate::domain::email::Email;
use crate::domain::failure::{FailureClass, RefusalCode, Service};
use crate::domain::id::{ListId, RecordId};
use crate::domain::port::{
    BatchOutcome, Budget, CallResult, ContactQuery, CrmAccount, Gate, ItemOutcome, ListWrite, OptOutBasis,
    Page, PortalInfo, Priority, SubscriptionType,
};
use crate::domain::step::OptOutScope;
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::Url;

/// Inputs of one batch.
const BATCH: usize = 100;
/// Characters a search body may have (HubSpot contract §8).
pub(super) const SEARCH_BODY: usize = 3_000;
/// Characters of property names that still fit a URL (HubSpot contract §16.8).
pub(super) const QUERY: usize = 4_000;

/// How a portal is reached.
#[derive(Clone, Debug)]
pub struct HubSpotSettings {
    /// `https://api.hubapi.com`; may have a path of its own.
    pub base_url: Url,
    /// Service key or private-app token.
    pub token: SecretString,
    /// `2026-09`, or `v3` for the older paths.
    pub api_version: String,
    /// Contact properties to read and to keep.
    pub properties: Vec<String>,
    /// What counts as an opt-out, beside the opt-out from everything.
    pub opt_out_scopes: Vec<OptOutScope>,
    /// Ids one list write may carry; the limit is undocumented, 1,000 is safe.
    pub list_write_limit: usize,
}

/// One portal.
pub struct HubSpotClient {
    pub(super) line: Line,
    pub(super) paths: Paths,
    /// Properties kept in [`Contact::properties`].
    wanted: BTreeSet<String>,
    /// Properties that mean an opt-out.
    opt_outs: Vec<String>,
    /// Properties asked for: all of the above, and the ones every contact needs.
    asked: Vec<String>,
    list_write_limit: usize,
}

impl HubSpotClient {
    /// A client of the portal behind the token; sends nothing yet.
    pub fn new(settings: HubSpotSettings, gate: Arc<dyn Gate>, http: Http) -> HubSpotClient {
        let mut opt_outs = vec!["hs_email_optout".to_owned()];
        for scope in &settings.opt_out_scopes {
            if let OptOutScope::Subscription(id) = scope {
                let name = format!("hs_email_optout_{id}");
                if !opt_outs.contains(&name) {
                    opt_outs.push(name);
                }
            }
        }
        let mut wanted: BTreeSet<String> = settings.properties.into_iter().collect();
        // Without them nobody could tell who is the same person after a merge.
        wanted.extend([FURTHER_ADDRESSES, MERGED_RECORDS].map(str::to_owned));
        let mut asked: Vec<String> = ["email", "createdate", "lastmodifieddate"].map(str::to_owned).to_vec();
        for name in opt_outs.iter().chain(&wanted) {
            if !asked.contains(name) {
                asked.push(name.clone());
            }
        }
        HubSpotClient {
            line: Line {
                service: Service::HubSpot,
                http,
                gate,
                credential: Credential::Bearer(settings.token),
                base: settings.base_url,
                classify,
            },
            paths: Paths::of(&settings.api_version),
            wanted,
            opt_outs,
            asked,
            list_write_limit: settings.list_write_limit,
        }
    }

    fn read_contact(&self, row: &Value) -> Option<Contact> {
        wire::contact(row, &self.wanted, &self.opt_outs)
    }

    /// One batch read, by record id or by address.
    async fn batch_read(
        &self,
        priority: Priority,
        ids: &[String],
        id_property: Option<&str>,
    ) -> CallResult<Vec<Contact>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let mut body = json!({"inputs": inputs, "properties": self.asked});
        if let (Some(property), Some(object)) = (id_property, body.as_object_mut()) {
            object.insert("idProperty".to_owned(), property.into());
        }
        let path = format!("{}/batch/read", self.paths.contacts);
        let ask = self.line.ask(priority, CallKind::read("read contacts"), Method::POST, &path).body(body);
        let (answer, body) = self.line.object(&ask).await?;
        match (body.rows("results"), body.rows("errors")) {
            (Some(rows), _) => Ok(read_rows(rows, "contacts", |row| self.read_contact(row))),
            // All of them missing: some answers then have only errors.
            (None, Some(_)) => Ok(Vec::new()),
            (None, None) => Err(self.line.unreadable(&ask, &answer, "results")),
        }
    }

    /// The contact under an id or an address.
    async fn get(
        &self,
        priority: Priority,
        id: &str,
        id_property: Option<&str>,
        properties: &str,
    ) -> CallResult<Option<Contact>> {
        let path = format!("{}/{}", self.paths.contacts, segment(id));
        let mut ask = self
            .line
            .ask(priority, CallKind::read("read a contact"), Method::GET, &path)
            .query("properties", properties);
        if let Some(property) = id_property {
            ask = ask.query("idProperty", property);
        }
        let Some((answer, body)) = self.line.object_if_there(&ask).await? else { return Ok(None) };
        match self.read_contact(&body) {
            Some(contact) => Ok(Some(contact)),
            None => Err(self.line.unreadable(&ask, &answer, "id")),
        }
    }
}

#[async_trait]
impl CrmAccount for HubSpotClient {
    async fn portal(&self, priority: Priority) -> CallResult<PortalInfo> {
        let path = format!("{}/details", self.paths.account);
        let ask = self.line.ask(priority, CallKind::read("read the portal"), Method::GET, &path);
        let (answer, body) = self.line.object(&ask).await?;
        let portal_id =
            body.number("portalId").ok_or_else(|| self.line.unreadable(&ask, &answer, "portalId"))?;
        Ok(PortalInfo { portal_id, time_zone: body.text("timeZone").unwrap_or_else(|| "UTC".to_owned()) })
    }

    async fn lists(&self, priority: Priority, ids: &[ListId]) -> CallResult<Vec<ListInfo>> {
        self.search_lists(priority, ids).await
    }

    async fn memberships(
        &self,
        priority: Priority,
        list: ListId,
        after: Option<&str>,
    ) -> CallResult<Page<Membership>> {
        self.membership_page(priority, list, after).await
    }

    async fn contacts(&self, priority: Priority, ids: &[RecordId]) -> CallResult<Vec<Contact>> {
        let ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
        self.batch_read(priority, &ids, None).await
    }

    async fn contacts_by_email(&self, priority: Priority, emails: &[Email]) -> CallResult<Vec<Contact>> {
        let ids: Vec<String> = emails.iter().map(|email| email.as_str().to_owned()).collect();
        self.batch_read(priority, &ids, Some("email")).await
    }

    async fn contact(&self, priority: Priority, id: RecordId) -> CallResult<Option<Contact>> {
        let properties = self.asked.join(",");
        if properties.len() <= QUERY {
            return self.get(priority, &id.to_string(), None, &properties).await;
        }
        // Too many names for a URL: the GET only finds the survivor, the batch read has its values.
        let Some(found) = self.get(priority, &id.to_string(), None, "email").await? else { return Ok(None) };
        Ok(self.contacts(priority, &[found.record]).await?.into_iter().next())
    }

    async fn search(
        &self,
        priority: Priority,
        query: &ContactQuery,
        after: Option<&str>,
    ) -> CallResult<Page<Contact>> {
        let path = format!("{}/search", self.paths.contacts);
        let ask = self
            .line
            .ask(priority, CallKind::read("search contacts"), Method::POST, &path)
            .budget(Budget::Search);
        let bad_cursor = || unaskable(Service::HubSpot, ask.call(), "the cursor is none of ours");
        let cursor = match after {
            Some(text) => text.parse().map_err(|()| bad_cursor())?,
            None => search::Cursor::default(),
        };
        let parts = search::groups(query, &self.opt_outs);
        let part = parts.get(cursor.part).ok_or_else(bad_cursor)?;
        let mut body = search::body(part, cursor, &self.asked);
        // A body with too many names is refused: then the values are read afterwards.
        let is_long = body.to_string().len() > SEARCH_BODY;
        if is_long {
            body = search::body(part, cursor, &["email".to_owned()]);
        }
        let ask = ask.body(body);
        let (answer, body) = self.line.object(&ask).await?;
        let Some(rows) = body.rows("results") else {
            return Err(self.line.unreadable(&ask, &answer, "results"));
        };
        let mut contacts = read_rows(rows, "contacts", |row| self.read_contact(row));
        let seen = search::Seen {
            rows: rows.len(),
            last: contacts.iter().map(|contact| contact.record).max(),
            next: wire::next(&body).and_then(|next| next.parse().ok()),
        };
        if is_long {
            let ids: Vec<RecordId> = contacts.iter().map(|contact| contact.record).collect();
            contacts = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(BATCH) {
                contacts.extend(self.contacts(priority, chunk).await?);
            }
        }
        let total = body.number("total").filter(|_| parts.len() == 1 && cursor.floor == 0);
        let next = cursor.after(seen, parts.len()).map(|cursor| cursor.to_string());
        Ok(Page { rows: contacts, next, total })
    }

    async fn memberships_of(
        &self,
        priority: Priority,
        ids: &[RecordId],
    ) -> CallResult<BTreeMap<RecordId, BTreeSet<ListId>>> {
        self.read_memberships(priority, ids).await
    }

    async fn properties(&self, priority: Priority) -> CallResult<Vec<PropertyDefinition>> {
        let path = &self.paths.properties;
        let ask = self.line.ask(priority, CallKind::read("read the properties"), Method::GET, path);
        let (answer, body) = self.line.object(&ask).await?;
        let rows = body.rows("results").ok_or_else(|| self.line.unreadable(&ask, &answer, "results"))?;
        Ok(read_rows(rows, "properties", wire::property))
    }

    async fn create_text_property(&self, priority: Priority, name: &str, label: &str) -> CallResult<()> {
        let call = CallKind::write(format!("create property {name}"));
        let ask = self.line.ask(priority, call, Method::POST, &self.paths.properties).body(json!({
            "name": name,
            "label": label,
            "type": "string",
            "fieldType": "text",
            "groupName": "contactinformation",
        }));
        match self.line.answer(&ask).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.status == Some(409) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn list_add(&self, priority: Priority, list: ListId, ids: &[RecordId]) -> CallResult<ListWrite> {
        self.write_list(priority, list, "add", ids).await
    }

    async fn list_remove(&self, priority: Priority, list: ListId, ids: &[RecordId]) -> CallResult<ListWrite> {
        self.write_list(priority, list, "remove", ids).await
    }

    async fn update_contacts(
        &self,
        priority: Priority,
        updates: &BTreeMap<RecordId, BTreeMap<String, String>>,
    ) -> CallResult<BatchOutcome<RecordId>> {
        if updates.is_empty() {
            return Ok(BTreeMap::new());
        }
        let path = format!("{}/batch/update", self.paths.contacts);
        let ask = self
            .line
            .ask(priority, CallKind::write("update contacts"), Method::POST, &path)
            .body(json!({ "inputs": wire::update_inputs(updates) }));
        let (answer, body) = self.line.object(&ask).await?;
        if body.rows("results").is_none() && body.rows("errors").is_none() {
            return Err(self.line.unreadable(&ask, &answer, "results"));
        }
        Ok(wire::update_outcomes(&body, &updates.keys().copied().collect()))
    }

    async fn create_contact(&self, priority: Priority, email: &Email) -> CallResult<RecordId> {
        let ask = self
            .line
            .ask(priority, CallKind::write("create a contact"), Method::POST, &self.paths.contacts)
            .body(json!({"properties": {"email": email.as_str()}}));
        let answer = self.line.exchange(&ask).await?;
        if answer.is_success() {
            let id = answer.json.as_ref().and_then(|body| wire::record(body, "id"));
            return id.ok_or_else(|| self.line.unreadable(&ask, &answer, "id"));
        }
        let failure = classify(ask.call(), &answer);
        if failure.refusal != RefusalCode::AlreadyExists || failure.class != FailureClass::Permanent {
            return Err(failure);
        }
        if let Some(id) = answer.json.as_ref().and_then(wire::existing_id) {
            return Ok(id);
        }
        let existing = self.get(priority, email.as_str(), Some("email"), "email").await?;
        existing.map(|contact| contact.record).ok_or(failure)
    }

    async fn subscription_types(&self, priority: Priority) -> CallResult<Vec<SubscriptionType>> {
        self.read_subscription_types(priority).await
    }

    async fn opt_out(
        &self,
        priority: Priority,
        email: &Email,
        scope: OptOutScope,
        basis: &OptOutBasis,
    ) -> CallResult<ItemOutcome> {
        self.write_opt_out(priority, email, scope, basis).await
    }

    async fn is_opted_out(&self, priority: Priority, email: &Email, scope: OptOutScope) -> CallResult<bool> {
        self.read_opt_out(priority, email, scope).await
    }

    async fn erase_contact(&self, priority: Priority, id: RecordId) -> CallResult<ItemOutcome> {
        let path = format!("{}/gdpr-delete", self.paths.contacts);
        let ask = self
            .line
            .ask(priority, CallKind::write("delete a contact for good"), Method::POST, &path)
            .body(json!({ "objectId": id.to_string() }));
        self.line.delete(&ask).await
    }

    fn list_write_limit(&self) -> usize {
        self.list_write_limit
    }
}
