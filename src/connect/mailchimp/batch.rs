//! Asynchronous batches (Mailchimp contract §12): many independent calls in one, done in any order.
//! Their results are an archive of JSON files on another host; each one is read like the answer of a
//! call of its own.

use super::classify::classify;
use super::client::{MailchimpClient, PAGE};
use super::wire;
use crate::connect::classify::CallKind;
use crate::connect::http::{Answer, Method};
use crate::connect::lenient::{Lenient, as_number, read_rows};
use crate::connect::line::segment;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{CallFailure, FailureClass};
use crate::domain::port::{BatchCall, BatchState, BatchSummary, CallResult, ItemOutcome, Priority};
use crate::domain::step::Delivery;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use url::Url;

/// Bytes that unpacked results may have.
const UNPACKED: u64 = 256 * 1024 * 1024;

/// What each operation came to, by its id.
type Results = BTreeMap<String, Result<ItemOutcome, CallFailure>>;

impl MailchimpClient {
    pub(super) async fn submit_batch(
        &self,
        priority: Priority,
        calls: &[(String, SubscriberHash, Option<Email>, BatchCall)],
    ) -> CallResult<String> {
        let operations: Vec<Value> =
            calls.iter().map(|(id, hash, _, call)| operation(&self.audience, id, hash, call)).collect();
        let ask = self
            .line
            .ask(priority, CallKind::write("submit a batch"), Method::POST, "/batches")
            .body(json!({ "operations": operations }));
        let answer = self.line.answer(&ask).await?;
        let ticket = answer.json.as_ref().and_then(|body| body.text("id")).filter(|id| !id.is_empty());
        ticket.ok_or_else(|| self.line.unreadable(&ask, &answer, "id"))
    }

    pub(super) async fn read_batch(&self, priority: Priority, ticket: &str) -> CallResult<BatchState> {
        let path = format!("/batches/{}", segment(ticket));
        let ask = self.line.ask(priority, CallKind::read("read a batch"), Method::GET, &path).query(
            "fields",
            "id,status,total_operations,finished_operations,errored_operations,response_body_url",
        );
        let Some((_, body)) = self.line.object_if_there(&ask).await? else { return Ok(BatchState::Unknown) };
        if body.text("status").as_deref() != Some("finished") {
            return Ok(BatchState::Running(body.number("finished_operations").unwrap_or_default()));
        }
        let url = body.text("response_body_url").and_then(|url| Url::parse(&url).ok());
        let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
            // Finished, and its results are gone: as good as not known.
            return Ok(BatchState::Unknown);
        };
        let call = CallKind::read("download results of a batch");
        let answer = self.line.download(priority, call, url).await?;
        match results(&answer.body) {
            Some(results) => Ok(BatchState::Finished(results)),
            None => Err(self.line.unreadable(&ask, &answer, "archive of results")),
        }
    }

    pub(super) async fn read_batches(&self, priority: Priority) -> CallResult<Vec<BatchSummary>> {
        let ask = self
            .line
            .ask(priority, CallKind::read("read the batches"), Method::GET, "/batches")
            .query("count", &PAGE.to_string())
            .query("fields", "batches.id,batches.submitted_at,batches.total_operations,total_items");
        let (rows, _) = self.rows(&ask, "batches").await?;
        let mut batches = read_rows(&rows, "batches", wire::batch_summary);
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.submitted));
        Ok(batches)
    }
}

/// One call as an operation. A refresh is a PATCH here too: it can neither create nor change a status.
fn operation(audience: &str, id: &str, hash: &SubscriberHash, call: &BatchCall) -> Value {
    let member = format!("{audience}/members/{}", hash.hex());
    match call {
        BatchCall::Archive => json!({"method": "DELETE", "path": member, "operation_id": id}),
        BatchCall::Refresh(fields) => json!({
            "method": "PATCH",
            "path": member,
            "operation_id": id,
            "params": {"skip_merge_validation": "true"},
            "body": json!({"merge_fields": fields}).to_string(),
        }),
        BatchCall::Tags { changes, delivery } => json!({
            "method": "POST",
            "path": format!("{member}/tags"),
            "operation_id": id,
            "body": wire::tag_changes(changes, *delivery == Delivery::Silent).to_string(),
        }),
    }
}

/// Unpacks and reads the results; none when this is no such archive, or a broken one.
fn results(bytes: &[u8]) -> Option<Results> {
    // The transport may have undone the compression already.
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => read_archive(GzDecoder::new(bytes).take(UNPACKED)),
        false => read_archive(bytes),
    }
}

fn read_archive(reader: impl Read) -> Option<Results> {
    let mut results = Results::new();
    let mut files = 0;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        // Some tools put files of their own beside the ones that count.
        let Ok(Value::Array(rows)) = serde_json::from_slice(&content) else { continue };
        files += 1;
        results.extend(rows.iter().filter_map(result));
    }
    (files > 0).then_some(results)
}

