//! Whatever the bytes of a record or of a file of the journal have become: they are read as what was written, or told
//! to be damaged. Nothing panics, and nothing is allocated that the bytes do not fill.

use super::every_record::as_every_record;
use super::support::open;
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::{Path, PathBuf};

fn golden() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal");
    let mut files: Vec<PathBuf> = ["v1", "v2", "v3"]
        .iter()
        .flat_map(|version| std::fs::read_dir(folder.join(version)).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let bytes = hex::decode(text.split_whitespace().collect::<String>()).unwrap();
        (file, bytes)
    };
    files.into_iter().map(read).collect()
}

/// Other bytes from a place on, then an end.
fn changed(bytes: &[u8], at: Index, over: &[u8], end: Index) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at.index(bytes.len() + 1);
    let until = bytes.len().min(at + over.len());
    bytes.splice(at..until, over.iter().copied());
    let end = at.max(end.index(bytes.len() + 1));
    bytes.truncate(end);
    bytes
}

proptest! {
    #[test]
    fn no_bytes_panic_a_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        as_every_record(&bytes);
        for version in 1..=3_u8 {
            as_every_record(&[&[version], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn no_change_of_a_record_panics_whoever_reads_it(
        which: Index,
        at: Index,
        over in proptest::collection::vec(any::<u8>(), 0..12),
        end: Index,
    ) {
        let golden = golden();
        as_every_record(&changed(&which.get(&golden).1, at, &over, end));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_change_of_a_file_panics_a_start(
        which: Index,
        at: Index,
        over in proptest::collection::vec(any::<u8>(), 1..9),
        end: Index,
    ) {
        let home = tempfile::tempdir().unwrap();
        let name = |file: &Path| {
            let name = file.file_name().unwrap().to_str().unwrap().strip_suffix(".hex").unwrap().to_owned();
            let (folder, file) = name.split_once('-')?;
            matches!(folder, "log" | "snapshot").then(|| home.path().join(folder).join(file))
        };
        let files: Vec<(PathBuf, Vec<u8>)> =
            golden().into_iter().filter_map(|(file, bytes)| Some((name(&file)?, bytes))).collect();
        prop_assert_eq!(files.len(), 3);
        let changed_one = which.index(files.len());
        for (number, (file, bytes)) in files.into_iter().enumerate() {
            let bytes = if number == changed_one { changed(&bytes, at, &over, end) } else { bytes };
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
        std::fs::write(home.path().join("format"), "1\n").unwrap();
        drop(open(home.path()).map(drop));
    }
}
