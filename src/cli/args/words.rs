//! Numbers and names as they are written on the command line, and what is said of others.

use crate::domain::id::{ListId, MoveId, RunId};

pub(super) fn move_id(text: &str) -> Result<MoveId, String> {
    text.parse()
}

pub(super) fn run_id(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|_| format!("`{text}` is no run: runs are numbers, see `hsmc runs`"))
}

pub(super) fn list_id(text: &str) -> Result<ListId, String> {
    text.parse().map_err(|_| format!("`{text}` is no list: write the digits of its HubSpot id"))
}
