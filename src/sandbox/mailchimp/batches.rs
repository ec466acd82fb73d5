//! Asynchronous batches (Mailchimp contract §12): taken at once, carried out later, their results a
//! `tar.gz` behind a link.

use super::answers::{found, moment, not_found, problem};
use super::audience::Audience;
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

/// One batch.
#[derive(Clone, Debug)]
pub struct Batch {
    operations: Vec<Value>,
    submitted: Timestamp,
    due: Timestamp,
    /// Results once it is finished.
    results: Option<Vec<Value>>,
}

impl Audience {
    /// Answers a call under `/batches`; none when there is no such call.
    pub(super) fn batch_call(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        path: &[&str],
    ) -> Option<WireResponse> {
        match (request.method.as_str(), path) {
            ("POST", []) => Some(self.submit(scene, request)),
            ("GET", []) => {
                let (count, offset) = (request.number("count", 10)?, request.number("offset", 0)?);
                let mut all: Vec<(&String, &Batch)> = self.batches.iter().collect();
                all.sort_by(|left, right| (right.1.submitted, right.0).cmp(&(left.1.submitted, left.0)));
                let page: Vec<Value> =
                    all.iter().skip(offset).take(count).map(|(id, batch)| batch.shown(id, scene)).collect();
                Some(found(request, &json!({ "batches": page, "total_items": all.len() })))
            }
            ("GET", [id]) => Some(match self.batches.get(*id) {
                Some(batch) => found(request, &batch.shown(id, scene)),
                None => not_found(),
            }),
            ("DELETE", [id]) => Some(match self.batches.remove(*id) {
                Some(_) => WireResponse::empty(204),
                None => not_found(),
            }),
            _ => None,
        }
    }

    fn submit(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let Some(operations) = body.get("operations").and_then(Value::as_array).cloned() else {
            return problem(400, "Bad Request", "operations is missing.");
        };
        if self.batches.values().filter(|batch| batch.results.is_none()).count() >= 500 {
            return problem(429, "TooManyRequests", "You have more than 500 pending batches.");
        }
        let id = format!("batch{:05}", self.next_number());
        let what = What::BatchSubmitted { batch: id.clone(), operations: operations.len() };
        scene.record(Service::Mailchimp, what);
        let due = scene.now.plus(scene.settings.batch_delay);
        let batch = Batch { operations, submitted: scene.now, due, results: None };
        let answer = WireResponse::json(200, &batch.shown(&id, scene));
        self.batches.insert(id, batch);
        answer
    }

    /// Carries out every batch that is due.
    pub fn settle(&mut self, scene: &mut Scene<'_>) {
        let due: Vec<String> = self
            .batches
            .iter()
            .filter(|(_, batch)| batch.results.is_none() && batch.due <= scene.now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            let Some(Batch { operations, submitted, .. }) = self.batches.get(&id).cloned() else { continue };
            let asked = std::mem::replace(&mut scene.asked, submitted);
            let results = operations.iter().map(|operation| self.carry_out(scene, operation)).collect();
            scene.asked = asked;
            if let Some(batch) = self.batches.get_mut(&id) {
                batch.results = Some(results);
            }
        }
    }

    fn carry_out(&mut self, scene: &mut Scene<'_>, operation: &Value) -> Value {
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
        let (path, query) = text("path").split_once('?').unwrap_or((text("path"), ""));
        let mut request = WireRequest::new(Service::Mailchimp, text("method"), &format!("/3.0{path}"));
        request.query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        request.body = text("body").as_bytes().to_vec();
        for (name, value) in operation.get("params").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            request.query.push((name.clone(), value));
        }
        let response = self.route(scene, &request);
        json!({
            "status_code": response.status, "operation_id": text("operation_id"),
            "response": String::from_utf8_lossy(&response.body),
        })
    }

    /// The results of a finished batch as a `tar.gz` of JSON files; the link wants no credentials.
    pub(super) fn results(&self, scene: &mut Scene<'_>, request: &WireRequest, file: &str) -> WireResponse {
        if request.header("authorization").is_some() {
            scene.violation(Service::Mailchimp, "credentials-leaked", "results were asked for with a key");
            return WireResponse::html(400, "<Error><Code>InvalidArgument</Code></Error>");
        }
        let batch = file.strip_suffix(".tar.gz").and_then(|id| self.batches.get(id));
        let Some(results) = batch.and_then(|batch| batch.results.as_ref()) else { return not_found() };
        match archive(results) {
            Ok(body) => {
                let headers = vec![("content-type".to_owned(), "application/gzip".to_owned())];
                WireResponse { status: 200, headers, body }
            }
            Err(_) => WireResponse::empty(500),
        }
    }
}

/// Several files, as the real archive has: 100 results each.
fn archive(results: &[Value]) -> std::io::Result<Vec<u8>> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(encoder);
    for (number, chunk) in results.chunks(100).enumerate() {
        let content = serde_json::to_vec(chunk)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("results/{number:04}.json"), content.as_slice())?;
    }
    tar.into_inner()?.finish()
}

impl Batch {
    fn shown(&self, id: &str, scene: &Scene<'_>) -> Value {
        let failed =
            |result: &&Value| result.get("status_code").and_then(Value::as_u64).is_none_or(|s| s >= 400);
        let (status, finished, errored) = match &self.results {
            Some(results) => ("finished", results.len(), results.iter().filter(failed).count()),
            None => ("started", 0, 0),
        };
        let link = match self.results {
            Some(_) => format!("{}/mailchimp/results/{id}.tar.gz", scene.settings.base_url),
            None => String::new(),
        };
        json!({
            "id": id, "status": status, "total_operations": self.operations.len(),
            "finished_operations": finished, "errored_operations": errored,
            "submitted_at": moment(Some(self.submitted)),
            "completed_at": moment(self.results.as_ref().map(|_| self.due)), "response_body_url": link,
        })
    }
}
