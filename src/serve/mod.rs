//! HTTP faces. Each listens where it is told and translates; what is answered is decided elsewhere.

pub mod sandbox_http;
