//! One JSON array with an object for each person, a line each.

use super::{Row, Sheet};
use serde_json::{Map, Value};
use std::io::{self, Write};

/// A JSON file.
pub struct JsonSheet<W: Write> {
    out: W,
    columns: Vec<String>,
    has_rows: bool,
}

impl<W: Write> JsonSheet<W> {
    /// Of these columns.
    pub fn new(out: W, columns: &[String]) -> JsonSheet<W> {
        JsonSheet { out, columns: columns.to_vec(), has_rows: false }
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let values = row.iter().map(|value| value.clone().map_or(Value::Null, Value::String));
        let object: Map<String, Value> = self.columns.iter().cloned().zip(values).collect();
        self.out.write_all(if self.has_rows { b",\n" } else { b"[\n" })?;
        self.has_rows = true;
        serde_json::to_writer(&mut self.out, &object).map_err(io::Error::from)
    }
}

impl<W: Write> Sheet for JsonSheet<W> {
    fn rows(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()> {
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(if self.has_rows { b"\n]\n" } else { b"[]\n" })?;
        self.out.flush()
    }
}
