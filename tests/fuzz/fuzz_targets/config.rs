//! Any text as a config: it is read, or told what is wrong with it.
#![no_main]

use hsmc::config::{Environment, Positions, load_text};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    // No folder of this machine: a reference to a file is told, and none is read but by its whole name.
    if text.contains("file:/") {
        return;
    }
    if let Err(errors) = load_text("hsmc.toml", text, Path::new("/nowhere"), &Environment::default()) {
        assert!(!errors.to_string().is_empty());
    }
    drop(Positions::of(text));
});
