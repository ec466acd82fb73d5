//! The architecture, held true: who may import whom, which crate is named where, what no part of the source
//! may contain, and that the pages which tell of it name what is there.
//!
//! The table below is the one of docs/design.md §6. Whoever needs an exception writes a decision record
//! (docs/decisions/) and adds the line here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate, from the bottom up, with the other modules it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("tls", &[]),
    ("telemetry", &["tls"]),
    ("threads", &[]),
    ("failpoint", &["domain"]),
    ("config", &["domain"]),
    // Places where a crash matters: docs/decisions/0009-the-journal-names-crash-points.md.
    ("journal", &["failpoint", "threads", "domain"]),
    // How records are written, and directories made; not the store: docs/decisions/0011-the-mirror-has-a-sled-of-its-own.md.
    ("mirror", &["journal", "domain"]),
    ("people", &["mirror", "journal", "domain"]),
    ("engine", &["failpoint", "domain"]),
    ("connect", &["tls", "domain"]),
    ("actors", &["engine", "journal", "failpoint", "threads", "domain"]),
    // The journal's own words, not its store: docs/decisions/0005-sync-reads-the-journal.md.
    ("sync", &["actors", "engine", "journal", "failpoint", "domain"]),
    ("sandbox", &["domain"]),
    // The sandbox's HTTP face, and no sync: docs/decisions/0006-serve-carries-values.md.
    ("serve", &["sandbox", "telemetry", "tls", "domain"]),
    (
        "app",
        &[
            "serve",
            "sync",
            "actors",
            "connect",
            "engine",
            "people",
            "mirror",
            "journal",
            "config",
            "telemetry",
            "domain",
        ],
    ),
    ("simulate", &["app", "serve", "sandbox", "sync", "connect", "engine", "journal", "config", "domain"]),
    // docs/decisions/0010-benchmarks-are-a-module.md.
    ("bench", &["app", "serve", "sandbox", "sync", "actors", "engine", "journal", "config", "domain"]),
    // `demo` needs the sandbox: docs/decisions/0007-cli-runs-the-demo.md.
    (
        "cli",
        &["simulate", "bench", "app", "serve", "sandbox", "sync", "journal", "config", "telemetry", "domain"],
    ),
    ("main", &["cli", "telemetry"]),
];

/// What of a module another one may name, where that is not all of it.
const ONLY_THIS: &[(&str, &str, &[&str])] = &[
    ("mirror", "journal", &["codec", "directory", "store"]),
    ("people", "journal", &["codec"]),
    ("sync", "journal", &["consent", "expiring", "forgotten", "ledger", "naming", "store"]),
    ("sync", "engine", &["MoveStatus", "Phase", "fold", "recovery", "retry"]),
    ("simulate", "sync", &["scan"]),
    ("simulate", "engine", &["fold"]),
    ("cli", "sync", &["scan"]),
    ("cli", "journal", &["store"]),
];

