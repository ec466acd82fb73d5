//! The page at `/` to try the API by hand. It reads the description, needs no network but this server, and keeps the
//! token in memory only.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Nothing but this server's own script and style, and no frame round it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(media: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media), (header::CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}

pub(super) fn html() -> Response {
    file("text/html; charset=utf-8", include_str!("page.html"))
}

pub(super) fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page.js"))
}

pub(super) fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page.css"))
}
