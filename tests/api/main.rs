//! The HTTP API, from outside: who is let in, how far, what is answered, and what never is.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

mod access;
mod asking;
mod clock;
mod following;
mod load;
mod mirror;
mod support;
mod tls;
mod webhooks;