fn result(row: &Value) -> Option<(String, Result<ItemOutcome, CallFailure>)> {
    let id = row.text("operation_id").filter(|id| !id.is_empty())?;
    let status = row.get("status_code").and_then(as_number).and_then(|status| u16::try_from(status).ok());
    let Some(status) = status else { return Some((id, Ok(ItemOutcome::Unknown))) };
    let body = row.get("response").map(|response| match response {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let answer = Answer::new(status, body.unwrap_or_default());
    if answer.is_success() {
        // Nothing, or the member as it is then; whatever else is there was not said by this call.
        let is_told =
            answer.status == 204 || answer.object().is_some_and(|body| body.text("status").is_some());
        return Some((id, Ok(if is_told { ItemOutcome::Done } else { ItemOutcome::Unknown })));
    }
    let failure = classify(&CallKind::write("operation of a batch"), &answer);
    let outcome = match (status, failure.class) {
        // Archived already, cleaned or pending: whose doing that is, is asked about.
        (405, _) => Err(failure),
        (_, FailureClass::Permanent) => Ok(ItemOutcome::Refused(failure.as_refusal())),
        _ => Err(failure),
    };
    Some((id, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::RefusalCode;
    use proptest::prelude::*;
    use std::io::Write;

    fn archive(files: &[(&str, String)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_result_is_read_like_an_answer_of_its_own() {
        let rows = json!([
            {"status_code": 204, "operation_id": "a", "response": ""},
            {"status_code": 405, "operation_id": "b", "response": "{\"title\":\"Method Not Allowed\"}"},
            {"status_code": "404", "operation_id": "c", "response": "{\"title\":\"Resource Not Found\"}"},
            {"status_code": 400, "operation_id": "d", "response": "{\"title\":\"Invalid Resource\",\"detail\":\"Your merge fields were invalid.\"}"},
            {"status_code": 500, "operation_id": "e", "response": "<html>"},
            {"status_code": 429, "operation_id": "f"},
            {"operation_id": "g"},
            {"status_code": 200},
            {"status_code": 200, "operation_id": "i", "response": "{\"ok\":true}"},
        ]);
        let tar = archive(&[
            ("one.json", rows.to_string()),
            (
                "two.json",
                r#"[{"status_code":200,"operation_id":"h","response":"{\"status\":\"subscribed\"}"}]"#.into(),
            ),
            ("notes.txt", "hello".into()),
        ]);
        for bytes in [tar.clone(), packed(&tar)] {
            let results = results(&bytes).unwrap();
            let code = |id: &str| match &results[id] {
                Ok(ItemOutcome::Refused(refusal)) => refusal.code,
                other => panic!("{other:?}"),
            };
            assert_eq!(results.len(), 9);
            assert_eq!(results["a"], Ok(ItemOutcome::Done));
            assert_eq!(results["b"].as_ref().unwrap_err().refusal, RefusalCode::NotRemovable);
            assert_eq!(code("c"), RefusalCode::NotFound);
            assert_eq!(code("d"), RefusalCode::InvalidValue);
            assert_eq!(results["e"].as_ref().unwrap_err().class, FailureClass::InDoubt);
            assert!(matches!(results["f"].as_ref().unwrap_err().class, FailureClass::RateLimited { .. }));
            assert_eq!(results["g"], Ok(ItemOutcome::Unknown));
            assert_eq!(results["h"], Ok(ItemOutcome::Done));
            assert_eq!(results["i"], Ok(ItemOutcome::Unknown), "not what this call answers");
        }
    }

    #[test]
    fn what_is_no_archive_has_no_results() {
        let tar = archive(&[("one.json", r#"[{"status_code":200,"operation_id":"h"}]"#.into())]);
        let whole = packed(&tar);
        for bytes in [&b""[..], b"<html>expired</html>", &whole[..whole.len() / 2], &tar[..700]] {
            assert!(results(bytes).is_none());
        }
    }

    #[test]
    fn an_operation_names_its_path_and_carries_its_body_as_text() {
        let hash = Email::parse("ann@example.com").unwrap().hash();
        let refresh = BatchCall::Refresh(BTreeMap::from([("FNAME".to_owned(), json!("Ann"))]));
        let value = operation("/lists/a1", "12.3.0", &hash, &refresh);
        assert_eq!(value["method"], "PATCH");
        assert_eq!(value["path"], format!("/lists/a1/members/{}", hash.hex()));
        assert_eq!(value["operation_id"], "12.3.0");
        assert_eq!(value["body"], r#"{"merge_fields":{"FNAME":"Ann"}}"#);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), gzip: bool) {
            let bytes = if gzip { packed(&bytes) } else { bytes };
            results(&bytes);
        }

        #[test]
        fn no_file_panics_the_reader(content in "\\PC{0,200}") {
            results(&archive(&[("one.json", content)]));
        }
    }
}
