//! Where a key stands in the file: its line, found by the spans of the parsed text.

use toml_edit::{Document, Item, Value};

/// The text of a config file, ready to be asked where its keys are.
pub struct Positions {
    document: Option<Document<String>>,
    text: String,
}

/// One part of a path such as `group[0].list[1].tag`.
enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

impl Positions {
    /// Of a text. A text that is no TOML has no positions.
    pub fn of(text: &str) -> Positions {
        Positions { document: Document::parse(text.to_owned()).ok(), text: text.to_owned() }
    }

    /// The line (from 1) of the key at this path; of the nearest table above it when the key itself
    /// is missing; none when not even that is there.
    pub fn line(&self, path: &str) -> Option<usize> {
        let mut found = None;
        let mut here = Place::Item(self.document.as_ref()?.as_item());
        for part in parts(path) {
            let Some((next, offset)) = here.step(&part) else { break };
            found = offset.or(found);
            here = next;
        }
        found.map(|offset| self.line_of(offset))
    }

    fn line_of(&self, offset: usize) -> usize {
        line_of(&self.text, offset)
    }
}

/// The line (from 1) of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A place in the document: TOML spells tables in several ways.
enum Place<'a> {
    Item(&'a Item),
    Value(&'a Value),
    Table(&'a toml_edit::Table),
}

impl<'a> Place<'a> {
    /// One part deeper, and the offset where it stands.
    fn step(&self, part: &Part<'_>) -> Option<(Place<'a>, Option<usize>)> {
        match (part, self) {
            (Part::Key(key), Place::Item(item)) => {
                let like = item.as_table_like()?;
                let (name, next) = like.get_key_value(key)?;
                // A table's own line is its header, which the key's span does not always give.
                let offset = match next {
                    Item::Table(table) => table.span().or_else(|| name.span()),
                    _ => name.span().or_else(|| next.span()),
                };
                Some((Place::Item(next), offset.map(|span| span.start)))
            }
            (Part::Key(key), Place::Value(value)) => {
                let (name, next) = value.as_inline_table()?.get_key_value(key)?;
                Some((Place::Item(next), name.span().or_else(|| next.span()).map(|span| span.start)))
            }
            (Part::Key(key), Place::Table(table)) => {
                let (name, next) = table.get_key_value(key)?;
                Some((Place::Item(next), name.span().or_else(|| next.span()).map(|span| span.start)))
            }
            (Part::Index(index), Place::Item(item)) => {
                if let Some(tables) = item.as_array_of_tables() {
                    let table = tables.get(*index)?;
                    return Some((Place::Table(table), table.span().map(|span| span.start)));
                }
                let value = item.as_array()?.get(*index)?;
                Some((Place::Value(value), value.span().map(|span| span.start)))
            }
            (Part::Index(index), Place::Value(value)) => {
                let value = value.as_array()?.get(*index)?;
                Some((Place::Value(value), value.span().map(|span| span.start)))
            }
            (Part::Index(_), Place::Table(_)) => None,
        }
    }
}

fn parts(path: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for piece in path.split('.').filter(|piece| !piece.is_empty()) {
        let mut rest = piece.split('[');
        if let Some(key) = rest.next().filter(|key| !key.is_empty()) {
            parts.push(Part::Key(key));
        }
        parts.extend(rest.filter_map(|index| index.trim_end_matches(']').parse().ok()).map(Part::Index));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[sync]\nevery = \"8h\"\n\n[[group]]\nname = \"a\"\nlist = [\n  { id = \"1\" },\n  { id = \"2\", tag = \"T\" },\n]\n\n[[group]]\nname = \"b\"\n";

    #[test]
    fn a_key_is_found_in_tables_arrays_of_tables_and_inline_tables() {
        let positions = Positions::of(TEXT);
        assert_eq!(positions.line("sync.every"), Some(2));
        assert_eq!(positions.line("group[0].list[1].tag"), Some(8));
        assert_eq!(positions.line("group[1].name"), Some(12));
    }

    #[test]
    fn a_missing_key_has_the_line_of_the_table_that_lacks_it() {
        let positions = Positions::of(TEXT);
        assert_eq!(positions.line("sync.full_every"), Some(1));
        assert_eq!(positions.line("group[0].list[0].tag"), Some(7));
        assert_eq!(positions.line("nowhere.at_all"), None);
    }
}
