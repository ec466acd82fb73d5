//! Health, readiness, codes, and the description with its page.

use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::serve::api::description::Given;
use crate::serve::api::page;
use crate::serve::api::problem::Problem;
use crate::serve::api::route::{Ask, How, Name, Nothing, Routes};
use crate::serve::explained::ExplainedView;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The process answers.
#[derive(Serialize, JsonSchema)]
struct HealthView {
    /// hsmc's version.
    version: String,
    /// The time, by this machine.
    at: Timestamp,
}

/// One of hsmc's codes.
#[derive(Deserialize, JsonSchema)]
struct CodePath {
    /// As it stands in a problem: HSMC3001.
    #[schemars(regex(pattern = "^HSMC[0-9]{4}$"))]
    code: String,
}

pub(super) fn add(routes: &mut Routes) {
    let open = |path, operation, summary| Name {
        how: How::Get,
        path,
        scope: None,
        group: "about",
        operation,
        summary,
    };
    routes.add(open("/health", "health", "Whether the process answers"), |ask: Ask| async move {
        Ok(HealthView { version: env!("CARGO_PKG_VERSION").to_owned(), at: ask.api.owner.now() })
    });
    let ready = "Whether it takes work: its journal can be read, and it is not about to end";
    routes.add(open("/ready", "ready", ready), |ask: Ask| async move {
        if ask.api.owner.is_leaving() {
            return Err(Problem::leaving());
        }
        ask.api.owner.newest_run().map_err(|trouble| {
            let detail = "the journal cannot be read";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, trouble.code, detail)
        })?;
        Ok(HealthView { version: env!("CARGO_PKG_VERSION").to_owned(), at: ask.api.owner.now() })
    });
    let code = "What a code means and what to do, as Markdown";
    routes.add(open("/v1/codes/{code}", "code", code), |ask: Ask<CodePath>| async move {
        let code: Code = ask.path.code.parse().map_err(|why: crate::domain::code::NoCode| {
            Problem::new(StatusCode::NOT_FOUND, Code::NothingSuch, why.to_string())
        })?;
        Ok(ExplainedView::of(code))
    });
    routes.add_raw::<Nothing, Nothing, _, _>(
        open("/openapi.json", "description", "This description"),
        Given::json::<Map<String, Value>>(),
        |ask: Ask| async move {
            Ok(([(header::CONTENT_TYPE, "application/json")], ask.api.description.clone()).into_response())
        },
    );
    routes.add_page("/", page::html);
    routes.add_page("/page.js", page::script);
    routes.add_page("/page.css", page::style);
}
