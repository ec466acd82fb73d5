//! A plan that waits for a yes (R25, R26): what was shown is on disk before the run says that it waits, so that
//! whoever says yes days and restarts later gets what they saw, or is told what became of it. A waiting run
//! holds no place and nobody up; a newer one takes its place as soon as it has a plan of its own.
//!
//! Beside the journal lies `waiting/<run>.plan` for as long as the run waits: one JSON line that says how many
//! moves there are, then one for each. People are numbers there. Never: a limit passed, or an opt-out that
//! waits.

use super::alerts;
use super::error::RunError;
use super::reporting;
use super::run::RunOptions;
use super::workspace::{ApplyMode, Workspace};
use crate::domain::code::Code;
use crate::domain::id::RunId;
use crate::domain::moves::Move;
use crate::domain::naming::Names;
use crate::domain::plan::{Limits, move_fingerprint};
use crate::domain::report::Asked;
use crate::domain::run::{Run, RunCause, RunEnd, RunPhase};
use crate::domain::shown::{ShownMove, ShownPlan};
use crate::domain::step::Fingerprint;
use crate::journal::store::Batch;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The form of the files.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    moves: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    print: Fingerprint,
    #[serde(flatten)]
    shown: ShownMove,
}

fn directory(state: &Path) -> PathBuf {
    state.join("waiting")
}

fn file(state: &Path, run: RunId) -> PathBuf {
    directory(state).join(format!("{:010}.plan", run.0))
}

/// Writes down what is shown, move by move.
pub struct Shower {
    run: RunId,
    state: PathBuf,
    moves: u64,
    lines: BufWriter<File>,
}

impl Shower {
    /// Begins the file of a run.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(state: &Path, run: RunId) -> Result<Shower, RunError> {
        let dir = directory(state);
        let begin = || -> io::Result<BufWriter<File>> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            Ok(BufWriter::new(made(&dir.join("lines.part"))?))
        };
        let lines = begin().map_err(|why| refused(&dir, &why))?;
        Ok(Shower { run, state: state.to_path_buf(), moves: 0, lines })
    }

    /// Adds a move; an opt-out is passed over.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn add(&mut self, planned: &Move) -> Result<(), RunError> {
        if planned.kind.is_opt_out() {
            return Ok(());
        }
        self.moves += 1;
        let line = Line { print: move_fingerprint(planned), shown: ShownMove::from(planned) };
        let write = serde_json::to_writer(&mut self.lines, &line).map_err(io::Error::from);
        write.and_then(|()| self.lines.write_all(b"\n")).map_err(|why| refused(&self.state, &why))
    }

    /// Makes the file durable: it is there whole, under the run's number, or not at all.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> Result<(), RunError> {
        let Shower { run, state, moves, lines } = self;
        let (dir, to) = (directory(&state), file(&state, run));
        let finish = || -> io::Result<()> {
            lines.into_inner().map_err(io::IntoInnerError::into_error)?;
            let part = to.with_extension("part");
            let mut whole = made(&part)?;
            serde_json::to_writer(&mut whole, &Header { format: FORMAT, moves })?;
            whole.write_all(b"\n")?;
            io::copy(&mut File::open(dir.join("lines.part"))?, &mut whole)?;
            whole.sync_all()?;
            fs::rename(&part, &to)?;
            fs::remove_file(dir.join("lines.part"))?;
            File::open(&dir)?.sync_all()?;
            File::open(&state)?.sync_all()
        };
        finish().map_err(|why| refused(&to, &why))
    }
}

