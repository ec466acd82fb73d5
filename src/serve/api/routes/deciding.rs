//! An operator's word: on runs that wait, on moves, on what is held back.

use super::super::address::Address;
use super::super::route::{Ask, How, Name, Nothing, Routes};
use super::looking::{MovePath, RunPath};
use crate::domain::event::OperatorRequest;
use crate::domain::failure::Service;
use crate::domain::id::ListId;
use crate::domain::token::TokenScope;
use crate::serve::requests::{Call, OperateRequest, Scope};
use crate::serve::views::Acknowledgement;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a pause holds back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum What {
    /// Everything.
    Everything,
    /// One person, by address.
    Person(#[schemars(with = "Address")] String),
    /// One list.
    List(ListId),
    /// One side.
    Service(Service),
}

impl From<What> for Scope {
    fn from(what: What) -> Scope {
        match what {
            What::Everything => Scope::All,
            What::Person(address) => Scope::Person(address),
            What::List(list) => Scope::List(list),
            What::Service(service) => Scope::Service(service),
        }
    }
}

pub(super) fn add(routes: &mut Routes) {
    let post = |path, group, operation, summary| Name {
        how: How::Post,
        path,
        scope: Some(TokenScope::Operate),
        group,
        operation,
        summary,
    };
    routes.add(
        post("/v1/runs/{run}/reject", "runs", "reject", "Say no to the plan of a waiting run"),
        |ask: Ask<RunPath>| async move { ask.api.ask::<Acknowledgement>(Call::Reject(ask.path.run)).await },
    );
    for (path, operation, summary, request) in [
        ("/v1/moves/{move}/retry", "retry", "Try a stuck move again", OperatorRequest::Retry),
        (
            "/v1/moves/{move}/skip",
            "skip",
            "Take the step a move is stuck at as settled, and go on",
            OperatorRequest::Skip,
        ),
        (
            "/v1/moves/{move}/rollback",
            "rollback",
            "Unwind a move: undo its steps in reverse",
            OperatorRequest::RollBack,
        ),
        (
            "/v1/moves/{move}/cancel",
            "cancel",
            "End a move: drop it when not begun, else unwind it",
            OperatorRequest::Cancel,
        ),
    ] {
        routes.add(post(path, "moves", operation, summary), move |ask: Ask<MovePath>| async move {
            let id = ask.path.id()?;
            ask.api.ask::<Acknowledgement>(Call::Operate(OperateRequest { id, request })).await
        });
    }
    routes.add(
        post("/v1/pauses/hold", "pauses", "pause", "Hold work back; opt-outs go on"),
        |ask: Ask<Nothing, Nothing, What>| async move {
            ask.api.ask::<Acknowledgement>(Call::Pause(ask.body.into())).await
        },
    );
    routes.add(
        post("/v1/pauses/lift", "pauses", "resume", "Let paused work go on"),
        |ask: Ask<Nothing, Nothing, What>| async move {
            ask.api.ask::<Acknowledgement>(Call::Resume(ask.body.into())).await
        },
    );
}
