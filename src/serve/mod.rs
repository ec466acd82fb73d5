//! The face to the outside: what is asked and what is answered, in the same words on the control
//!
//! Promises: `requests` and `views` are plain values, the only form in which the inside is shown; each

mod cut;
pub mod requests;
pub mod sandbox_http;
pub mod views;
