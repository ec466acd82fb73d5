//! What `explain` shows: a code, and its page.

use crate::domain::code::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedView {
    /// Which.
    pub code: Code,
    /// What it is, in one line.
    pub title: String,
    /// Its page, as Markdown; none where codes are only listed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page: Option<String>,
}

impl ExplainedView {
    /// With its page.
    pub fn of(code: Code) -> ExplainedView {
        ExplainedView { page: Some(code.page().to_owned()), ..ExplainedView::titled(code) }
    }

    /// Without it.
    pub fn titled(code: Code) -> ExplainedView {
        ExplainedView { code, title: code.title().to_owned(), page: None }
    }
}
