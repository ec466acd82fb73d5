//! Rows of people written as they come: JSON, CSV or Parquet; to standard output, or as the answer to a request. A sheet
//! holds no row after it was written.

mod csv;
mod json;
mod parquet;
#[cfg(test)]
mod tests;

pub use csv::CsvSheet;
pub use json::JsonSheet;
pub use parquet::ParquetSheet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

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

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// One array, an object for each person.
    Json,
    /// For spreadsheets: nothing in it is taken for a formula.
    Csv,
    /// For what counts and joins: Apache Parquet, every column a text.
    Parquet,
}

impl FileFormat {
    /// Its media type.
    pub const fn media(self) -> &'static str {
        match self {
            FileFormat::Json => "application/json",
            FileFormat::Csv => "text/csv; charset=utf-8",
            FileFormat::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// How names of such files end.
    pub const fn ending(self) -> &'static str {
        match self {
            FileFormat::Json => "json",
            FileFormat::Csv => "csv",
            FileFormat::Parquet => "parquet",
        }
    }

    /// Begins such a file.
    ///
    /// # Errors
    /// Its beginning cannot be written.
    pub fn sheet<W: Write + Send + 'static>(
        self,
        out: W,
        columns: &[String],
    ) -> io::Result<Box<dyn Sheet + Send>> {
        Ok(match self {
            FileFormat::Json => Box::new(JsonSheet::new(out, columns)),
            FileFormat::Csv => Box::new(CsvSheet::new(out, columns)?),
            FileFormat::Parquet => Box::new(ParquetSheet::new(out, columns)?),
        })
    }
}