/// Crates that stand for a part of the design, and the only places that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("kameo", &["actors/"]),
    ("axum", &["serve/"]),
    ("csv", &["serve/export/"]),
    ("parquet", &["serve/export/"]),
    ("sled", &["journal/", "mirror/disk.rs"]),
    ("bincode", &["journal/", "sync/snapshot/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("miette", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("comfy_table", &["cli/"]),
    ("nix", &["failpoint.rs"]),
    ("shuttle", &["threads.rs"]),
    ("ctrlc", &["cli/signals.rs"]),
    // The client of the control socket speaks HTTP too.
    ("reqwest", &["connect/http.rs", "serve/socket.rs"]),
    ("figment", &["config/"]),
    ("toml_edit", &["config/"]),
    ("secrecy", &["config/", "connect/", "simulate/network.rs"]),
    ("rand", &["app/ports.rs", "sandbox/scenario/", "simulate/chance.rs"]),
    ("rand_chacha", &["sandbox/scenario/", "simulate/chance.rs"]),
    ("tracing_subscriber", &["telemetry/"]),
    ("tracing_appender", &["telemetry/"]),
    ("file_rotate", &["app/reports.rs", "telemetry/file.rs"]),
    ("tokio", &["journal/", "actors/", "sync/", "serve/", "app/", "simulate/", "bench/", "cli/", "main.rs"]),
];

/// Words that may stand in these places only; an empty list means nowhere.
const WORDS: &[(&str, &[&str])] = &[
    // Time and chance are ports (docs/decisions/0008-clocks-outside-the-port.md).
    ("SystemTime::now", &["app/ports.rs", "serve/sandbox_http.rs", "cli/demo.rs"]),
    ("jiff::Timestamp::now", &["connect/http.rs"]),
    // The virtual time of a simulation; docs/decisions/0010-benchmarks-are-a-module.md.
    ("Instant::now", &["simulate/clock.rs", "bench/stopwatch.rs"]),
    ("Zoned::now", &[]),
    ("thread_rng", &[]),
    ("rand::rng", &[]),
    ("rand::random", &["app/ports.rs"]),
    // Never reaches the disk, and deadlocks (docs/decisions/0001-sled-is-an-index-behind-a-log.md).
    ("flush_async", &[]),
    (".unwrap()", &[]),
    (".expect(", &[]),
    ("panic!(", &[]),
    ("unreachable!(", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("dbg!(", &[]),
    ("unsafe ", &[]),
    ("utils", &[]),
];

/// A source file: where it is below `src/`, and its lines outside comments and tests.
struct Source {
    path: String,
    module: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Test modules declared in a file: `#[cfg(test)]`, maybe a `#[path]`, then `mod name;`.
fn test_files(file: &Path, text: &str) -> Vec<PathBuf> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let dir = file.parent().unwrap();
    let stem = file.file_stem().unwrap();
    let below =
        if ["mod", "lib", "main"].iter().any(|name| stem == *name) { dir.into() } else { dir.join(stem) };
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "#[cfg(test)]") {
        let mut path = None;
        for line in &lines[at + 1..] {
            if let Some(named) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
                path = Some(dir.join(named));
                continue;
            }
            if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                found.extend(path.clone().map_or_else(
                    || vec![below.join(format!("{name}.rs")), below.join(name)],
                    |path| vec![path],
                ));
            }
            break;
        }
    }
    found
}

/// The text without comment lines and without items under `#[cfg(test)]`.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // The item ends with a brace as far in as its attribute, or it has no body.
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            let mut has_body = false;
            for item in lines.by_ref() {
                has_body |= item.ends_with('{');
                if item == end || (!has_body && item.ends_with(';')) {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let texts: Vec<(PathBuf, String)> = files_below(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    texts
        .iter()
        .filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test)))
        .map(|(path, text)| {
            let path = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            Source { code: code_of(text), path, module }
        })
        .collect()
}

/// The places of a word that is not the tail of a longer one.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let starts_open = word.starts_with(inside);
    code.match_indices(word)
        .filter(move |(at, _)| !starts_open || !code[..*at].ends_with(inside))
        .map(move |(at, _)| &code[at + word.len()..])
}

/// Paths that begin with `crate::` (or `hsmc::` in the binary), as module and the name after it.
fn imports(source: &Source) -> BTreeSet<(String, String)> {
    let start = if source.module == "main" { "hsmc::" } else { "crate::" };
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in places(&source.code, start) {
        assert!(
            !rest.starts_with(['{', '*']),
            "{}: name the modules one by one, not `{start}{{…}}`",
            source.path
        );
        let module = word(rest);
        let after = rest[module.len()..].strip_prefix("::").unwrap_or_default();
        let names: Vec<String> = match after.strip_prefix('{') {
            Some(group) => {
                let (mut depth, mut names, mut name) = (1, Vec::new(), String::new());
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => names.push(std::mem::take(&mut name)),
                        _ if depth == 1 => name.push(c),
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
                names.push(name);
                names.iter().map(|name| word(name.trim())).filter(|name| !name.is_empty()).collect()
            }
            None => vec![word(after)],
        };
        found.extend(names.into_iter().map(|name| (module.clone(), name)));
    }
    found
}

