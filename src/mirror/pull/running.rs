//! A pull under way: its record, its position, its calls, and how each page of it becomes durable.

use super::{Ask, PullError, Puller, Told, mode};
use crate::domain::port::{CallResult, long_work};
use crate::domain::reread::Reread;
use crate::domain::time::Timestamp;
use crate::mirror::draft::Draft;
use crate::mirror::history::{Engine, Mode, Phase, Position, Pull, PullEnd};
use crate::mirror::key;
use crate::mirror::record::Number;
use crate::mirror::shelf::ShelfError;
use std::future::Future;
use std::time::Duration;

/// So far apart two clocks may be that nobody compared.
const CLOCKS_DIFFER: Duration = Duration::from_secs(30);
/// The same once they were compared; an answer says its time to the second.
const CLOCKS_COMPARED: Duration = Duration::from_secs(2);
/// Pulls whose records are kept.
const KEPT: u64 = 500;
/// A count alone makes everything be read once in this time at most: HubSpot's may lag behind.
const SETTLES_AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// A pull under way.
pub(super) struct Running<'a> {
    pub(super) puller: &'a Puller,
    pub(super) ask: &'a Ask,
    /// Under what it stands in the mirror.
    key: String,
    /// What it is called.
    name: String,
    engine: Engine,
    pub(super) position: Position,
    pub(super) pull: Pull,
    /// Whether pages were read from the first again already, since the service did not know a cursor any more.
    pub(super) begun_again: bool,
    tell: &'a (dyn Fn(Told<'_>) + Send + Sync),
    /// What it had worked before this process, and since when this one works on it.
    before: u64,
    since: Timestamp,
}

/// Whether the last pull that counted has found more here than HubSpot has: what was deleted for good, or lies deep in a
/// large recycle bin, no pull of changes finds.
fn holds_too_much(puller: &Puller, name: &str) -> Result<bool, ShelfError> {
    let mut pulls = puller.mirror.history(Some(name), usize::MAX)?;
    pulls.retain(|pull| pull.end == PullEnd::Done && pull.ours.is_some() && pull.theirs.is_some());
    Ok(pulls.first().is_some_and(|last| last.mode == Mode::Changes && last.ours > last.theirs))
}

