//! Rows of people written as they come: a table, JSON, or CSV. A sheet holds no row after it was written.

mod csv;
mod json;
mod table;
#[cfg(test)]
mod tests;

pub use csv::CsvSheet;
pub use json::JsonSheet;
pub use table::TableSheet;

use std::io;

/// One value for each column; none where there is nothing.
pub type Row = [Option<String>];

/// Where rows go.
pub trait Sheet {
    /// Writes rows.
    ///
    /// # Errors
    /// They cannot be written.
    fn rows(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()>;
    /// Ends the sheet, also one without rows.
    ///
    /// # Errors
    /// It cannot be written.
    fn end(&mut self) -> io::Result<()>;
}
