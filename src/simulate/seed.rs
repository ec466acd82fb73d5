//! One seed, from its draws to its verdict.

use super::chance::{Chance, Drawn};
use super::faults::{Fate, fate, faults, refuses};
use super::invariants::{self, Consent};
use super::orders::Order;
use super::people::acts;
use super::process::{Ended, live};
use super::stage::Stage;
use super::trace::Trace;
use super::world::Drawn as DrawnConfig;
use super::{accounting, done, held, world};
use crate::app::OpenError;
use crate::config::Config;
use crate::domain::port::Entropy;
use crate::domain::rules::RuleSet;
use crate::journal::store::StoreError;
use crate::sandbox::Sandbox;
use crate::serve::views::{ReportView, RunState};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Room for the futures of a debug build, which lie on the stack while they are made.
const STACK: usize = 32 * 1024 * 1024;
/// Runs until a healed world is at rest, at most.
const RUNS: u32 = 40;
/// How often somebody interferes whom one of the last changes of a process was about, before the next begins.
const AFTERWARDS: u64 = 40;
/// So many changes are the last ones.
const LAST: usize = 12;
/// From one run to the next.
const EVERY: Duration = Duration::from_secs(8 * 3600);

/// What a seed came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What does not hold, in words; nothing when all does.
    pub broken: Vec<String>,
    /// What happened, when it was to be kept.
    pub trace: Vec<String>,
    /// The same for the same trace.
    pub fingerprint: u32,
    /// Processes that lived.
    pub processes: u64,
    /// Processes that were killed.
    pub killed: u64,
    /// Calls that arrived.
    pub calls: u64,
}

/// The streams of draws, one for each concern.
#[derive(Clone, Copy)]
enum Concern {
    World,
    Config,
    People,
    Fates,
    Meanwhile,
    Hsmc,
}

fn chance(seed: u64, concern: Concern) -> Chance {
    Chance::of(seed, concern as u64)
}

/// A directory that goes away again.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path, name: &str) -> io::Result<Scratch> {
        let path = parent.join(name);
        std::fs::create_dir_all(path.join("state"))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(problem) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%problem, "the directory of a simulation stays");
        }
    }
}

/// Plays a seed, on a thread of its own. `scratch` is a directory for its files; nothing depends on its name.
///
/// # Errors
/// This machine cannot: no thread, no directory, no runtime, or the drawn config is none.
pub fn simulate(seed: u64, keep_trace: bool, scratch: &Path) -> io::Result<Outcome> {
    let logs = tracing::dispatcher::get_default(Clone::clone);
    let work = || tracing::dispatcher::with_default(&logs, || play(seed, keep_trace, scratch));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("seed-{seed}")).stack_size(STACK);
        thread.spawn_scoped(scope, work)?.join().unwrap_or_else(|_| {
            let broken = vec!["the simulation panicked".to_owned()];
            Ok(Outcome { seed, broken, ..Outcome::default() })
        })
    })
}

