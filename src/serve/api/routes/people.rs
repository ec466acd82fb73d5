//! One person, by number, or by address in a body: an address never stands in a path.

use super::super::address::Address;
use super::super::route::{Ask, How, Name, Nothing, Routes};
use crate::domain::code::Code;
use crate::domain::id::PersonId;
use crate::serve::api::problem::Problem;
use crate::serve::consent::{ChainView, ConsentRequest, ConsentView};
use crate::serve::requests::{Call, Subject};
use crate::serve::views::MoveDetailView;
use crate::serve::why::WhyView;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom, by address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Whom {
    /// Their address.
    #[schemars(with = "Address")]
    address: String,
}

/// Whom, by number.
#[derive(Deserialize, JsonSchema)]
struct PersonPath {
    /// Their number, as plans, runs and logs name them.
    person: PersonId,
}

fn address(ask: &Ask<PersonPath>) -> Result<String, Problem> {
    let id = ask.path.person;
    let found = ask.api.owner.address(id).map_err(|trouble| Problem::of(&trouble))?;
    found.ok_or_else(|| {
        let detail = format!("nobody of the number {id} is known by an address");
        Problem::new(StatusCode::NOT_FOUND, Code::NobodySeen, detail)
    })
}

pub(super) fn add(routes: &mut Routes) {
    let why = "Everything about one person: what holds, since when, by whom, and what comes next";
    routes.add(
        Name::read(How::Post, "/v1/why", "people", "why", why),
        |ask: Ask<Nothing, Nothing, Whom>| async move {
            ask.api.ask::<WhyView>(Call::Why(ask.body.address)).await
        },
    );
    routes.add(
        Name::read(How::Get, "/v1/people/{person}/why", "people", "whyByNumber", why),
        |ask: Ask<PersonPath>| async move { ask.api.ask::<WhyView>(Call::Why(address(&ask)?)).await },
    );
    let moves = "The last moves of one person, the newest first";
    routes.add(
        Name::read(How::Post, "/v1/moves/of", "moves", "movesOf", moves),
        |ask: Ask<Nothing, Nothing, Whom>| async move {
            ask.api.ask::<Vec<MoveDetailView>>(Call::Status(Subject::Person(ask.body.address))).await
        },
    );
    routes.add(
        Name::read(How::Get, "/v1/people/{person}/moves", "moves", "movesOfNumber", moves),
        |ask: Ask<PersonPath>| async move {
            ask.api.ask::<Vec<MoveDetailView>>(Call::Status(Subject::Person(address(&ask)?))).await
        },
    );
    routes.add(
        Name::read(How::Post, "/v1/consent", "consent", "consent", "The evidence of one person's consent"),
        |ask: Ask<Nothing, Nothing, Whom>| async move {
            ask.api.ask::<ConsentView>(Call::Consent(ConsentRequest::Of(ask.body.address))).await
        },
    );
    routes.add(
        Name::read(
            How::Get,
            "/v1/consent/chain",
            "consent",
            "consentChain",
            "Whether the chain of evidence holds",
        ),
        |ask: Ask| async move { ask.api.ask::<ChainView>(Call::Consent(ConsentRequest::Verify)).await },
    );
}
