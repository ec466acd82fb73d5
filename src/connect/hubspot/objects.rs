//! The calls about objects of any type (HubSpot contract §7, §8, §10), for the mirror.

use super::client::{HubSpotClient, QUERY, SEARCH_BODY};
use super::object_wire as wire;
use crate::connect::classify::CallKind;
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::segment;
use crate::domain::id::RecordId;
use crate::domain::object::{
    Associations, ObjectAccount, ObjectPage, ObjectSchema, ObjectType, PageAsk, SearchAsk,
};
use crate::domain::port::{Budget, CallResult, Priority};
use async_trait::async_trait;
use serde_json::{Value, json};

impl HubSpotClient {
    fn object_path(&self, kind: &ObjectType) -> String {
        format!("{}/{}", self.paths.objects, segment(kind.as_str()))
    }
}

#[async_trait]
impl ObjectAccount for HubSpotClient {
    async fn object_page(&self, priority: Priority, ask: PageAsk<'_>) -> CallResult<ObjectPage> {
        let call = CallKind::read(format!("read {}", ask.kind));
        let mut get = self
            .line
            .ask(priority, call, Method::GET, &self.object_path(ask.kind))
            .query("limit", &ask.limit.to_string());
        if !ask.properties.is_empty() {
            get = get.query("properties", &ask.properties.join(","));
        }
        if ask.archived {
            get = get.query("archived", "true");
        }
        if let Some(after) = ask.after {
            get = get.query("after", after);
        }
        let (answer, body) = self.line.object(&get).await?;
        let page =
            wire::page(&body, ask.kind).ok_or_else(|| self.line.unreadable(&get, &answer, "results"))?;
        Ok(ObjectPage { at: answer.seen.date, ..page })
    }

    async fn object_search(&self, priority: Priority, ask: SearchAsk<'_>) -> CallResult<ObjectPage> {
        let path = format!("{}/search", self.object_path(ask.kind));
        let call = CallKind::read(format!("search {}", ask.kind));
        let post = self
            .line
            .ask(priority, call, Method::POST, &path)
            .budget(Budget::Search)
            .body(wire::search_body(&ask, ask.properties));
        let (answer, body) = self.line.object(&post).await?;
        wire::page(&body, ask.kind).ok_or_else(|| self.line.unreadable(&post, &answer, "results"))
    }

    async fn objects(
        &self,
        priority: Priority,
        kind: &ObjectType,
        ids: &[RecordId],
        properties: &[String],
    ) -> CallResult<ObjectPage> {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id.to_string() })).collect();
        let path = format!("{}/batch/read", self.object_path(kind));
        let call = CallKind::read(format!("read {kind} by id"));
        let post = self
            .line
            .ask(priority, call, Method::POST, &path)
            .body(json!({"inputs": inputs, "properties": properties}));
        let (answer, body) = self.line.object(&post).await?;
        let asked = ids.iter().copied().collect();
        wire::records(&body, kind, &asked).ok_or_else(|| self.line.unreadable(&post, &answer, "results"))
    }

    async fn associations(
        &self,
        priority: Priority,
        from: &ObjectType,
        to: &ObjectType,
        asked: &[(RecordId, Option<String>)],
    ) -> CallResult<Associations> {
        let inputs: Vec<Value> = asked
            .iter()
            .map(|(id, after)| match after {
                Some(after) => json!({ "id": id.to_string(), "after": after }),
                None => json!({ "id": id.to_string() }),
            })
            .collect();
        let (there, here) = (segment(to.as_str()), segment(from.as_str()));
        let path = format!("{}/{here}/{there}/batch/read", self.paths.associations);
        let call = CallKind::read(format!("read associations of {from} with {to}"));
        let post = self.line.ask(priority, call, Method::POST, &path).body(json!({ "inputs": inputs }));
        let (answer, body) = self.line.object(&post).await?;
        let ids = asked.iter().map(|(id, _)| *id).collect();
        wire::associations(&body, &ids).ok_or_else(|| self.line.unreadable(&post, &answer, "results"))
    }

    async fn object_properties(&self, priority: Priority, kind: &ObjectType) -> CallResult<Vec<String>> {
        let path = format!("{}/{}", self.paths.definitions, segment(kind.as_str()));
        let call = CallKind::read(format!("read the properties of {kind}"));
        let get = self.line.ask(priority, call, Method::GET, &path);
        let (answer, body) = self.line.object(&get).await?;
        let rows = body.rows("results").ok_or_else(|| self.line.unreadable(&get, &answer, "results"))?;
        Ok(read_rows(rows, "properties", |row| row.text("name")))
    }

    async fn object_schemas(&self, priority: Priority) -> CallResult<Vec<ObjectSchema>> {
        let call = CallKind::read("read the custom objects");
        let get = self.line.ask(priority, call, Method::GET, &self.paths.schemas);
        let (answer, body) = self.line.object(&get).await?;
        let rows = body.rows("results").ok_or_else(|| self.line.unreadable(&get, &answer, "results"))?;
        Ok(read_rows(rows, "custom objects", wire::schema))
    }

    fn page_takes(&self, properties: &[String]) -> bool {
        // A comma takes three characters in a URL.
        properties.iter().map(|name| name.len() + 3).sum::<usize>() <= QUERY
    }

    fn search_takes(&self, properties: &[String]) -> bool {
        // Some 300 characters are filters and the like.
        properties.iter().map(|name| name.len() + 3).sum::<usize>() + 300 <= SEARCH_BODY
    }
}
