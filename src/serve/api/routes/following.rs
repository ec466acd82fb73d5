//! What goes on for longer: begun here, and followed by its number.

use super::super::route::{Ask, How, Name, Nothing, Routes};
use super::looking::{MovePath, RunPath};
use crate::domain::id::ListId;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenScope;
use crate::serve::api::description::Given;
use crate::serve::api::operations::{Begun, follow};
use crate::serve::parked::ReleaseRequest;
use crate::serve::requests::{ApproveRequest, Call, Only, SyncRequest};
use crate::serve::undo::{UndoOf, UndoRequest};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a run shall do.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SyncBody {
    /// Passes gates, never limits.
    yes: bool,
    /// Plan and show only.
    dry_run: bool,
    /// Read everything.
    full: bool,
    /// Read what changed since then.
    since: Option<Timestamp>,
    /// Only people of these lists.
    lists: Vec<ListId>,
    /// Only these people, by address.
    people: Vec<String>,
    /// At most so many moves.
    limit: Option<u64>,
}

impl From<SyncBody> for SyncRequest {
    fn from(body: SyncBody) -> SyncRequest {
        let SyncBody { yes, dry_run, full, since, lists, people, limit } = body;
        let only = lists.into_iter().map(Only::List).chain(people.into_iter().map(Only::Contact)).collect();
        SyncRequest { yes, dry_run, full, since, only, limit }
    }
}

/// How a yes is meant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ApproveBody {
    /// Show what would be applied now, and do nothing.
    dry_run: bool,
}

/// Something that was begun.
#[derive(Deserialize, JsonSchema)]
struct OperationPath {
    /// Its number.
    operation: u64,
}

/// What is to be taken back, and whether.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct UndoBody {
    /// Do it, whatever comes out; else it is planned and shown.
    yes: bool,
    /// Do it as far as it comes out like this: `agreed` of a plan that was shown.
    agreed: Option<Vec<String>>,
}

impl UndoBody {
    fn of(self, of: UndoOf) -> UndoRequest {
        UndoRequest { of, apply: self.yes || self.agreed.is_some(), agreed: self.agreed }
    }
}

pub(super) fn add(routes: &mut Routes) {
    let name = |how, path, operation, summary| Name {
        how,
        path,
        scope: Some(if how == How::Get { TokenScope::Read } else { TokenScope::Operate }),
        group: "operations",
        operation,
        summary,
    };
    routes.add(
        name(How::Begin, "/v1/runs", "sync", "Run once: scan, plan, apply, report"),
        |ask: Ask<Nothing, Nothing, SyncBody>| async move {
            ask.api.begin(Begun::Sync, Call::Sync(ask.body.into()))
        },
    );
    let approve = "Say yes to the plan of a waiting run: what still comes out the same is applied";
    routes.add(
        name(How::Begin, "/v1/runs/{run}/approve", "approve", approve),
        |ask: Ask<RunPath, Nothing, ApproveBody>| async move {
            let request = ApproveRequest { run: ask.path.run, dry_run: ask.body.dry_run };
            ask.api.begin(Begun::Approve, Call::Approve(request))
        },
    );
    let undo =
        "Take back what a run has done, as far as nobody changed it since; without a yes it is only planned";
    routes.add(
        name(How::Begin, "/v1/runs/{run}/undo", "undoRun", undo),
        |ask: Ask<RunPath, Nothing, UndoBody>| async move {
            ask.api.begin(Begun::Undo, Call::Undo(ask.body.of(UndoOf::Run(ask.path.run))))
        },
    );
    routes.add(
        name(How::Begin, "/v1/moves/{move}/undo", "undoMove", "The same for one move"),
        |ask: Ask<MovePath, Nothing, UndoBody>| async move {
            let of = UndoOf::Move(ask.path.id()?);
            ask.api.begin(Begun::Undo, Call::Undo(ask.body.of(of)))
        },
    );
    let release = "Let people be judged afresh, once no run is under way; opt-outs stay";
    routes.add(
        name(How::Begin, "/v1/parked/release", "release", release),
        |ask: Ask<Nothing, Nothing, ReleaseRequest>| async move {
            ask.api.begin(Begun::Release, Call::Release(ask.body))
        },
    );
    routes.add(
        name(How::Get, "/v1/operations", "operations", "What was begun over HTTP, the newest first"),
        |ask: Ask| async move { Ok(ask.api.operations.all()) },
    );
    routes.add(
        name(How::Get, "/v1/operations/{operation}", "operation", "How something that was begun stands"),
        |ask: Ask<OperationPath>| async move { ask.api.operations.one(ask.path.operation) },
    );
    routes.add_raw::<OperationPath, Nothing, _, _>(
        name(
            How::Get,
            "/v1/operations/{operation}/events",
            "follow",
            "Follow it to its end, as server-sent events: `operation` (an `OperationView`), `run` (a `RunView`) and \
             `pull` (a `PullView`), each with the view as JSON",
        ),
        Given::text("text/event-stream"),
        |ask: Ask<OperationPath>| async move { follow(ask.api, ask.caller, ask.path.operation) },
    );
}