fn made(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn refused(path: &Path, why: &io::Error) -> RunError {
    RunError::NotNow {
        code: Code::DiskRefuses,
        what: format!("the plan that is to wait cannot be kept: {}: {why}", path.display()),
        way_out: "free space on that disk, or make it writable; nothing was changed".to_owned(),
    }
}

fn read(state: &Path, run: RunId) -> io::Result<ShownPlan> {
    let other = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut lines = BufReader::new(File::open(file(state, run))?).lines();
    let header: Header = serde_json::from_str(&lines.next().ok_or_else(|| other("it is empty"))??)?;
    if header.format != FORMAT {
        return Err(other("another version of hsmc wrote it"));
    }
    let mut plan = ShownPlan::default();
    for line in lines {
        let Line { print, shown } = serde_json::from_str(&line?)?;
        plan.insert(print, shown);
    }
    if plan.len() as u64 != header.moves {
        return Err(other("it was cut"));
    }
    Ok(plan)
}

/// What a waiting run has shown.
///
/// # Errors
/// It does not wait, or what it showed is gone.
pub fn shown(workspace: &Workspace, id: RunId) -> Result<ShownPlan, RunError> {
    waiting(workspace, id)?;
    read(&workspace.settings.state, id).map_err(|why| RunError::NotNow {
        code: Code::NothingKept,
        what: format!("what run {id} has shown cannot be read any more: {why}"),
        way_out: "`hsmc sync` makes the plan anew, and asks again".to_owned(),
    })
}

/// The run with this number, which must wait for a yes.
fn waiting(workspace: &Workspace, id: RunId) -> Result<Run, RunError> {
    let journal = &workspace.shared.journal;
    let not_now = |code, what, way_out: String| Err(RunError::NotNow { code, what, way_out });
    let Some(run) = journal.run(id)? else {
        return not_now(
            Code::NothingSuch,
            format!("there is no run {id}"),
            "`hsmc runs` lists them".to_owned(),
        );
    };
    if matches!(run.phase, RunPhase::AwaitingApproval { .. }) {
        return Ok(run);
    }
    let now_waits = journal
        .runs(16)?
        .into_iter()
        .find(|other| matches!(other.phase, RunPhase::AwaitingApproval { .. }))
        .map_or_else(
            || "no run waits for approval; `hsmc plan` shows what a new one would do".to_owned(),
            |other| format!("run {0} waits for approval: `hsmc runs show {0}`", other.id),
        );
    not_now(Code::NotNow, format!("run {id} does not wait for approval: {}", run.phase), now_waits)
}

/// Makes sure that a yes to this run may be carried out.
///
/// # Errors
/// It does not wait, or the config says that nothing is applied.
pub fn may_be_approved(workspace: &Workspace, id: RunId) -> Result<(), RunError> {
    waiting(workspace, id)?;
    if workspace.settings.apply == ApplyMode::Never {
        return Err(RunError::NotNow {
            code: Code::ApplyNever,
            what: "apply = \"never\" in the config: no yes is taken".to_owned(),
            way_out: "set apply = \"ask\" or \"always\", then approve; `--dry-run` works as it is".to_owned(),
        });
    }
    Ok(())
}

/// Records that a run applies its plan from here on, and with it that the run it approves waits no more: said
/// yes to once, nobody has to say it again after a crash.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn carry_out(workspace: &Workspace, run: &Run) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let mut batch = Batch::new();
    journal.put_run(&mut batch, run)?;
    let approved =
        run.of.filter(|_| run.cause == RunCause::Approval).map(|id| journal.run(id)).transpose()?;
    if let Some(mut approved) = approved.flatten() {
        approved.ended = Some(workspace.shared.clock.now());
        approved.phase = RunPhase::Finished(RunEnd::Approved { by: run.id });
        journal.put_run(&mut batch, &approved)?;
    }
    journal.commit(batch).await?;
    Ok(())
}

/// Ends a waiting run: an operator said no.
///
/// # Errors
/// It does not wait, another run is under way, or the journal cannot be written.
pub async fn reject(workspace: &Workspace, id: RunId) -> Result<Run, RunError> {
    let Ok(_one_at_a_time) = workspace.running.try_lock() else {
        return Err(RunError::NotNow {
            code: Code::RunUnderWay,
            what: format!("another run is under way, and takes the place of run {id} once it has a plan"),
            way_out: "`hsmc status` shows it; try again when it is over".to_owned(),
        });
    };
    let mut run = waiting(workspace, id)?;
    run.ended = Some(workspace.shared.clock.now());
    run.phase = RunPhase::Finished(RunEnd::Rejected);
    // Nobody will be where its plan had them.
    reporting::count_people(workspace, &mut run)?;
    reporting::count_audience(workspace, &mut run, None)?;
    alerts::reject(workspace, &run).await?;
    tidy(workspace)?;
    Ok(run)
}

/// Removes what runs have shown that do not wait any more.
///
/// # Errors
/// The journal cannot be read. A file that cannot be removed is only told of.
pub fn tidy(workspace: &Workspace) -> Result<(), RunError> {
    let Ok(entries) = fs::read_dir(directory(&workspace.settings.state)) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".plan").and_then(|number| number.parse().ok());
        let run = number.map(|number| workspace.shared.journal.run(RunId(number))).transpose()?.flatten();
        let waits = run.is_some_and(|run| matches!(run.phase, RunPhase::AwaitingApproval { .. }));
        if waits {
            continue;
        }
        if let Err(problem) = fs::remove_file(entry.path()) {
            tracing::warn!(%problem, file = name, "a plan that nobody waits for cannot be removed");
        }
    }
    Ok(())
}

/// Whether a person has to say yes first (R25), and to what.
pub fn asks(
    workspace: &Workspace,
    options: &RunOptions,
    limits: &Limits,
    names: &Names,
) -> Option<(Asked, String)> {
    let gate = || limits.gate.clone().map(|why| (Asked::ChangedShare, why));
    match workspace.settings.apply {
        ApplyMode::Never => Some((
            Asked::Never,
            "apply = \"never\" in the config: nothing is applied until it says \"ask\" or \"always\""
                .to_owned(),
        )),
        _ if options.yes => None,
        ApplyMode::Ask if !has_moves(limits) && names.renamings.is_empty() => None,
        ApplyMode::Ask => gate().or_else(|| Some((Asked::Config, "apply = \"ask\"".to_owned()))),
        ApplyMode::Always => gate(),
    }
}

/// Whether there is anything to do but opt-outs.
pub fn has_moves(limits: &Limits) -> bool {
    limits.by_kind.iter().any(|(kind, count)| !kind.is_opt_out() && *count > 0)
}
