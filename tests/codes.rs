//! Codes and their pages: no number ever means something else, each code has a page and each page a code, and what
//! a page tells somebody to type can be typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use clap::Parser;
use clap::error::ErrorKind;
use hsmc::cli::Cli;
use hsmc::domain::code::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const HEADINGS: [&str; 4] = ["What you see", "What it means", "What to do", "How to prevent it"];
const QUESTIONS: [&str; 3] =
    ["- Is anything changed? ", "- May it have happened? ", "- Does hsmc try again? "];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
}

/// What a page says below a heading.
fn below<'a>(page: &'a str, heading: &str) -> &'a str {
    let after = page.split_once(&format!("\n## {heading}\n")).map(|(_, after)| after).unwrap_or_default();
    after.split("\n## ").next().unwrap_or_default().trim()
}

/// Where a command stands on a page.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// In a block of shell: it is to be typed as it stands.
    Block,
    /// In a sentence, where it may be named without its arguments.
    Sentence,
}

/// Whatever stands in a block of shell, or between backticks, and begins with `hsmc`: what somebody would type.
fn commands(page: &str) -> Vec<(Shown, String)> {
    let mut found = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 1 {
            found.extend(part.lines().skip(1).map(|line| (Shown::Block, line.to_owned())));
        } else {
            let inline = part.split('`').skip(1).step_by(2);
            let joined = inline.map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "));
            found.extend(joined.map(|code| (Shown::Sentence, code)));
        }
    }
    found.retain(|(_, line)| words(line).next() == Some("hsmc"));
    found
}

/// The words of a command, without variables set before it and another user's name.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut after_user = false;
    line.split_whitespace().map(|word| word.trim_matches('\'')).skip_while(move |word| {
        let skipped = after_user || word.contains('=') || ["sudo", "-u"].contains(word);
        after_user = *word == "-u";
        skipped
    })
}

/// The golden list: a number once given keeps its title's meaning for ever. A code that is given up stays here,
/// marked as such, so that its number is not given to anything else.
#[test]
fn no_number_was_ever_given_to_something_else() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codes.golden");
    let mut kept = fs::read_to_string(&golden).unwrap_or_default();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        // Only what is new: what is there is not for a machine to change.
        let is_new = |code: &&Code| !kept.contains(&code.to_string());
        let new: Vec<String> =
            Code::ALL.iter().filter(is_new).map(|code| format!("{code} {}", code.title())).collect();
        let mut lines: Vec<&str> = kept.lines().chain(new.iter().map(String::as_str)).collect();
        lines.sort_unstable();
        kept = lines.join("\n") + "\n";
        fs::write(&golden, &kept).unwrap();
    }
    let now: String = Code::ALL.iter().map(|code| format!("{code} {}\n", code.title())).collect();
    let of = |text: &str| -> BTreeMap<String, String> {
        text.lines().filter_map(|line| line.split_once(' ')).map(|(c, t)| (c.into(), t.into())).collect()
    };
    let (kept, now) = (of(&kept), of(&now));
    for (code, title) in &now {
        match kept.get(code) {
            Some(was) => {
                assert_eq!(was, title, "{code} meant something else: give the new meaning a new number")
            }
            None => panic!("{code} is new: add it with WRITE_GOLDEN=1 cargo test --test codes"),
        }
    }
    for (code, title) in kept.iter().filter(|(code, _)| !now.contains_key(*code)) {
        assert!(
            title.starts_with("given up: "),
            "{code} is gone: keep its line, as `{code} given up: {title}`"
        );
    }
}

#[test]
fn no_two_codes_share_a_number_or_a_title_and_they_are_in_order() {
    let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let titles: BTreeSet<&str> = Code::ALL.iter().map(|code| code.title()).collect();
    assert_eq!(titles.len(), Code::ALL.len());
}

#[test]
fn each_code_has_a_page_with_the_same_headings_and_each_page_a_code() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# {code}: {}\n", code.title())), "{code}: the first line");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{code}");
        for heading in HEADINGS {
            assert!(below(page, heading).len() > 15, "{code}: nothing below {heading}");
        }
        let means = below(page, "What it means");
        for question in QUESTIONS {
            assert_eq!(means.matches(question).count(), 1, "{code}: {question}");
        }
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{code}: a line is longer than a terminal"
        );
        assert!(page.lines().count() <= 60, "{code}: nobody reads so much at night");
    }
    let known: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    for entry in fs::read_dir(pages()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || known.contains(&name), "{name} is no code's page");
    }
}

#[test]
fn the_index_names_every_code_once_with_its_title() {
    let index = fs::read_to_string(pages().join("README.md")).unwrap();
    let rows: Vec<&str> = index.lines().filter(|line| line.starts_with("| [HSMC")).collect();
    let wanted: Vec<String> =
        Code::ALL.iter().map(|code| format!("| [{code}]({code}.md) | {} |", code.title())).collect();
    assert_eq!(rows, wanted);
}

#[test]
fn what_a_page_tells_somebody_to_type_can_be_typed() {
    let mut typed = 0;
    for code in Code::ALL {
        for (shown, command) in commands(code.page()) {
            if let Err(error) = Cli::try_parse_from(words(&command)) {
                // Help and version are answers, not mistakes.
                let is_named = shown == Shown::Sentence && error.kind() == ErrorKind::MissingRequiredArgument;
                assert!(is_named || !error.use_stderr(), "{code}: `{command}`: {error}");
            }
            typed += 1;
        }
    }
    assert!(typed > 200, "only {typed} commands were found");
}

#[test]
fn pages_name_only_codes_and_keys_that_are_there() {
    let keys: Vec<&str> = hsmc::config::keys::KEYS.iter().map(|key| key.path).collect();
    let sections: BTreeSet<&str> =
        keys.iter().filter_map(|key| key.split_once(['.', '['])).map(|(section, _)| section).collect();
    for code in Code::ALL {
        let page = code.page();
        for (at, _) in page.match_indices("HSMC") {
            let named: String = page[at..].chars().take(8).collect();
            assert!(named.starts_with("HSMC_") || named.parse::<Code>().is_ok(), "{code} names {named}");
        }
        for word in page.split('`').skip(1).step_by(2) {
            let is_key = word.split_once('.').is_some_and(|(section, key)| {
                sections.contains(section)
                    && !key.is_empty()
                    && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            assert!(!is_key || keys.contains(&word), "{code} names a key {word}");
        }
        for (_, command) in commands(page) {
            if let Some(key) = command.strip_prefix("hsmc config explain ") {
                let key = key.trim_matches('\'');
                let known = keys.contains(&key) || key.starts_with("merge_fields.");
                assert!(known, "{code}: {command}");
            }
        }
    }
}
