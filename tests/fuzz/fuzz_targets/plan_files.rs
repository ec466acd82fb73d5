//! Any bytes as a plan file: it is read, or told what is wrong with it.
#![no_main]

use hsmc::app::plan_file::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(problem) = parse("plan.jsonl", bytes, "w", "a") {
        assert!(!problem.to_string().is_empty());
    }
});