fn play(seed: u64, keep_trace: bool, scratch: &Path) -> io::Result<Outcome> {
    let accounts = world::accounts(&mut chance(seed, Concern::World));
    let mut broken = Vec::new();
    let undisturbed = {
        let folder = Scratch::new(scratch, &format!("calm-{seed}"))?;
        let trace = Arc::new(Trace::new(false));
        let world = Rest::of(seed, accounts.clone(), &folder.0, trace, true)?;
        broken.extend(world.broken.iter().map(|what| format!("undisturbed: {what}")));
        let found = world.sandbox();
        broken.extend(invariants::as_before(&accounts, &found, &world.unwound));
        found
    };
    let folder = Scratch::new(scratch, &format!("seed-{seed}"))?;
    let trace = Arc::new(Trace::new(keep_trace));
    let world = Rest::of(seed, accounts.clone(), &folder.0, Arc::clone(&trace), false)?;
    let (found, touched) = (world.sandbox(), world.stage.touched());
    let forgotten = world.stage.forgotten();
    broken.extend(world.broken);
    broken.extend(invariants::nothing_forbidden(&found, &world.stage.skipped()));
    broken.extend(invariants::consent_only_tightens(&Consent::of(&accounts), &world.archives, &found));
    broken.extend(invariants::only_what_is_named(&world.rules, &forgotten, &accounts, &found));
    broken.extend(invariants::no_opt_out_hidden(&Consent::of(&accounts), &found));
    broken.extend(invariants::stays_forgotten(&forgotten, &found));
    broken.extend(invariants::protected_intact(&accounts, &found, &touched));
    // Of whom a record is damaged, nothing goes on until an operator has looked: not even an opt-out of theirs.
    if !world.damaged {
        broken.extend(invariants::opt_outs_crossed(&found, &world.stage.skipped()));
        broken.extend(invariants::once(&found, &touched));
        broken.extend(invariants::as_before(&accounts, &found, &without(&world.unwound, &touched)));
        if !world.wrong_clock {
            broken.extend(invariants::unwound_whole(&world.spans, &touched, &found));
        }
        // Whom a cap lets in depends on who comes first; whoever was refused meanwhile is parked.
        let capped = world.rules.iter().any(|rules| rules.audience_cap.is_some_and(|cap| cap < 1_000));
        if !capped && !world.rewritten {
            let parked = if world.refused { &world.parked } else { &BTreeSet::new() };
            let aside = touched.union(parked).cloned().collect();
            broken.extend(invariants::as_undisturbed(&undisturbed, &found, &aside));
        }
    }
    for what in &broken {
        trace.tell(|| format!("broken: {what}"));
    }
    let calls = world.stage.calls();
    let (lines, fingerprint) = trace.end();
    Ok(Outcome {
        seed,
        broken,
        trace: lines,
        fingerprint,
        processes: world.processes,
        killed: world.killed,
        calls,
    })
}

/// Those of the first who are not among the second.
fn without(all: &BTreeSet<String>, not: &BTreeSet<String>) -> BTreeSet<String> {
    all.difference(not).cloned().collect()
}

/// A world that has come to rest, or has not.
struct Rest {
    stage: Arc<Stage>,
    /// What was wanted, now and before.
    rules: Vec<RuleSet>,
    /// Something else is wanted than at the beginning.
    rewritten: bool,
    /// Something was refused for good that an undisturbed run would not be refused.
    refused: bool,
    /// Whose every move was unwound.
    unwound: BTreeSet<String>,
    /// Moves that were unwound.
    spans: Vec<accounting::Span>,
    archives: Vec<accounting::Span>,
    /// hsmc's clock was wrong: what it has written of time says nothing.
    wrong_clock: bool,
    /// Who is parked at the end.
    parked: BTreeSet<String>,
    broken: Vec<String>,
    /// A record may be damaged: whom it is about is held, and that is right.
    damaged: bool,
    processes: u64,
    killed: u64,
}

impl Rest {
    /// Plays a world to its end.
    fn of(seed: u64, accounts: Sandbox, folder: &Path, trace: Arc<Trace>, calm: bool) -> io::Result<Rest> {
        let meanwhile = chance(seed, Concern::Meanwhile);
        let stage = Arc::new(Stage::new(accounts, meanwhile, folder.to_path_buf(), trace, calm));
        stage.pass(Duration::ZERO);
        let entropy: Arc<dyn Entropy> = Arc::new(Drawn::new(chance(seed, Concern::Hsmc)));
        let mut rest = Rest {
            stage,
            rules: Vec::new(),
            rewritten: false,
            refused: false,
            unwound: BTreeSet::new(),
            spans: Vec::new(),
            archives: Vec::new(),
            wrong_clock: false,
            parked: BTreeSet::new(),
            broken: Vec::new(),
            damaged: false,
            processes: 0,
            killed: 0,
        };
        let mut drawn = world::config(&mut chance(seed, Concern::Config));
        if !calm {
            drawn = rest.disturb(seed, drawn, &entropy)?;
        }
        let config = rest.load(&drawn.at_any_hour())?;
        rest.heal(&config, &entropy)?;
        Ok(rest)
    }

