//! People as a table for a terminal: laid out a page at a time, each page under the names of its columns.

use super::table::{Layout, print};
use crate::serve::export::Sheet;
use std::io::{self, Write};

/// A table.
pub struct TableSheet<W: Write> {
    out: W,
    layout: Layout,
    columns: Vec<String>,
    has_rows: bool,
}

impl<W: Write> TableSheet<W> {
    /// Of these columns.
    pub fn new(out: W, layout: Layout, columns: &[String]) -> TableSheet<W> {
        TableSheet { out, layout, columns: columns.to_vec(), has_rows: false }
    }
}

impl<W: Write> Sheet for TableSheet<W> {
    fn rows(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let mut table = self.layout.table(&names);
        for row in rows {
            table.add_row(row.iter().map(|value| shown(value.as_deref().unwrap_or_default())));
        }
        if self.has_rows {
            self.out.write_all(b"\n")?;
        }
        self.has_rows = true;
        self.out.write_all(print(&table).as_bytes())
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.has_rows {
            self.out.write_all(b"nobody\n")?;
        }
        self.out.flush()
    }
}

/// On one line, and without what steers a terminal.
fn shown(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_no_orders_for_the_terminal() {
        let rows = |text: &str| vec![vec![Some("1".to_owned()), Some(text.to_owned())]];
        let mut out = Vec::new();
        let mut sheet = TableSheet::new(&mut out, Layout::PLAIN, &["record", "company"].map(str::to_owned));
        sheet.rows(&rows("a\u{1b}[2Jb")).unwrap();
        sheet.end().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "RECORD  COMPANY\n1       a [2Jb\n");
    }
}
