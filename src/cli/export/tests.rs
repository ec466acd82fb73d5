//! What exports promise.

use super::csv::harmless;
use super::*;
use crate::cli::table::Layout;
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

#[test]
fn no_cell_of_a_csv_begins_like_a_formula() {
    for start in ["=", "+", "-", "@", "\t", "\r", "\n", "＝"] {
        let cell = format!("{start}HYPERLINK(\"http://example.com\")");
        assert_eq!(harmless(&cell), format!("'{cell}"));
    }
    assert_eq!(harmless("a=b"), "a=b");
    assert_eq!(
        as_csv(&["=1+2", "a,b", "say \"hi\"", "two\nlines", ""]),
        "record,company\r\n1,'=1+2\r\n2,\"a,b\"\r\n3,\"say \"\"hi\"\"\"\r\n4,\"two\nlines\"\r\n5,\r\n"
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

#[test]
fn a_table_takes_no_orders_for_the_terminal() {
    let table = written(|out| {
        let mut sheet = TableSheet::new(out, Layout::PLAIN, &columns());
        sheet.rows(&rows(&["a\u{1b}[2Jb", "c"]))?;
        sheet.end()
    });
    assert_eq!(table, "RECORD  COMPANY\n1       a [2Jb\n2       c\n");
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
