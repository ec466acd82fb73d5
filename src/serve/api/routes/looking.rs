//! What goes on: status, runs, moves, lists, whom hsmc leaves alone.

use super::super::route::{Ask, How, Name, Nothing, Routes};
use crate::domain::id::RunId;
use crate::serve::api::description::Given;
use crate::serve::api::metrics;
use crate::serve::api::problem::Problem;
use crate::serve::lists::ListsView;
use crate::serve::parked::ParkedView;
use crate::serve::requests::{Call, Subject};
use crate::serve::views::{MoveDetailView, ReportView, RunView, StatusView};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;

/// How many runs.
#[derive(Deserialize, JsonSchema)]
struct Last {
    /// How many at most.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u16,
}

fn twenty() -> u16 {
    20
}

/// Which run.
#[derive(Deserialize, JsonSchema)]
pub(super) struct RunPath {
    /// Its number.
    pub(super) run: RunId,
}

/// Which move.
#[derive(Deserialize, JsonSchema)]
pub(super) struct MovePath {
    /// The run that planned it, and its number there: 12.3
    #[serde(rename = "move")]
    #[schemars(regex(pattern = "^[0-9]{1,18}\\.[0-9]{1,9}$"))]
    pub(super) id: String,
}

impl MovePath {
    pub(super) fn id(&self) -> Result<crate::domain::id::MoveId, Problem> {
        self.id.parse().map_err(|why| Problem::malformed(StatusCode::BAD_REQUEST, why))
    }
}

pub(super) fn add(routes: &mut Routes) {
    routes.add_raw::<Nothing, Nothing, _, _>(
        Name::read(How::Get, "/metrics", "about", "metrics", "Figures for Prometheus"),
        Given::text("text/plain"),
        |ask: Ask| async move {
            let status: StatusView = ask.api.ask(Call::Status(Subject::All)).await?;
            let page = metrics::page(&status, ask.api.owner.waiting(), &ask.api.hooks, &ask.api.answers);
            Ok(([(header::CONTENT_TYPE, metrics::MEDIA)], page).into_response())
        },
    );
    let read = |path, group, operation, summary| Name::read(How::Get, path, group, operation, summary);
    routes.add(read("/v1/status", "status", "status", "What goes on"), |ask: Ask| async move {
        ask.api.ask::<StatusView>(Call::Status(Subject::All)).await
    });
    routes.add(
        read("/v1/runs", "runs", "runs", "The last runs with their counts, the newest first"),
        |ask: Ask<Nothing, Last>| async move {
            let limit = ask.query.limit;
            if !(1..=1000).contains(&limit) {
                let detail = "the query: `limit` is a number from 1 to 1000";
                return Err(Problem::malformed(StatusCode::BAD_REQUEST, detail));
            }
            ask.api.ask::<Vec<RunView>>(Call::Runs(usize::from(limit))).await
        },
    );
    routes.add(
        read("/v1/runs/{run}", "runs", "run", "The report of one run"),
        |ask: Ask<RunPath>| async move { ask.api.ask::<ReportView>(Call::Run(ask.path.run)).await },
    );
    routes.add(
        read(
            "/v1/moves/{move}",
            "moves",
            "move",
            "One move: its steps, where it stands, and all that befell it",
        ),
        |ask: Ask<MovePath>| async move {
            let id = ask.path.id()?;
            let views: Vec<MoveDetailView> = ask.api.ask(Call::Status(Subject::Move(id))).await?;
            views.into_iter().next().ok_or_else(|| {
                let detail = format!("there is no move {id}");
                Problem::new(StatusCode::NOT_FOUND, crate::domain::code::Code::NothingSuch, detail)
            })
        },
    );
    routes.add(
        read(
            "/v1/lists",
            "lists",
            "lists",
            "The lists that the config names: what each is for, how it stands",
        ),
        |ask: Ask| async move { ask.api.ask::<ListsView>(Call::Lists).await },
    );
    routes.add(
        read("/v1/parked", "people", "parked", "Whom hsmc leaves alone for good, and what would change it"),
        |ask: Ask| async move { ask.api.ask::<ParkedView>(Call::Parked).await },
    );
}
