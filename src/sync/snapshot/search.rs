//! One row of a sorted file, by search. Rows have no index and no fixed length, so the search jumps into
//! the middle and looks for the next place where a frame begins: a length and a checksum that agree.
//!
//! A few blocks are read, however long the file is. What is not found by jumping is read from front to
//! back, so a row too large to be met by a jump is still found.

use super::error::SnapshotError;
use super::frame::{self, Next};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The bytes a row file begins with.
const HEAD: u64 = 8;
/// Below this distance, rows are read one after another.
const NEAR: u64 = 64 << 10;
/// Bytes looked at for the beginning of a frame, and the largest row met by a jump.
const BLOCK: usize = 128 << 10;

/// The row with this key, in a file sorted by it.
///
/// # Errors
/// When the file cannot be read, or is damaged where the row should be.
pub(super) fn find<T: DeserializeOwned, K: Ord>(
    path: &Path,
    key: fn(&T) -> K,
    wanted: &K,
) -> Result<Option<T>, SnapshotError> {
    let io = |problem| SnapshotError::io(path)(problem);
    let mut file = File::open(path).map_err(io)?;
    // Where the row may begin: at `low` or behind it, and before `high`.
    let (mut low, mut high) = (HEAD, file.metadata().map_err(io)?.len());
    while high.saturating_sub(low) > NEAR {
        let middle = low + (high - low) / 2;
        let Some(met) = meet::<T>(&mut file, middle).map_err(io)? else { break };
        if met.at >= high {
            break;
        }
        if key(&met.row) < *wanted {
            low = met.end;
        } else if key(&met.row) == *wanted {
            return Ok(Some(met.row));
        } else {
            high = met.at;
        }
    }
    file.seek(SeekFrom::Start(low)).map_err(io)?;
    let mut input = BufReader::new(file);
    let mut payload = Vec::new();
    loop {
        match frame::read(&mut input, &mut payload).map_err(io)? {
            Next::Frame => {
                let row: T = frame::decode(&payload).map_err(|what| SnapshotError::damaged(path, what))?;
                if key(&row) == *wanted {
                    return Ok(Some(row));
                }
                if key(&row) > *wanted {
                    return Ok(None);
                }
            }
            Next::Trailer | Next::End => return Ok(None),
            Next::Torn => return Err(SnapshotError::damaged(path, "a row is not what was written")),
        }
    }
}

struct Met<T> {
    at: u64,
    end: u64,
    row: T,
}

/// The first whole row that begins at `from` or behind it, within a block.
fn meet<T: DeserializeOwned>(file: &mut File, from: u64) -> std::io::Result<Option<Met<T>>> {
    let mut block = Vec::with_capacity(BLOCK);
    file.seek(SeekFrom::Start(from))?;
    file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
    let mut payload = Vec::new();
    for start in 0..block.len() {
        let Some(mut rest) = block.get(start..) else { break };
        let whole = rest.len();
        if !frame::may_begin(rest) || !matches!(frame::read(&mut rest, &mut payload)?, Next::Frame) {
            continue;
        }
        if let Ok(row) = frame::decode(&payload) {
            let at = from + start as u64;
            return Ok(Some(Met { at, end: at + (whole - rest.len()) as u64, row }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::rows::RowWriter;
    use super::*;

    type Row = (u32, Vec<u8>);

    fn file(rows: &[Row]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.rows");
        let mut writer = RowWriter::create(&path).unwrap();
        for row in rows {
            writer.write(row).unwrap();
        }
        writer.finish().unwrap();
        (folder, path)
    }

    fn find_all(rows: &[Row]) {
        let (_folder, path) = file(rows);
        for row in rows {
            assert_eq!(find(&path, |row: &Row| row.0, &row.0).unwrap().as_ref(), Some(row));
            assert_eq!(find(&path, |row: &Row| row.0, &(row.0 + 1)).unwrap(), None);
        }
        assert_eq!(find(&path, |row: &Row| row.0, &u32::MAX).unwrap(), None);
    }

    #[test]
    fn every_row_is_found_and_nothing_between_them() {
        find_all(&[]);
        find_all(&[(4, vec![])]);
        find_all(&(0..900_u32).map(|n| (n * 2, vec![0; (n % 700) as usize])).collect::<Vec<_>>());
    }

    #[test]
    fn rows_larger_than_a_block_are_found_as_well() {
        find_all(
            &(0..12_u32).map(|n| (n * 2, vec![7; if n % 3 == 0 { 300_000 } else { 40 }])).collect::<Vec<_>>(),
        );
    }

    #[test]
    fn a_damaged_row_is_an_error_and_not_an_absence() {
        let rows: Vec<Row> = (0..40_u32).map(|n| (n, vec![1; 50])).collect();
        let (_folder, path) = file(&rows);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[300] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        assert!(find(&path, |row: &Row| row.0, &39).is_err());
    }
}
