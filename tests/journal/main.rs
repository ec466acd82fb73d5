//! What the journal promises, proved from outside.

mod contract;
mod damage;
mod support;
