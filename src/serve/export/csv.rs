//! CSV as RFC 4180 has it, and safe to be opened by a spreadsheet: what it might take for a formula gets an apostrophe
//! before it, so that nothing a stranger wrote into a form is ever run. Every cell is quoted: a spreadsheet that separates
//! by semicolons or tabs finds none between quotes, and no new cell that begins as a formula.

use super::{Row, Sheet};
use std::borrow::Cow;
use std::io::{self, Write};

/// A CSV file.
pub struct CsvSheet<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> CsvSheet<W> {
    /// Begins with the names of the columns.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn new(out: W, columns: &[String]) -> io::Result<CsvSheet<W>> {
        let mut out = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(out);
        out.write_record(columns.iter().map(|name| harmless(name).into_owned())).map_err(plain)?;
        Ok(CsvSheet { out })
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        for value in row {
            let cell = value.as_deref().map_or(Cow::Borrowed(""), harmless);
            self.out.write_field(cell.as_bytes()).map_err(plain)?;
        }
        self.out.write_record(None::<&[u8]>).map_err(plain)
    }
}

impl<W: Write> Sheet for CsvSheet<W> {
    fn rows(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()> {
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What stopped the disk or the reader, as such: whoever has read enough is no failure.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(inner) => inner,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A cell that no spreadsheet takes for a formula.
pub(super) fn harmless(value: &str) -> Cow<'_, str> {
    // The wide forms are taken for the plain ones in some languages. An apostrophe too, so that whoever takes one away
    // again has what was there.
    const BEGINNINGS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\''];
    if value.starts_with(BEGINNINGS) { format!("'{value}").into() } else { value.into() }
}
