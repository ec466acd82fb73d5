//! Saved plans: JSON lines, a header, then one move each. People are named by their numbers only.

use super::App;
use crate::domain::code::Code;
use crate::domain::moves::Move;
use crate::domain::plan::{PLAN_FORMAT, PlanHeader, PlanLine, PlanLineError, PlanSummary};
use crate::domain::shown::ShownPlan;
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A plan file larger than this is none of ours.
const LARGEST: u64 = 2 << 30;
/// A line longer than this is no move.
const LONGEST_LINE: u64 = 4 << 20;

/// What can be wrong with a plan file.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read or written.
    #[error("{path}: {why}")]
    Io {
        /// The file.
        path: String,
        /// The system's word.
        why: io::Error,
    },
    /// A line of it is none.
    #[error("{path}, line {line}: {why}")]
    Line {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// What is wrong.
        why: PlanLineError,
    },
    /// It is not of this workspace, or was cut.
    #[error("{path}: {why}")]
    Foreign {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl PlanFileError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            PlanFileError::Io { .. } => Code::FileNamed,
            PlanFileError::Line { .. } | PlanFileError::Foreign { .. } => Code::PlanFile,
        }
    }
}

/// Saves a plan, whole or not at all.
///
/// # Errors
/// The disk refuses.
pub fn save(
    app: &App,
    path: &Path,
    seen: Timestamp,
    summary: &PlanSummary,
    moves: &[Move],
) -> Result<(), PlanFileError> {
    let io_error = |why| PlanFileError::Io { path: path.display().to_string(), why };
    let part = path.with_extension("part");
    let header = PlanLine::Plan(Box::new(PlanHeader {
        format: PLAN_FORMAT,
        workspace: app.workspace.settings.name.clone(),
        portal: app.workspace.settings.portal,
        audience: app.workspace.settings.audience.clone(),
        seen,
        config: Fingerprint(app.workspace.settings.config),
        summary: summary.clone(),
    }));
    let write = || -> io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let mut out = BufWriter::new(file);
        let lines = std::iter::once(header)
            .chain(moves.iter().map(|planned| PlanLine::Move(Box::new(planned.clone()))));
        for line in lines {
            let text = line.to_text().map_err(io::Error::other)?;
            writeln!(out, "{text}")?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(io_error)
}

/// Reads a saved plan of this workspace.
///
/// # Errors
/// It cannot be read, is of another workspace or audience, or was cut.
pub fn read(app: &App, path: &Path) -> Result<ShownPlan, PlanFileError> {
    let settings = &app.workspace.settings;
    let told = path.display().to_string();
    let io_error = |why| PlanFileError::Io { path: told.clone(), why };
    let file = File::open(path).map_err(io_error)?;
    if file.metadata().map_err(io_error)?.len() > LARGEST {
        return Err(PlanFileError::Foreign { path: told, why: "it is too large for a plan".to_owned() });
    }
    parse(&told, BufReader::new(file), &settings.name, &settings.audience)
}

/// Reads the lines of a plan made for this workspace and audience; `told` is the file's name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(
    told: &str,
    mut input: impl BufRead,
    workspace: &str,
    audience: &str,
) -> Result<ShownPlan, PlanFileError> {
    let told = told.to_owned();
    let foreign = |why: String| PlanFileError::Foreign { path: told.clone(), why };
    let (mut shown, mut moves) = (ShownPlan::default(), 0u64);
    let mut promised = None;
    for number in 1.. {
        let line = match next_line(&mut input) {
            Ok(None) => break,
            Ok(Some(line)) => line,
            Err(why) => return Err(PlanFileError::Io { path: told, why }),
        };
        if line.trim().is_empty() {
            continue;
        }
        let parsed = PlanLine::parse(&line).map_err(|why| PlanFileError::Line {
            path: told.clone(),
            line: number,
            why,
        })?;
        match (parsed, promised) {
            (PlanLine::Plan(header), None) => {
                if header.workspace != workspace || header.audience != audience {
                    let why = format!(
                        "it was made for workspace \"{}\", audience {}; make it anew",
                        header.workspace, header.audience
                    );
                    return Err(foreign(why));
                }
                let moves = header.summary.moves.values();
                promised = Some(moves.fold(0u64, |sum, count| sum.saturating_add(*count)));
            }
            (PlanLine::Plan(_), Some(_)) => {
                return Err(foreign(format!("line {number}: a second header")));
            }
            (PlanLine::Move(_), None) => return Err(foreign("it has no header".to_owned())),
            (PlanLine::Move(planned), Some(_)) => {
                moves += 1;
                shown.add(&planned);
            }
        }
    }
    match promised {
        None => Err(foreign("it is empty; make it with `hsmc plan --out FILE`".to_owned())),
        Some(count) if count != moves => {
            Err(foreign(format!("it names {count} moves and holds {moves}: it was cut; make it anew")))
        }
        Some(_) => Ok(shown),
    }
}

/// The next line; none at the end.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == LONGEST_LINE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long for a plan"));
    }
    String::from_utf8(line).map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(moves: &str) -> String {
        format!(
            "{{\"plan\":{{\"format\":{PLAN_FORMAT},\"workspace\":\"w\",\"portal\":null,\"audience\":\"a\",\"seen\":0,\"config\":0,\
             \"summary\":{{\"people\":{{}},\"moves\":{moves},\"left_out\":{{}},\"notes\":{{}},\"final_steps\":{{}},\"gate\":null}}}}}}\n"
        )
    }

    fn parsed(text: &[u8]) -> Result<ShownPlan, PlanFileError> {
        parse("plan.jsonl", text, "w", "a")
    }

    #[test]
    fn a_header_that_promises_more_moves_than_can_be_counted_is_no_panic() {
        let text = header(r#"{"enroll":18446744073709551615,"refresh":18446744073709551615}"#);
        let told = parsed(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains("it was cut"), "{told}");
    }

    #[test]
    fn a_line_without_an_end_is_not_read_into_memory() {
        let endless = io::BufReader::new(io::repeat(b'['));
        let told = parse("plan.jsonl", endless, "w", "a").unwrap_err().to_string();
        assert!(told.contains("too long"), "{told}");
    }

    #[test]
    fn a_plan_without_moves_is_read() {
        parsed(header("{}").as_bytes()).unwrap();
    }

    proptest! {
        #[test]
        fn no_file_panics_the_reader(bytes: Vec<u8>, cut: prop::sample::Index) {
            drop(parsed(&bytes));
            let mut text = header("{}").into_bytes();
            text.truncate(cut.index(text.len()));
            text.extend(bytes);
            drop(parsed(&text));
        }
    }
}
