//! The words of the sync as values: pure, no I/O, no clock, no chance.
//!
//! This module never names a storage engine, an actor or a wire format.

pub mod alert;
pub mod audit;
pub mod code;
pub mod consent;
pub mod contact;
pub mod contested;
pub mod day;
pub mod email;
pub mod event;
pub mod failure;
pub mod forget;
pub mod hint;
pub mod id;
pub mod lost_batch;
pub mod member;
pub mod memory;
pub mod moves;
pub mod naming;
pub mod object;
pub mod pause;
pub mod person;
pub mod plan;
pub mod port;
pub mod repeat;
pub mod report;
pub mod reread;
pub mod restored;
pub mod rules;
pub mod run;
pub mod segment;
pub mod shown;
pub mod step;
pub mod tag;
pub mod time;
pub mod token;
pub mod undo;
pub mod watermark;
pub mod webhook;
pub mod window;