fn allowed(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

#[test]
fn every_module_imports_only_what_stands_below_it() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module != "lib") {
        let Some(may) = table.get(source.module.as_str()) else {
            wrong.push(format!("{}: module {} is not in the table", source.path, source.module));
            continue;
        };
        for (module, name) in imports(source) {
            let module_name = module.as_str();
            let known = module == source.module;
            if !known && !may.contains(&module_name) {
                wrong.push(format!(
                    "{}: {} must not know {module} ({module}::{name})",
                    source.path, source.module
                ));
            }
            for (from, to, names) in ONLY_THIS {
                if (*from, *to) == (source.module.as_str(), module.as_str())
                    && !names.contains(&name.as_str())
                {
                    wrong.push(format!(
                        "{}: of {to}, {from} may name only {names:?}, not {name}",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_way_round_in_a_circle() {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for (module, may) in MAY_IMPORT {
        for below in *may {
            assert!(known.contains(below), "{module} imports {below}, which does not stand below it");
        }
        known.insert(module);
    }
}

#[test]
fn nobody_leaves_their_module_by_super() {
    for source in sources() {
        // `a/mod.rs` is module a, `a/b.rs` is a::b.
        let depth = source.path.trim_end_matches("/mod.rs").split('/').count();
        let way_out = "super::".repeat(depth);
        let leaves = places(&source.code, &way_out).next().is_some();
        assert!(!leaves || source.module == "lib", "{} leaves its module by `{way_out}`", source.path);
    }
}

#[test]
fn each_crate_is_named_only_where_it_belongs() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, belongs) in CRATES {
            let named = places(&source.code, &format!("{name}::")).next().is_some()
                || places(&source.code, &format!("use {name};")).next().is_some();
            if named && !allowed(&source.path, belongs) {
                wrong.push(format!("{} names {name}, which belongs to {belongs:?}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clocks_chance_and_panics_stand_only_where_they_are_named() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, belongs) in WORDS {
            if places(&source.code, word).next().is_some() && !allowed(&source.path, belongs) {
                wrong.push(format!("{}: `{word}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_named_here_is_still_needed() {
    let sources = sources();
    for (word, belongs) in WORDS {
        for place in *belongs {
            let needed = sources
                .iter()
                .any(|source| source.path.starts_with(place) && places(&source.code, word).next().is_some());
            assert!(needed, "{place} no longer needs `{word}`: take it off the list");
        }
    }
    for (name, belongs) in CRATES {
        for place in *belongs {
            let needed = sources.iter().any(|source| {
                source.path.starts_with(place) && places(&source.code, &format!("{name}::")).next().is_some()
            });
            assert!(needed, "{place} no longer names {name}: take it off the list");
        }
    }
    for (module, may) in MAY_IMPORT {
        for below in may.iter().filter(|below| !["domain", "telemetry"].contains(*below)) {
            let needed = sources
                .iter()
                .filter(|source| source.module == *module)
                .any(|source| imports(source).iter().any(|(named, _)| named == below));
            assert!(needed, "{module} no longer imports {below}: take it off the table");
        }
    }
}

#[test]
fn every_folder_of_the_source_is_told_of() {
    let told: Vec<(&str, String)> = ["README.md", "src/lib.rs", "docs/design.md"]
        .into_iter()
        .map(|page| (page, fs::read_to_string(root().join(page)).unwrap()))
        .collect();
    let folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    for folder in &folders {
        for (page, text) in &told {
            assert!(
                text.contains(&format!("`{folder}")) || text.contains(&format!("[`{folder}`]")),
                "{page} does not tell of src/{folder}"
            );
        }
        assert!(
            MAY_IMPORT.iter().any(|(module, _)| module == folder),
            "src/{folder} is not in the import table"
        );
        let prose = fs::read_to_string(root().join("src").join(folder).join("mod.rs")).unwrap();
        assert!(prose.starts_with("//! "), "src/{folder}/mod.rs does not begin with what it is for");
    }
    let readme = &told[0].1;
    for line in readme.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = line.split(['/', '`', '.']).next().unwrap();
        if line.starts_with(&format!("{name}/`")) {
            assert!(
                folders.iter().any(|folder| folder == name),
                "README.md tells of src/{name}, which is not there"
            );
        }
    }
}

#[test]
fn every_decision_is_listed_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let index = fs::read_to_string(docs.join("decisions/README.md")).unwrap();
    for path in files_below(&docs.join("decisions")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name == "README.md" || index.contains(&name),
            "docs/decisions/README.md does not list {name}"
        );
    }
    let mut pages = files_below(&docs);
    pages.extend([root().join("README.md"), root().join("CHANGELOG.md"), root().join("state/README.md")]);
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(page).unwrap();
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split([')', '#']).next().unwrap();
            let leads = link.is_empty() || link.contains("://") || page.parent().unwrap().join(link).exists();
            assert!(leads, "{}: {link} leads nowhere", page.display());
        }
    }
}

/// Real tokens look like this; those of test data count upward.
fn looks_like_a_secret(word: &str) -> bool {
    if ["0123456789abcdef", "pat-eu1-12345678-"].iter().any(|made_up| word.starts_with(made_up)) {
        return false;
    }
    let hex_key = word.split_once("-us").is_some_and(|(key, centre)| {
        key.len() == 32
            && key.chars().all(|c| c.is_ascii_hexdigit())
            && key.chars().collect::<BTreeSet<_>>().len() > 8
            && centre.chars().all(|c| c.is_ascii_digit())
    });
    let private_app = word.strip_prefix("pat-").is_some_and(|rest| {
        let (_, id) = rest.split_once('-').unwrap_or_default();
        id.len() == 36 && id.chars().filter(|c| *c != '-').collect::<BTreeSet<_>>().len() > 6
    });
    hex_key
        || private_app
        || word.starts_with(&["gh", "p_"].concat())
        || word.starts_with(&["AK", "IA"].concat())
}

#[test]
fn no_file_names_a_machine_a_secret_or_a_real_address() {
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    for dir in ["src", "tests", "docs", ".ci"] {
        files.extend(files_below(&root().join(dir)));
    }
    files.extend(
        ["README.md", "CHANGELOG.md", "Cargo.toml", "deny.toml", "state/README.md"]
            .map(|name| root().join(name)),
    );
    // Put together here, so that this file does not find itself.
    let machine = [["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/wo", "rk/"], ["C:", "\\\\"]]
        .map(|parts| parts.concat());
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let mut tell = |what: &str| wrong.push(format!("{}:{}: {what}", path.display(), number + 1));
            if machine.iter().any(|start| line.contains(start.as_str())) {
                tell("a path of one machine");
            }
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
            if words.into_iter().any(looks_like_a_secret) {
                tell("looks like a token");
            }
            for (at, _) in line.match_indices('@') {
                let before = line[..at].chars().next_back();
                let domain: String = line[at + 1..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || ".-".contains(*c))
                    .collect();
                let domain = domain.trim_end_matches('.').replace("..", ".").to_lowercase();
                let is_address = before.is_some_and(|c| c.is_ascii_alphanumeric()) && domain.contains('.');
                let synthetic = ["example.com", "example.org", "example.net", "example", "invalid", "test"]
                    .iter()
                    .any(|end| domain == *end || domain.ends_with(&format!(".{end}")));
                if is_address && !synthetic {
                    tell(&format!("an address at {domain}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