impl<'a> Running<'a> {
    /// Goes on with the pull that was begun, or begins one. `definition` is what it pulls, as a number.
    pub(super) fn begin(
        puller: &'a Puller,
        ask: &'a Ask,
        (key, name): (String, String),
        definition: u64,
        first: impl FnOnce(Mode) -> Phase,
        tell: &'a (dyn Fn(Told<'_>) + Send + Sync),
    ) -> Result<Running<'a>, PullError> {
        let now = puller.clock.now();
        let mut engine = puller.mirror.engine(&key)?.unwrap_or_default();
        if engine.definition != definition {
            // What was read by another definition lacks what this one asks for.
            engine = Engine { definition, passes: engine.passes, ..Engine::default() };
        }
        let goes_on = |open: &Position| !ask.is_aside() && (!ask.full || open.mode == Mode::Full);
        if let Some(position) = engine.open.clone().filter(goes_on)
            && let Some(mut pull) = puller.mirror.pull(position.pull)?
        {
            pull.counts.resumed += 1;
            pull.end = PullEnd::Open;
            let before = pull.worked;
            return Ok(Running {
                puller,
                ask,
                key,
                name,
                engine,
                position,
                pull,
                begun_again: false,
                tell,
                before,
                since: now,
            });
        }
        let is_recent = engine.full.is_some_and(|full| now.since(full) < SETTLES_AGAIN);
        let holds_too_much = !ask.is_aside() && !is_recent && holds_too_much(puller, &name)?;
        let mode = mode(ask, engine.watermark.is_none() || holds_too_much);
        let since = match mode {
            Mode::Full => Some(now.minus(CLOCKS_DIFFER)),
            Mode::Changes => ask.since.or(engine.watermark),
        };
        if mode == Mode::Full && !ask.is_aside() {
            engine.passes += 1;
        }
        let number = puller.mirror.last_pull()? + 1;
        let position = Position {
            pull: number,
            began: now,
            mode,
            pass: engine.passes,
            since,
            phase: first(mode),
            cursor: None,
            above: None,
            pages: 0,
            waiting: Vec::new(),
        };
        let mut pull = Pull::begin(number, &name, mode, since.filter(|_| mode == Mode::Changes), now);
        if holds_too_much {
            pull.note("more was here than HubSpot counts: everything was read");
        }
        let running = Running {
            puller,
            ask,
            key,
            name,
            engine,
            position,
            pull,
            begun_again: false,
            tell,
            before: 0,
            since: now,
        };
        if !ask.dry_run {
            let _alone = puller.mirror.write();
            let mut draft = puller.mirror.draft(now);
            // One that this one takes the place of.
            if let Some(left) = running.engine.open.as_ref().filter(|_| !ask.is_aside())
                && let Some(pull) = puller.mirror.pull(left.pull)?.filter(|pull| pull.end == PullEnd::Open)
            {
                draft.put(key::pull(left.pull), &Pull { end: PullEnd::Interrupted, ..pull })?;
            }
            draft.put(key::LAST_PULL.to_vec(), &Number(number))?;
            if let Some(old) = number.checked_sub(KEPT) {
                draft.delete(key::pull(old));
            }
            draft.put(key::pull(number), &running.pull)?;
            draft.commit()?;
        }
        Ok(running)
    }

    /// Makes a call, again where that is worth it. Each exchange counts.
    pub(super) async fn call<T, F, Fut>(&mut self, what: &str, call: F) -> Result<T, PullError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = CallResult<T>>,
    {
        let mut reread = Reread::default();
        loop {
            self.pull.counts.calls += 1;
            let failure = match call().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(wait) = reread.after(failure.class) else {
                return Err(PullError::Call { what: what.to_owned(), failure });
            };
            tracing::debug!(engine = %self.name, class = ?failure.class, status = ?failure.status, "reading again");
            self.puller.clock.sleep(wait).await;
        }
    }

    /// Lets a page's changes, and the position behind it, become one change of the store.
    pub(super) async fn page<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Draft<'_>, &mut Pull) -> Result<T, ShelfError> + Send + 'static,
    ) -> Result<T, PullError> {
        let now = self.puller.clock.now();
        self.pull.last = now;
        let worked = i64::try_from(now.since(self.since).as_millis()).unwrap_or(i64::MAX);
        self.pull.worked = self.before.saturating_add(worked.unsigned_abs());
        let (mirror, key) = (self.puller.mirror.clone(), self.key.clone());
        let (mut engine, mut pull) = (self.engine.clone(), self.pull.clone());
        if !self.ask.is_aside() {
            engine.open = Some(self.position.clone());
        }
        let (dry, aside) = (self.ask.dry_run, self.ask.is_aside());
        let (done, pull) = long_work(self.puller.hands.as_ref(), move |_| {
            let _alone = mirror.write();
            let mut draft = mirror.draft(now);
            let done = work(&mut draft, &mut pull)?;
            if !dry {
                match aside {
                    true => draft.put(key::pull(pull.number), &pull)?,
                    false => draft.stand(&key, &engine, &pull)?,
                }
                draft.commit()?;
            }
            Ok::<_, ShelfError>((done, pull))
        })
        .await??;
        self.pull = pull;
        self.position.pages += 1;
        tracing::debug!(
            engine = %self.name,
            phase = self.position.phase.words(),
            page = self.position.pages,
            seen = self.pull.counts.seen,
            "pulled a page"
        );
        (self.tell)(Told {
            engine: &self.name,
            phase: self.position.phase.words(),
            seen: self.pull.counts.seen,
        });
        Ok(done)
    }

    /// Goes on with the next phase, from its beginning.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.position = Position {
            phase,
            cursor: None,
            above: None,
            pages: 0,
            waiting: Vec::new(),
            ..self.position.clone()
        };
    }

    /// The service's own clock, by its first answer. Pages show things as they are: a full pass searches only what
    /// changed since it began, and that is a matter of clocks.
    pub(super) fn clocks(&mut self, theirs: Option<Timestamp>) {
        if let (Some(theirs), None, 0) = (theirs, &self.position.cursor, self.position.pages) {
            self.position.since = Some(self.position.began.min(theirs).minus(CLOCKS_COMPARED));
        }
    }

    /// Reads everything instead of what changed.
    pub(super) fn turn_full(&mut self) {
        self.pull.note("HubSpot's search could not be used: everything was read");
        self.engine.passes += 1;
        self.pull.mode = Mode::Full;
        self.position.mode = Mode::Full;
        self.position.since = Some(self.position.began.minus(CLOCKS_DIFFER));
        self.position.pass = self.engine.passes;
        self.enter(Phase::Pages);
    }

    /// Goes on from one phase to the next, unless it did already. The last page of a phase has the next one behind it:
    /// whoever starts again then does not read the phase again.
    pub(super) fn leave(&mut self, phase: Phase, next: Phase) {
        if self.position.phase == phase {
            self.enter(next);
        }
    }

    /// Whether as many records as were allowed are read.
    pub(super) fn is_full(&self) -> bool {
        self.ask.limit.is_some_and(|limit| self.pull.counts.seen >= limit)
    }

    /// How many rows a page may have.
    pub(super) fn rows(&self, most: usize) -> usize {
        let asked = self.ask.batch_size.unwrap_or(most).clamp(1, most);
        let left = self.ask.limit.map(|limit| limit.saturating_sub(self.pull.counts.seen));
        left.and_then(|left| usize::try_from(left).ok()).map_or(asked, |left| asked.min(left.max(1)))
    }

    /// Ends the pull. Its data are durable before the watermark says so.
    pub(super) async fn end(mut self, outcome: Result<(), PullError>) -> Result<Pull, PullError> {
        self.pull.end = match outcome {
            Ok(()) if self.is_full() => PullEnd::Limited,
            Ok(()) => PullEnd::Done,
            Err(error) if error.is_theirs() => {
                PullEnd::Failed { code: error.code().number(), why: error.to_string() }
            }
            Err(error) => return Err(error),
        };
        let now = self.puller.clock.now();
        self.pull.last = now;
        let worked = u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX);
        self.pull.worked = self.before.saturating_add(worked);
        if self.ask.dry_run {
            return Ok(self.pull);
        }
        let moves_on = self.pull.end == PullEnd::Done && !self.ask.is_aside();
        if moves_on {
            self.engine.open = None;
            self.engine.watermark = match self.position.mode {
                Mode::Full => self.position.since,
                // Search lags: what changed shortly before may have come into it since.
                Mode::Changes => Some(self.position.began.minus(self.puller.overlap)),
            };
            if self.position.mode == Mode::Full {
                self.engine.full = Some(self.position.began);
            }
        } else if !self.ask.is_aside() {
            self.engine.open = Some(self.position.clone());
        }
        let (mirror, key, aside) = (self.puller.mirror.clone(), self.key.clone(), self.ask.is_aside());
        let (engine, pull) = (self.engine.clone(), self.pull.clone());
        long_work(self.puller.hands.as_ref(), move |_| {
            let _alone = mirror.write();
            mirror.shelf().settle()?;
            let mut draft = mirror.draft(now);
            match aside {
                true => draft.put(key::pull(pull.number), &pull)?,
                false => draft.stand(&key, &engine, &pull)?,
            }
            draft.commit()?;
            mirror.shelf().settle()
        })
        .await??;
        Ok(self.pull)
    }
}