    fn sandbox(&self) -> Sandbox {
        held(&self.stage.sandbox).clone()
    }

    /// Takes a config up.
    fn load(&mut self, drawn: &DrawnConfig) -> io::Result<Config> {
        let config = drawn
            .load(&self.stage.folder)
            .map_err(|errors| io::Error::other(format!("a config that is none was drawn: {errors}")))?;
        self.rules.push(config.rules.clone());
        Ok(config)
    }

    /// Processes live, and something happens to each. Gives the config as it is in the end.
    fn disturb(
        &mut self,
        seed: u64,
        drawn: DrawnConfig,
        entropy: &Arc<dyn Entropy>,
    ) -> io::Result<DrawnConfig> {
        let mut drawn = drawn;
        let mut config = self.load(&drawn)?;
        let people = acts(&mut chance(seed, Concern::People), &held(&self.stage.sandbox), &config.rules, 250);
        self.stage.will_happen(people.happenings, people.touched);
        let mut fates = chance(seed, Concern::Fates);
        for process in 0..fates.number(1, 5) {
            if process > 0 && fates.percent(25) {
                self.rewritten |= fates.percent(20);
                drawn = if self.rewritten { drawn.rewritten(&mut fates) } else { drawn.retuned(&mut fates) };
                self.stage.trace.tell(|| format!("the config is {drawn:?}"));
                config = self.load(&drawn)?;
            }
            for fault in faults(&mut fates, self.stage.now()) {
                self.refused |= refuses(&fault);
                self.stage.trace.tell(|| format!("from now on {fault:?}"));
                held(&self.stage.sandbox).add_fault(fault);
            }
            let whole = self.flip(&mut fates);
            let fate = fate(&mut fates, &held(&self.stage.sandbox), &config.rules);
            self.wrong_clock |= fate.wrong_by != 0 || fate.jump.is_some();
            let (stage, not_so) = (Arc::clone(&self.stage), Mutex::new(Vec::new()));
            let ended = self.live(&config, entropy, &fate, |app| {
                *held(&not_so) = done::not_so(app, &held(&stage.sandbox), &stage.touched());
            })?;
            if !self.damaged {
                self.broken.append(&mut held(&not_so));
            }
            match ended {
                Ended::Killed => self.killed += 1,
                Ended::Endless(why) => self.broken.push(why.to_owned()),
                Ended::Refused(OpenError::Store(StoreError::Damaged { .. })) if whole.is_some() => {
                    // As the message says: a backup is put back, and it goes on from there.
                    self.stage.drive.restore(whole.unwrap_or_default());
                    self.damaged = false;
                }
                Ended::Refused(why) => self.broken.push(format!("a start is refused: {why}")),
                Ended::Ran(_) | Ended::Failed(_) | Ended::Answered(_) | Ended::Stopped(_) => {}
            }
            self.stage.pass(fate.pause);
            let effects = held(&self.stage.sandbox).effects.len();
            self.stage.may_interfere(AFTERWARDS, effects.saturating_sub(LAST));
        }
        Ok(drawn)
    }

    /// Sometimes, the drive turns bits over between two processes. What stood there before.
    fn flip(&mut self, fates: &mut Chance) -> Option<Vec<u8>> {
        let drive = &self.stage.drive;
        if self.damaged || drive.is_empty() || !fates.percent(6) {
            return None;
        }
        let whole = drive.image();
        let (at, bit) = (fates.index(whole.len()), fates.number(0, 7));
        self.stage.trace.tell(|| format!("bit {bit} of byte {at} of {} turns over", whole.len()));
        drive.flip(at, 1 << bit);
        self.damaged = true;
        Some(whole)
    }

