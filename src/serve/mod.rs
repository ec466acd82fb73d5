//! HTTP faces. Each listens where it is told and translates; what is answered is decided elsewhere.

mod cut;
pub mod sandbox_http;
