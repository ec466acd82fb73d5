//! What exports promise.

use super::csv::harmless;
use super::*;
use proptest::prelude::*;

fn columns() -> Vec<String> {
    vec!["record".to_owned(), "company".to_owned()]
}

fn rows(values: &[&str]) -> Vec<Vec<Option<String>>> {
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (1..).zip(values).map(|(record, text): (u64, _)| vec![Some(record.to_string()), value(text)]).collect()
}

fn written(make: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    make(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn as_csv(values: &[&str]) -> String {
    written(|out| {
        let mut sheet = CsvSheet::new(out, &columns())?;
        sheet.rows(&rows(values))?;
        sheet.end()
    })
}

/// Whoever reads has read enough, as `head` does.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_reader_who_has_read_enough_is_told_as_that_in_every_format() {
    let many = rows(&["a long text that fills a buffer sooner or later"; 5_000]);
    for format in [FileFormat::Json, FileFormat::Csv, FileFormat::Parquet] {
        let ended = format.sheet(Gone, &columns()).and_then(|mut sheet| {
            sheet.rows(&many)?;
            sheet.end()
        });
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

#[test]
fn no_cell_of_a_csv_begins_like_a_formula() {
    for start in ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "'"] {
        let cell = format!("{start}HYPERLINK(\"http://example.com\")");
        assert_eq!(harmless(&cell), format!("'{cell}"));
    }
    assert_eq!(harmless("a=b"), "a=b");
    assert_eq!(
        as_csv(&["=1+2", "a,b", "say \"hi\"", "two\nlines", "", ";=1+2", "x\t=1+2"]),
        [
            r#""record","company""#,
            r#""1","'=1+2""#,
            r#""2","a,b""#,
            r#""3","say ""hi""""#,
            "\"4\",\"two\nlines\"",
            r#""5","""#,
            r#""6",";=1+2""#,
            "\"7\",\"x\t=1+2\"",
            "",
        ]
        .join("\r\n")
    );
}

#[test]
fn json_is_one_array_with_or_without_rows() {
    let json = |values: &[&str]| {
        written(|out| {
            let mut sheet = JsonSheet::new(out, &columns());
            sheet.rows(&rows(values))?;
            sheet.rows(&rows(&[]))?;
            sheet.end()
        })
    };
    assert_eq!(json(&[]), "[]\n");
    assert_eq!(
        json(&["a", ""]),
        "[\n{\"company\":\"a\",\"record\":\"1\"},\n{\"company\":null,\"record\":\"2\"}\n]\n"
    );
}

proptest! {
    #[test]
    fn a_csv_reads_as_what_was_written(values in prop::collection::vec(".{0,12}", 0..8)) {
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let text = as_csv(&texts);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let read: Vec<String> =
            reader.records().map(|row| row.unwrap().get(1).unwrap_or_default().to_owned()).collect();
        let wanted: Vec<String> = texts.iter().map(|text| harmless(text).into_owned()).collect();
        prop_assert_eq!(read, wanted);
    }
}

use ::parquet::file::reader::{FileReader, SerializedFileReader};

#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn read(&self) -> SerializedFileReader<std::fs::File> {
        use std::io::Seek;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.0.lock().unwrap()).unwrap();
        file.rewind().unwrap();
        SerializedFileReader::new(file).unwrap()
    }
}

#[test]
fn a_parquet_file_reads_as_what_was_written_a_row_group_at_a_time() {
    let columns = ["record", "company", "record"].map(str::to_owned);
    let out = Shared::default();
    let mut sheet = FileFormat::Parquet.sheet(out.clone(), &columns).unwrap();
    let page = |from: usize| -> Vec<Vec<Option<String>>> {
        let company = |at: usize| (!at.is_multiple_of(3)).then(|| format!("Größe {}", at % 7));
        let record = |at: usize| Some(at.to_string());
        (from..from + 1_000).map(|at| vec![record(at), company(at), record(at)]).collect()
    };
    let mut lengths = Vec::new();
    for from in [0, 1_000, 2_000] {
        sheet.rows(&page(from)).unwrap();
        lengths.push(out.0.lock().unwrap().len());
    }
    assert!(lengths.is_sorted_by(|one, next| one < next), "nothing waits for the end: {lengths:?}");
    sheet.end().unwrap();
    let reader = out.read();
    assert_eq!(reader.num_row_groups(), 3);
    let read: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    assert_eq!(read.len(), 3_000);
    assert_eq!(read[0], "{record: \"0\", company: null}");
    assert_eq!(read[2_500], "{record: \"2500\", company: \"Größe 1\"}");
}

#[test]
fn a_parquet_file_of_nobody_is_one() {
    let out = Shared::default();
    let mut sheet = ParquetSheet::new(out.clone(), &columns()).unwrap();
    sheet.rows(&[]).unwrap();
    sheet.end().unwrap();
    let reader = out.read();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}
