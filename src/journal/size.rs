//! How much room a state directory takes, and for what. Reads sizes and records, changes nothing.

use super::store::{Store, StoreError, Table};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Entries read at once.
const PAGE: usize = 1000;

/// What a table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// How many records.
    pub records: u64,
    /// Their keys and values, in bytes.
    pub bytes: u64,
}

/// What each table holds.
///
/// # Errors
/// The index cannot be read.
pub fn tables(store: &dyn Store) -> Result<BTreeMap<Table, TableSize>, StoreError> {
    let mut sizes = BTreeMap::new();
    for table in Table::ALL {
        let size: &mut TableSize = sizes.entry(table).or_default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store.scan(table, &[], after.as_deref(), PAGE)?;
            for (key, value) in &page {
                size.records += 1;
                size.bytes += (key.len() + value.len()) as u64;
            }
            let Some((last, _)) = page.into_iter().next_back() else { break };
            after = Some(last);
        }
    }
    Ok(sizes)
}

/// Bytes on the disk by what they are for, the most first. What cannot be read counts as nothing: files come and go
/// while a process runs.
pub fn on_disk(root: &Path) -> Vec<(&'static str, u64)> {
    let mut sizes: BTreeMap<&'static str, u64> = BTreeMap::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        *sizes.entry(purpose(&name)).or_default() += below(&entry.path());
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(what, bytes)| (std::cmp::Reverse(*bytes), *what));
    sizes
}

fn purpose(name: &str) -> &'static str {
    match name {
        "log" => "log",
        "snapshot" => "snapshots of the journal",
        "index" => "index",
        "snapshots" => "what scans saw",
        "mirror" => "mirror",
        "reports" => "reports",
        _ if name.starts_with("index.") => "indexes set aside",
        _ if name.starts_with("before-restore-") => "kept from before a restore",
        _ => "other",
    }
}

fn below(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| below(&entry.path())).sum()
}
