//! Calls about lists and who is in them (HubSpot contract §6).

use super::client::HubSpotClient;
use super::wire;
use crate::connect::classify::CallKind;
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::domain::contact::{ListInfo, Membership};
use crate::domain::id::{ListId, RecordId};
use crate::domain::port::{CallResult, ListWrite, Page, Priority};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Lists one search names.
const SEARCH: usize = 500;
/// Members on a page.
const PAGE: &str = "250";
/// Pages one search of at most 500 named lists can have, even where the service pages smaller.
const PAGES: usize = 50;

impl HubSpotClient {
    pub(super) async fn search_lists(&self, priority: Priority, ids: &[ListId]) -> CallResult<Vec<ListInfo>> {
        let mut found: BTreeMap<ListId, ListInfo> = BTreeMap::new();
        for chunk in ids.chunks(SEARCH) {
            let named: BTreeSet<ListId> = chunk.iter().copied().collect();
            let mut offset = 0;
            for _ in 0..PAGES {
                let ask = self.line.ask(
                    priority,
                    CallKind::read("search lists"),
                    Method::POST,
                    &format!("{}/search", self.paths.lists),
                );
                let ask = ask.body(json!({
                    "listIds": named.iter().map(ListId::to_string).collect::<Vec<_>>(),
                    "additionalProperties":
                        ["hs_list_size", "hs_last_record_added_at", "hs_last_record_removed_at"],
                    "count": SEARCH,
                    "offset": offset,
                }));
                let (answer, body) = self.line.object(&ask).await?;
                let rows = body.rows("lists").ok_or_else(|| self.line.unreadable(&ask, &answer, "lists"))?;
                let lists = read_rows(rows, "lists", |row| Some(wire::list(row)));
                found.extend(
                    lists.into_iter().flatten().filter(|l| named.contains(&l.list)).map(|l| (l.list, l)),
                );
                if rows.is_empty() || body.flag("hasMore") != Some(true) {
                    break;
                }
                offset =
                    body.number("offset").filter(|next| *next > offset).unwrap_or(offset + rows.len() as u64);
            }
        }
        Ok(found.into_values().collect())
    }

    pub(super) async fn membership_page(
        &self,
        priority: Priority,
        list: ListId,
        after: Option<&str>,
    ) -> CallResult<Page<Membership>> {
        let path = format!("{}/{list}/memberships", self.paths.lists);
        let call = CallKind::read(format!("read members of list {list}"));
        let mut ask = self.line.ask(priority, call, Method::GET, &path).query("limit", PAGE);
        if let Some(after) = after {
            ask = ask.query("after", after);
        }
        let (answer, body) = self.line.object(&ask).await?;
        let rows = body.rows("results").ok_or_else(|| self.line.unreadable(&ask, &answer, "results"))?;
        // A cursor that does not move would page for ever.
        let next = wire::next(&body).filter(|next| !rows.is_empty() && Some(next.as_str()) != after);
        Ok(Page { rows: read_rows(rows, "memberships", wire::membership), next, total: body.number("total") })
    }

    pub(super) async fn read_memberships(
        &self,
        priority: Priority,
        ids: &[RecordId],
    ) -> CallResult<BTreeMap<RecordId, BTreeSet<ListId>>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let inputs: Vec<Value> = ids
            .iter()
            .map(|id| json!({"objectTypeId": wire::CONTACTS, "recordId": id.to_string()}))
            .collect();
        let path = format!("{}/records/memberships/batch/read", self.paths.lists);
        let ask = self
            .line
            .ask(priority, CallKind::read("read memberships"), Method::POST, &path)
            .body(json!({ "inputs": inputs }));
        let (answer, body) = self.line.object(&ask).await?;
        match (body.rows("results"), body.rows("errors")) {
            (Some(rows), _) => Ok(read_rows(rows, "memberships", wire::lists_of).into_iter().collect()),
            (None, Some(_)) => Ok(BTreeMap::new()),
            (None, None) => Err(self.line.unreadable(&ask, &answer, "results")),
        }
    }

    /// `add` to or `remove` from a static list. The body is a bare array of ids as strings.
    pub(super) async fn write_list(
        &self,
        priority: Priority,
        list: ListId,
        verb: &str,
        ids: &[RecordId],
    ) -> CallResult<ListWrite> {
        if ids.is_empty() {
            return Ok(ListWrite::default());
        }
        let path = format!("{}/{list}/memberships/{verb}", self.paths.lists);
        let preposition = if verb == "add" { "to" } else { "from" };
        let call = CallKind::write(format!("{verb} {preposition} list {list}"));
        let ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
        let ask = self.line.ask(priority, call, Method::PUT, &path).body(json!(ids));
        let answer = self.line.answer(&ask).await?;
        if answer.status == 204 {
            return Ok(ListWrite::default());
        }
        let write = answer.json.as_ref().and_then(wire::list_write);
        write.ok_or_else(|| self.line.unreadable(&ask, &answer, "record ids"))
    }
}
