//! Row files, page logs and sorting.

use hsmc::domain::port::Page;
use hsmc::sync::snapshot::*;
use proptest::prelude::*;
use std::fs;

fn write(path: &std::path::Path, rows: &[(u32, String)]) {
    let mut writer = RowWriter::create(path).unwrap();
    for row in rows {
        writer.write(row).unwrap();
    }
    writer.finish().unwrap();
}

fn read(path: &std::path::Path) -> Result<Vec<(u32, String)>, SnapshotError> {
    RowReader::open(path)?.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_external_sort_with_tiny_chunks_gives_what_a_stable_sort_in_memory_gives(
        rows in proptest::collection::vec((0_u32..20, "[a-z]{0,12}"), 0..200),
        budget in 1_usize..600,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = ExternalSorter::new(dir.path(), "t", budget, |row: &(u32, String)| row.0);
        for row in &rows {
            sorter.push(row).unwrap();
        }
        let sorted: Vec<_> = sorter.finish().unwrap().collect::<Result<_, _>>().unwrap();
        let mut expected = rows;
        expected.sort_by_key(|row| row.0);
        prop_assert_eq!(sorted, expected);
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn any_changed_or_missing_byte_of_a_row_file_is_an_error(
        rows in proptest::collection::vec((0_u32..1000, "[a-z]{0,12}"), 0..12),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..=255,
        cut in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.rows");
        write(&path, &rows);
        prop_assert_eq!(read(&path).unwrap(), rows);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        fs::write(&path, &bytes).unwrap();
        let problem = read(&path).unwrap_err();
        prop_assert!(problem.mended_by_full_scan());
    }

    #[test]
    fn a_page_log_cut_anywhere_goes_on_after_its_last_whole_page(cut in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.pages");
        let mut log: PageLog<u64> = PageLog::open(&path).unwrap();
        let mut ends = vec![0];
        for page in 0..5_u64 {
            let next = (page < 4).then(|| page.to_string());
            log.append(Page { rows: vec![page; 3], next, total: Some(15) }).unwrap();
            ends.push(fs::metadata(&path).unwrap().len());
        }
        let cut = cut.index(usize::try_from(ends[5]).unwrap() + 1) as u64;
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let mut log: PageLog<u64> = PageLog::open(&path).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64 - 1;
        prop_assert_eq!(log.pages(), whole);
        let expected = match whole {
            0 => Position::Start,
            5 => Position::End,
            page => Position::At((page - 1).to_string()),
        };
        prop_assert_eq!(log.position(), &expected);
        log.append(Page { rows: vec![9], next: None, total: None }).unwrap();
        let rows = PageRows::<u64>::open(&path).unwrap().count() as u64;
        prop_assert_eq!(rows, whole * 3 + 1);
    }
}
