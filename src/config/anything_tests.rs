//! Whatever stands in a config file: it is read, or told what is wrong; nothing panics, and nothing is read without an
//! end.

use super::{Environment, Positions, TEMPLATE, load, load_text};
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::Path;

const AGENCY: &str = include_str!("../../tests/fixtures/agency.toml");

/// Reads a text; what is wrong with it can be told.
fn told(text: &str) -> Vec<String> {
    let environment = Environment::from_iter([("HSMC_SYNC__EVERY", "1h")]);
    let outcome = load_text("hsmc.toml", text, Path::new("/nowhere"), &environment);
    drop(Positions::of(text));
    outcome.err().map(|errors| errors.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn a_config_and_a_reference_without_an_end_are_told_and_not_read_into_memory() {
    let Err(errors) = load(Path::new("/dev/zero"), &Environment::default()) else { panic!("read") };
    assert!(errors.to_string().contains("too long"), "{errors}");
    let told = told("[hubspot]\ntoken = \"file:/dev/zero\"");
    assert!(told.iter().any(|line| line.contains("too long")), "{told:?}");
}

#[test]
fn a_config_as_deep_as_can_be_written_is_told() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("a = {}1{}", open.repeat(20_000), close.repeat(20_000));
        assert!(!told(&text).is_empty());
    }
    assert!(!told(&format!("[{}]\nb = 1", ["a"; 20_000].join("."))).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics_the_reader(text in "\\PC{0,200}") {
        drop(told(&text));
    }

    #[test]
    fn no_change_of_one_line_panics_the_reader(
        of_template: bool,
        at: Index,
        line in prop_oneof![
            "[a-z_]{1,12} = (true|-1|1e400|\"\"|\"\\PC{0,9}\"|\\[\\]|\\{\\}|9999999999999999999|\"999999999999999999 years\"|1979-05-27)",
            "\\[{1,2}[a-z_.]{0,12}\\]{1,2}",
            "\\PC{0,20}",
        ],
        keeps_key: bool,
    ) {
        let text = if of_template { TEMPLATE } else { AGENCY };
        let mut lines: Vec<&str> = text.lines().collect();
        let at = at.index(lines.len());
        // The same key with another value reaches the checks behind the reading.
        let value = line.split_once(" = ").map_or(line.as_str(), |(_, value)| value);
        let other = match lines[at].split_once(" = ") {
            Some((key, _)) if keeps_key => format!("{key} = {value}"),
            _ => line.clone(),
        };
        lines[at] = &other;
        drop(told(&lines.join("\n")));
    }

    #[test]
    fn no_cut_panics_the_reader(of_template: bool, at: Index) {
        let text = if of_template { TEMPLATE } else { AGENCY };
        let end = at.index(text.len());
        drop(told(text.get(..end).unwrap_or_default()));
    }
}