    /// Nothing goes wrong any more, and hsmc runs until it has nothing to do.
    fn heal(&mut self, config: &Config, entropy: &Arc<dyn Entropy>) -> io::Result<()> {
        self.stage.trace.tell(|| "the world is healed".to_owned());
        held(&self.stage.sandbox).clear_faults();
        self.stage.let_all_happen();
        self.stage.pass(EVERY);
        drop(self.live(config, entropy, &Fate::calm(Order::ResumeAll, EVERY), |_| ())?);
        let mut quiet = 0;
        for run in 1.. {
            let (calls, effects) = self.changes();
            let (trace, looked) = (Arc::clone(&self.stage.trace), Mutex::new(Vec::new()));
            let (report, ends) = (Mutex::new(None), Mutex::new(accounting::Ends::default()));
            let ended = self.live(config, entropy, &Fate::calm(Order::plain(), EVERY), |app| {
                *held(&looked) = accounting::look(app);
                if run == 3 || run == RUNS {
                    accounting::tell_moves(app, &trace);
                }
                *held(&report) = last_report(app);
                *held(&ends) = accounting::ends(app);
            })?;
            let (calls_now, effects_now) = self.changes();
            // Nothing to do, twice in a row: the second time everything that HubSpot's search and Mailchimp's
            // listings had to say has been heard. Whoever has signed up too often is tried again once a day: one call,
            // and two that write a property before it and take it back.
            let tried = tried_in_vain(&ended);
            let in_vain = calls_now - calls <= tried * 3 && (tried > 0 || effects == effects_now);
            quiet = if in_vain { quiet + 1 } else { 0 };
            let ran = match ended {
                Ended::Ran(ran) if ran.run.state == RunState::Done => ran,
                // Held over damage, and told of.
                Ended::Ran(ran) if self.damaged && ran.run.state == RunState::Stuck => ran,
                other => {
                    if run >= RUNS {
                        self.broken.push(format!("a healed world does not come to rest: {other}"));
                        break;
                    }
                    self.stage.pass(EVERY);
                    continue;
                }
            };
            if quiet >= 2 {
                let looked = std::mem::take(&mut *held(&looked));
                if self.damaged {
                    self.stage.trace.tell(|| format!("damaged: {looked:?}"));
                } else {
                    self.broken.extend(looked);
                }
                self.broken.append(&mut held(&report).take().unwrap_or_default());
                let ends = std::mem::take(&mut *held(&ends));
                (self.unwound, self.parked, self.spans) = (ends.unwound, ends.parked, ends.spans);
                self.archives = ends.archives;
                self.came_to_rest(&ran);
                break;
            }
            if run >= RUNS {
                self.broken
                    .push(format!("after {run} runs in a healed world there is still something to do"));
                break;
            }
            self.stage.pass(EVERY);
        }
        Ok(())
    }

    fn came_to_rest(&mut self, ran: &ReportView) {
        self.stage.trace.tell(|| format!("at rest: {:?}", ran.run.counts.people));
        if !ran.stuck.is_empty() && !self.damaged {
            self.broken.push(format!("{} moves are stuck in a healed world", ran.stuck.len()));
        }
    }

    /// Calls that may change something, and changes.
    fn changes(&self) -> (u64, usize) {
        let sandbox = held(&self.stage.sandbox);
        (sandbox.calls.mutating(), sandbox.effects.len())
    }

    fn live(
        &mut self,
        config: &Config,
        entropy: &Arc<dyn Entropy>,
        fate: &Fate,
        look: impl FnOnce(&crate::app::App),
    ) -> io::Result<Ended> {
        self.processes += 1;
        live(&self.stage, config, entropy, fate, look)
    }
}

/// Of the calls of a run, those refused to somebody of whom Mailchimp takes no sign-up for now.
fn tried_in_vain(ended: &Ended) -> u64 {
    match ended {
        Ended::Ran(ran) => ran.run.counts.parked.get("too-many-signups").copied().unwrap_or_default(),
        _ => 0,
    }
}

/// Whether the people of the last run add up.
fn last_report(app: &crate::app::App) -> Option<Vec<String>> {
    let last = app.runs(1).ok()?.into_iter().next()?;
    let report = app.report_of(last.id).ok()?;
    Some(accounting::adds_up(app, &report))
}
