//! Row files: written once from front to back, then only read. A file appears under its name when it
//! is whole; what ends before its trailer is damaged.

use super::error::SnapshotError;
use super::frame::{self, Next};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"hsmcrow1";
const BUFFER: usize = 32 << 10;

/// Writes a row file.
pub struct RowWriter<T> {
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
    count: u64,
    all: crc32fast::Hasher,
    buffer: Vec<u8>,
    rows: PhantomData<fn(T)>,
}

impl<T: Serialize> RowWriter<T> {
    /// Starts the file under a provisional name. What stands under `path` stays as it is until
    /// [`RowWriter::finish`], so a file shared by a hard link is never written through.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> Result<RowWriter<T>, SnapshotError> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(SnapshotError::io(&part))?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        out.write_all(MAGIC).map_err(SnapshotError::io(&part))?;
        Ok(RowWriter {
            path: path.to_owned(),
            part,
            out,
            count: 0,
            all: crc32fast::Hasher::new(),
            buffer: Vec::new(),
            rows: PhantomData,
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, row: &T) -> Result<(), SnapshotError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        frame::encode(row, &mut buffer).map_err(SnapshotError::io(&self.part))?;
        let written = self.write_encoded(&buffer);
        self.buffer = buffer;
        written
    }

    /// Adds a row that is encoded already.
    pub(super) fn write_encoded(&mut self, payload: &[u8]) -> Result<(), SnapshotError> {
        frame::write(&mut self.out, payload).map_err(SnapshotError::io(&self.part))?;
        self.all.update(payload);
        self.count += 1;
        Ok(())
    }

    /// Ends the file durably and gives it its name. How many rows it has.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self) -> Result<u64, SnapshotError> {
        self.end(true)
    }

    /// Gives the file up: what stands under its name stays.
    pub(super) fn discard(self) -> Result<(), SnapshotError> {
        fs::remove_file(&self.part).map_err(SnapshotError::io(&self.part))
    }

    /// As [`RowWriter::finish`], for files that nobody needs after a power cut.
    pub(super) fn finish_provisional(self) -> Result<u64, SnapshotError> {
        self.end(false)
    }

    fn end(mut self, durable: bool) -> Result<u64, SnapshotError> {
        let (part, count, all) = (&self.part, self.count, self.all.finalize());
        frame::write_trailer_mark(&mut self.out).map_err(SnapshotError::io(part))?;
        self.out.write_all(&count.to_le_bytes()).map_err(SnapshotError::io(part))?;
        self.out.write_all(&all.to_le_bytes()).map_err(SnapshotError::io(part))?;
        self.out.flush().map_err(SnapshotError::io(part))?;
        if durable {
            self.out.get_ref().sync_all().map_err(SnapshotError::io(part))?;
        }
        fs::rename(part, &self.path).map_err(SnapshotError::io(&self.path))?;
        Ok(count)
    }
}

/// Reads a row file from front to back. After an error it gives nothing more.
pub struct RowReader<T> {
    path: PathBuf,
    input: BufReader<File>,
    count: u64,
    all: crc32fast::Hasher,
    buffer: Vec<u8>,
    ended: bool,
    rows: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> RowReader<T> {
    /// Opens a row file.
    ///
    /// # Errors
    /// When it is not there, or is no row file of this format.
    pub fn open(path: &Path) -> Result<RowReader<T>, SnapshotError> {
        let file = File::open(path).map_err(|problem| match problem.kind() {
            std::io::ErrorKind::NotFound => SnapshotError::damaged(path, "the file is missing"),
            _ => SnapshotError::io(path)(problem),
        })?;
        let mut input = BufReader::with_capacity(BUFFER, file);
        let mut magic = [0_u8; 8];
        let read = frame::fill(&mut input, &mut magic).map_err(SnapshotError::io(path))?;
        if read < magic.len() || &magic != MAGIC {
            return Err(SnapshotError::damaged(path, "it does not start like a row file"));
        }
        Ok(RowReader {
            path: path.to_owned(),
            input,
            count: 0,
            all: crc32fast::Hasher::new(),
            buffer: Vec::new(),
            ended: false,
            rows: PhantomData,
        })
    }

    /// Reads the bytes of the next row, or the trailer: then there is none.
    fn read_frame(&mut self) -> Result<bool, SnapshotError> {
        let row = self.count + 1;
        match frame::read(&mut self.input, &mut self.buffer).map_err(SnapshotError::io(&self.path))? {
            Next::Frame => {
                self.all.update(&self.buffer);
                self.count = row;
                Ok(true)
            }
            Next::Trailer => self.check_trailer().map(|()| false),
            Next::End => Err(SnapshotError::damaged(&self.path, format!("it ends at row {row}"))),
            Next::Torn => {
                Err(SnapshotError::damaged(&self.path, format!("row {row} is not what was written")))
            }
        }
    }

    /// Passes over so many rows without looking into them; their checksums must hold.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or has fewer.
    pub(super) fn pass_over(&mut self, rows: u32) -> Result<(), SnapshotError> {
        for _ in 0..rows {
            if !self.read_frame()? {
                let what = format!("it ends at row {}", self.count + 1);
                return Err(SnapshotError::damaged(&self.path, what));
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<T>, SnapshotError> {
        if !self.read_frame()? {
            return Ok(None);
        }
        match frame::decode(&self.buffer) {
            Ok(decoded) => Ok(Some(decoded)),
            Err(what) => Err(SnapshotError::damaged(&self.path, format!("row {}: {what}", self.count))),
        }
    }

    fn check_trailer(&mut self) -> Result<(), SnapshotError> {
        let (mut count, mut all, mut beyond) = ([0_u8; 8], [0_u8; 4], [0_u8; 1]);
        let mut read = |buffer: &mut [u8]| frame::fill(&mut self.input, buffer);
        let lengths = read(&mut count).and_then(|a| Ok((a, read(&mut all)?, read(&mut beyond)?)));
        let lengths = lengths.map_err(SnapshotError::io(&self.path))?;
        let holds = lengths == (8, 4, 0)
            && u64::from_le_bytes(count) == self.count
            && u32::from_le_bytes(all) == self.all.clone().finalize();
        if holds {
            Ok(())
        } else {
            Err(SnapshotError::damaged(&self.path, "the trailer does not agree with the rows"))
        }
    }
}

impl<T: DeserializeOwned> Iterator for RowReader<T> {
    type Item = Result<T, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.read().transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten(folder: &Path) -> PathBuf {
        let path = folder.join("people.rows");
        let mut writer = RowWriter::create(&path).unwrap();
        (0..10_u32).for_each(|row| writer.write(&(row, "somebody")).unwrap());
        writer.finish().unwrap();
        path
    }

    #[test]
    fn rows_that_are_passed_over_count_and_must_be_sound() {
        let folder = tempfile::tempdir().unwrap();
        let path = ten(folder.path());
        let mut rows = RowReader::<(u32, String)>::open(&path).unwrap();
        rows.pass_over(3).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().0, 3);
        rows.pass_over(0).unwrap();
        rows.pass_over(5).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().0, 9);
        assert!(rows.next().is_none(), "the trailer agrees");

        let mut rows = RowReader::<(u32, String)>::open(&path).unwrap();
        assert!(rows.pass_over(11).is_err(), "there are ten");

        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let mut rows = RowReader::<(u32, String)>::open(&path).unwrap();
        assert!(rows.pass_over(9).is_err(), "a damaged row is no row");
    }
}
