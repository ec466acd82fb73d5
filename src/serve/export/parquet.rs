//! Apache Parquet: every column an optional text, under its own name; what is written at a time is a row group, so
//! that a file of any length needs the memory of one.

use super::Sheet;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::io::{self, Write};
use std::sync::Arc;

/// A Parquet file.
pub struct ParquetSheet<W: Write + Send> {
    out: SerializedFileWriter<W>,
    /// Which value of a row goes where: a name that comes twice is written once.
    places: Vec<usize>,
}

impl<W: Write + Send> ParquetSheet<W> {
    /// Of these columns.
    ///
    /// # Errors
    /// Its beginning cannot be written.
    pub fn new(out: W, columns: &[String]) -> io::Result<ParquetSheet<W>> {
        let is_first =
            |at: &usize| columns.iter().position(|name| columns.get(*at) == Some(name)) == Some(*at);
        let places: Vec<usize> = (0..columns.len()).filter(is_first).collect();
        let names = places.iter().filter_map(|at| columns.get(*at));
        let schema = names
            .map(|name| text(name))
            .collect::<Result<_>>()
            .and_then(|fields| Ok(Arc::new(Type::group_type_builder("people").with_fields(fields).build()?)));
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let out = schema.and_then(|schema| SerializedFileWriter::new(out, schema, Arc::new(properties)));
        Ok(ParquetSheet { out: out.map_err(plain)?, places })
    }

    fn group(&mut self, rows: &[Vec<Option<String>>]) -> Result<()> {
        let mut group = self.out.next_row_group()?;
        for at in &self.places {
            let Some(mut column) = group.next_column()? else { break };
            let cells = || rows.iter().map(|row| row.get(*at).and_then(Option::as_deref));
            let there: Vec<i16> = cells().map(|cell| i16::from(cell.is_some())).collect();
            let values: Vec<ByteArray> = cells().flatten().map(ByteArray::from).collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

impl<W: Write + Send> Sheet for ParquetSheet<W> {
    fn rows(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()> {
        if rows.is_empty() { Ok(()) } else { self.group(rows).map_err(plain) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.finish().map_err(plain)?;
        self.out.inner_mut().flush()
    }
}

fn text(name: &str) -> Result<TypePtr> {
    let text = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::String));
    Ok(Arc::new(text.build()?))
}

/// What stopped the disk or the reader, as such: whoever has read enough is no failure.
fn plain(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}
