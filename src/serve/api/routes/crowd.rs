//! People by any rule, page after page, and the segments of the config. A rule may name an address, so it stands in the
//! body.

use super::super::description::Given;
use super::super::export;
use super::super::route::{Ask, How, Name, Nothing, Routes};
use crate::serve::api::problem::Problem;
use crate::serve::export::FileFormat;
use crate::serve::people::{PeoplePage, PeopleRequest, SegmentsRequest, SegmentsView};
use crate::serve::requests::Call;
use axum::http::StatusCode;
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Who is asked for, and what of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PeopleBody {
    /// Members of this segment of the config.
    segment: Option<String>,
    /// For whom this rule holds; the language is that of segments.
    #[serde(rename = "where")]
    #[schemars(regex(pattern = r"\S"))]
    filter: Option<String>,
    /// By this column; `-column` puts the largest first. By record id without one.
    sort: Option<String>,
    /// Contact properties, and `record`, `consent`, `sync_state`, `member`, `tags`, `lists`; the usual ones when empty.
    #[serde(default)]
    columns: Vec<String>,
    /// Rows of this page.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: u16,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Who is to be in a file, and what of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportBody {
    /// The kind of file.
    format: FileFormat,
    /// Members of this segment of the config.
    segment: Option<String>,
    /// For whom this rule holds; the language is that of segments.
    #[serde(rename = "where")]
    #[schemars(regex(pattern = r"\S"))]
    filter: Option<String>,
    /// By this column; `-column` puts the largest first. By record id without one.
    sort: Option<String>,
    /// Contact properties, and `record`, `consent`, `sync_state`, `member`, `tags`, `lists`; the usual ones when empty.
    #[serde(default)]
    columns: Vec<String>,
}

fn hundred() -> u16 {
    100
}

/// Which segment.
#[derive(Deserialize, JsonSchema)]
struct SegmentPath {
    /// Its name.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_-]{0,99}$"))]
    segment: String,
}

pub(super) fn add(routes: &mut Routes) {
    routes.add(
        Name::read(
            How::Post,
            "/v1/people",
            "people",
            "people",
            "People by segment and rule, page after page",
        ),
        |ask: Ask<Nothing, Nothing, PeopleBody>| async move {
            let PeopleBody { segment, filter, sort, columns, limit, cursor } = ask.body;
            if !(1..=10_000).contains(&limit) {
                let detail = "the body: `limit` is a number from 1 to 10000";
                return Err(Problem::malformed(StatusCode::BAD_REQUEST, detail));
            }
            let request = PeopleRequest { segment, filter, sort, columns, limit: usize::from(limit), cursor };
            ask.api.ask::<PeoplePage>(Call::People(request)).await
        },
    );
    routes.add_raw::<Nothing, ExportBody, _, _>(
        Name::read(
            How::Post,
            "/v1/people/export",
            "people",
            "exportPeople",
            "Everybody by segment and rule, as a file that is written while it is read",
        ),
        as_file(),
        |ask: Ask<Nothing, Nothing, ExportBody>| async move {
            let ExportBody { format, segment, filter, sort, columns } = ask.body;
            let request = PeopleRequest { segment, filter, sort, columns, ..PeopleRequest::default() };
            export::answer((ask.api, ask.caller), request, format).await
        },
    );
    routes.add(
        Name::read(
            How::Get,
            "/v1/segments",
            "people",
            "segments",
            "The segments and how many belong to each",
        ),
        |ask: Ask| async move {
            ask.api.ask::<SegmentsView>(Call::Segments(SegmentsRequest { name: None })).await
        },
    );
    let one = "One segment, with some of its members";
    routes.add(
        Name::read(How::Get, "/v1/segments/{segment}", "people", "segment", one),
        |ask: Ask<SegmentPath>| async move {
            let request = SegmentsRequest { name: Some(ask.path.segment) };
            ask.api.ask::<SegmentsView>(Call::Segments(request)).await
        },
    );
}

/// A file of people, in each of its formats.
fn as_file() -> Given {
    type Exported = BTreeMap<String, Option<String>>;
    Given::either()
        .or("application/json", |generator| generator.subschema_for::<Vec<Exported>>())
        .or("text/csv", |generator| generator.subschema_for::<String>())
        .or(FileFormat::Parquet.media(), |_| json_schema!({ "type": "string", "format": "binary" }))
}
