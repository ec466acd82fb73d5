//! The mirror: pulls are begun here, those of the past shown, and it is emptied.

use super::super::route::{Ask, How, Name, Nothing, Routes};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenScope;
use crate::serve::api::operations::Begun;
use crate::serve::api::problem::Problem;
use crate::serve::pull::{ClearRequest, ClearView, HistoryRequest, PullRequest, PullView, PullWhat, Since};
use crate::serve::requests::Call;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

/// What to pull, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PullBody {
    /// `all`, `associations`, or one type: `contacts`, `companies`, `deals`, `appointments`, a custom object.
    what: String,
    /// With `associations`: which two types; those of the config when left out.
    types: Option<(String, String)>,
    /// Everything, instead of what changed.
    #[serde(default)]
    full: bool,
    /// What changed since then; moves no watermark.
    since: Option<Timestamp>,
    /// Rows of a page, where HubSpot takes as many.
    #[schemars(range(min = 1, max = 10_000))]
    batch_size: Option<u16>,
    /// At most so many records; moves no watermark.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// Show what would be pulled, and write nothing.
    #[serde(default)]
    dry_run: bool,
    /// Write every record anew, over newer ones too.
    #[serde(default)]
    overwrite: bool,
}

impl PullBody {
    fn request(self) -> Result<PullRequest, Problem> {
        let PullBody { what, types, full, since, batch_size, limit, dry_run, overwrite } = self;
        let refused = |detail: &str| Err(Problem::malformed(StatusCode::BAD_REQUEST, detail));
        if batch_size.is_some_and(|rows| !(1..=10_000).contains(&rows)) {
            return refused("the body: `batch_size` is a number from 1 to 10000");
        }
        if limit == Some(0) {
            return refused("the body: `limit` is a number from 1 on");
        }
        let types = types.as_ref().map(|(from, to)| (from.as_str(), to.as_str()));
        Ok(PullRequest {
            what: PullWhat::named(&what, types),
            full,
            since: since.map(Since::At),
            batch_size: batch_size.map(usize::from),
            limit,
            dry_run,
            overwrite,
        })
    }
}

/// Which past pulls.
#[derive(Deserialize, JsonSchema)]
struct Past {
    /// Of this engine only: `contacts`, `contacts-deals`.
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,200}$"))]
    engine: Option<String>,
    /// How many at most.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u16,
}

fn twenty() -> u16 {
    20
}

/// Whether it is meant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ClearBody {
    /// `confirm` of the answer without it: what was shown then is removed.
    confirm: Option<String>,
}

pub(super) fn add(routes: &mut Routes) {
    let name = |how, path, scope, operation, summary| Name {
        how,
        path,
        scope: Some(scope),
        group: "mirror",
        operation,
        summary,
    };
    let pull = "Copy HubSpot's objects and what joins them into the mirror";
    routes.add(
        name(How::Begin, "/v1/pulls", TokenScope::Operate, "pull", pull),
        |ask: Ask<Nothing, Nothing, PullBody>| async move {
            ask.api.begin(Begun::Pull, Call::Pull(ask.body.request()?))
        },
    );
    routes.add(
        name(How::Get, "/v1/pulls", TokenScope::Read, "pulls", "Past pulls, the newest first"),
        |ask: Ask<Nothing, Past>| async move {
            let Past { engine, limit } = ask.query;
            if !(1..=500).contains(&limit) {
                let detail = "the query: `limit` is a number from 1 to 500";
                return Err(Problem::malformed(StatusCode::BAD_REQUEST, detail));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            if engine
                .as_ref()
                .is_some_and(|name| !(1..=200).contains(&name.len()) || !name.chars().all(plain))
            {
                let detail = "the query: `engine` is a word, as `GET /v1/pulls` shows it";
                return Err(Problem::malformed(StatusCode::BAD_REQUEST, detail));
            }
            let request = HistoryRequest { engine, last: usize::from(limit) };
            ask.api.ask::<Vec<PullView>>(Call::PullHistory(request)).await
        },
    );
    let clear = "What is in the mirror; with the `confirm` of that answer it is emptied";
    routes.add(
        name(How::Post, "/v1/mirror/clear", TokenScope::Admin, "clearMirror", clear),
        |ask: Ask<Nothing, Nothing, ClearBody>| async move {
            let request = ClearRequest { confirm: ask.body.confirm };
            ask.api.ask::<ClearView>(Call::ClearMirror(request)).await
        },
    );
}
