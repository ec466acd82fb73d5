//! Every call of both connectors, answered with anything: it ends, with an answer or a failure.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../wire/every_call.rs"]
mod every_call;

use every_call::{Canned, of_hubspot, of_mailchimp};

fuzz_target!(|bytes: &[u8]| {
    let canned = Canned::from_bytes(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        of_hubspot(&canned).await;
        of_mailchimp(&canned).await;
    });
});
