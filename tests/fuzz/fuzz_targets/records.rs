//! Any bytes as each record of the journal: refused, or read as something that is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../journal/every_record.rs"]
mod every_record;

fuzz_target!(|bytes: &[u8]| every_record::as_every_record(bytes));
