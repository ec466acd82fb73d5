//! A journal that has lost its end, while the accounts have everything: whatever was lost, hsmc finds the
//! accounts as they are, changes nothing, and leaves nothing open. `HSMC_EVERY=1` cuts after every record.

use crate::points::AT_ONCE;
use crate::stage::{Prepared, Stage, copy, differences, directory};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of a frame's header, and of the checksum after its payload (docs/journal-format.md).
const HEADER: usize = 26;
const CHECKSUM: usize = 4;

fn newest_segment(state: &Path) -> PathBuf {
    let log = fs::read_dir(state.join("log")).unwrap();
    log.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// Where the frames of a segment end.
fn ends(segment: &Path) -> Vec<usize> {
    let bytes = fs::read(segment).unwrap();
    let (mut at, mut ends) = (0, Vec::new());
    while let Some(header) = bytes.get(at..at + HEADER) {
        assert_eq!(&header[..4], b"HSMF");
        let length = u32::from_le_bytes(header[6..10].try_into().unwrap());
        at += HEADER + length as usize + CHECKSUM;
        ends.push(at);
    }
    ends
}

fn cut(whole: &Path, end: usize) -> tempfile::TempDir {
    let state = directory();
    copy(whole, state.path());
    // Both know of commits after the cut, which would rightly be called a loss.
    fs::remove_dir_all(state.path().join("index")).unwrap();
    fs::remove_file(state.path().join("log-end")).unwrap();
    let segment = fs::OpenOptions::new().write(true).open(newest_segment(state.path())).unwrap();
    segment.set_len(end as u64).unwrap();
    state
}

async fn cut_at(done: &Prepared, end: usize) -> Vec<String> {
    let prepared = Prepared {
        sandbox: done.sandbox.clone(),
        state: cut(done.state.path(), end),
        config: done.config.clone(),
    };
    let stage = Stage::of(&prepared).await;
    let before = stage.picture();
    let mut wrong = Vec::new();
    if let Err(problem) = stage.settle(3).await {
        wrong.push(problem);
    }
    wrong.extend(differences(&before, &stage.picture()));
    wrong.extend(stage.changes().into_keys().map(|change| format!("done although it was done: {change}")));
    wrong.extend(stage.wrongs());
    match stage.open_moves().await {
        Some(0) => {}
        open => wrong.push(format!("open moves: {open:?}")),
    }
    wrong.into_iter().map(|line| format!("cut at {end}: {line}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_prefix_of_the_journal_leads_to_the_same_accounts() {
    let every = std::env::var("HSMC_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(3);
    let config = World::Plain.config();
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let known = ends(&newest_segment(prepared.state.path())).len();
    let stage = Stage::of(&prepared).await;
    stage.settle(4).await.unwrap();
    let done = stage.prepared(&config);
    let ends = ends(&newest_segment(done.state.path()));
    let cuts: Vec<usize> = ends[known..].iter().copied().step_by(every).collect();
    let wrong: Vec<String> = futures::stream::iter(&cuts)
        .map(|end| cut_at(&done, *end))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} of {} records cut after", cuts.len(), ends.len() - known);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
