//! Saved plans: JSON lines, a header, then one move each. People are named by their numbers only.

use super::App;
use crate::domain::code::Code;
use crate::domain::moves::Move;
use crate::domain::plan::{PLAN_FORMAT, PlanHeader, PlanLine, PlanLineError, PlanSummary};
use crate::domain::shown::ShownPlan;
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A plan file larger than this is none of ours.
const LARGEST: u64 = 2 << 30;

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
    let told = path.display().to_string();
    let io_error = |why| PlanFileError::Io { path: told.clone(), why };
    let foreign = |why: String| PlanFileError::Foreign { path: told.clone(), why };
    let file = File::open(path).map_err(io_error)?;
    if file.metadata().map_err(io_error)?.len() > LARGEST {
        return Err(foreign("it is too large for a plan".to_owned()));
    }
    let (mut shown, mut moves) = (ShownPlan::default(), 0u64);
    let mut promised = None;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(io_error)?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = PlanLine::parse(&line).map_err(|why| PlanFileError::Line {
            path: told.clone(),
            line: index + 1,
            why,
        })?;
        match (parsed, promised) {
            (PlanLine::Plan(header), None) => {
                let settings = &app.workspace.settings;
                if header.workspace != settings.name || header.audience != settings.audience {
                    let why = format!(
                        "it was made for workspace \"{}\", audience {}; make it anew",
                        header.workspace, header.audience
                    );
                    return Err(foreign(why));
                }
                promised = Some(header.summary.moves.values().sum::<u64>());
            }
            (PlanLine::Plan(_), Some(_)) => {
                return Err(foreign(format!("line {}: a second header", index + 1)));
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
