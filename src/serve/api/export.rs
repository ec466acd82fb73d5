//! Everybody who fits, as a file: a page is read when the client has taken the one before, and none is kept.
//!
//! Never: a whole file that is not. What breaks off on the way breaks the connection off, so that no client takes the
//! part for the whole.

use super::guard::{Caller, Place};
use super::{Api, Problem};
use crate::domain::code::Code;
use crate::serve::export::{FileFormat, Sheet};
use crate::serve::people::{PeoplePage, PeopleRequest};
use crate::serve::requests::{Call, Trouble};
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows read at a time.
const PAGE: usize = 10_000;

/// What was written and not sent yet.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl Waiting {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Export {
    api: Arc<Api>,
    caller: Option<Caller>,
    /// Held to the last byte.
    _place: Place,
    request: PeopleRequest,
    sheet: Box<dyn Sheet + Send>,
    waiting: Waiting,
    /// The first page, until it is written.
    page: Option<PeoplePage>,
    /// Where the last one ended; none behind the last of all.
    cursor: Option<String>,
}

/// Everybody that a request asks for. The first page is read before anything is answered: what is wrong with the question
/// is a problem like any other.
pub(super) async fn answer(
    (api, caller): (Arc<Api>, Option<Caller>),
    request: PeopleRequest,
    format: FileFormat,
) -> Result<Response, Problem> {
    let place = api.guard.enter()?;
    let request = PeopleRequest { limit: PAGE, cursor: None, ..request };
    let page: PeoplePage = api.ask(Call::People(request.clone())).await?;
    let waiting = Waiting::default();
    let sheet = format.sheet(waiting.clone(), &page.columns).map_err(|problem| {
        Problem::of(&Trouble::failed(Code::Inside, format!("the file cannot be begun: {problem}")))
    })?;
    let export =
        Export { api, caller, _place: place, request, sheet, waiting, page: Some(page), cursor: None };
    let name = format!("attachment; filename=\"people.{}\"", format.ending());
    let headers = [(header::CONTENT_TYPE, format.media().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(stream::try_unfold(export, next))).into_response())
}

/// The next bytes.
async fn next(mut export: Export) -> io::Result<Option<(Vec<u8>, Export)>> {
    if !export.api.may_go_on(export.caller) {
        return Err(io::Error::other("the token is good no longer"));
    }
    let page = match (export.page.take(), export.cursor.take()) {
        (Some(page), _) => page,
        (None, Some(cursor)) => {
            let request = PeopleRequest { cursor: Some(cursor), ..export.request.clone() };
            let page: Result<PeoplePage, Problem> = export.api.ask(Call::People(request)).await;
            page.map_err(|problem| {
                tracing::warn!(code = %problem.code, "an export broke off");
                io::Error::other("the export broke off")
            })?
        }
        (None, None) => return Ok(None),
    };
    export.sheet.rows(&page.rows)?;
    export.cursor = page.next;
    if export.cursor.is_none() {
        export.sheet.end()?;
    }
    Ok(Some((export.waiting.take(), export)))
}
