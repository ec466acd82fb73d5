//! Plans: what limits trim and gates ask about (design §3.8), and the document a plan is saved as.
//!
//! Limits need to know the oldest moves before the first is admitted, and a plan can be far larger than
//! memory. So a plan is made in two passes over the same decisions: the first counts and keeps no
//! more keys than the limits admit, the second asks `Limits::admits` move by move. Opt-outs pass both
//! untouched.
//!
//! No plan names anybody: a person is a number here (design §3.13).

use super::code::Code;
use super::id::PersonId;
use super::member::MemberStatus;
use super::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use super::person::PersonState;
use super::rules::{Digest, RuleSet};
use super::step::{Before, Delivery, Fingerprint, Step};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BinaryHeap};

/// The place of a move where a limit trims: the oldest cause first, then the person.
type Key = (Timestamp, PersonId);

/// A limit of the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Limit {
    /// `max_archives_per_run`: members archived, or stripped of our tags, in one run (R13).
    MaxArchives,
    /// `audience_cap`: subscribed members (R7).
    AudienceCap,
    /// `enroll_between`: mail is started in a window of the day only (R10a).
    EnrollBetween,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 3] = [Limit::MaxArchives, Limit::AudienceCap, Limit::EnrollBetween];

    /// The code whose page says what to do about it.
    pub fn code(self) -> Code {
        match self {
            Limit::MaxArchives => Code::ArchiveLimit,
            Limit::AudienceCap => Code::AudienceCap,
            Limit::EnrollBetween => Code::WindowClosed,
        }
    }

    /// The config's word.
    pub fn word(self) -> &'static str {
        match self {
            Limit::MaxArchives => "max_archives_per_run",
            Limit::AudienceCap => "audience_cap",
            Limit::EnrollBetween => "enroll_between",
        }
    }

    /// The limit that counts this move; a move counts against one at most. The window is no count: see
    /// [`Limits::admits`].
    pub fn of(planned: &Move) -> Option<Limit> {
        let any = |wanted: fn(&Step) -> bool| planned.steps.iter().any(|step| wanted(&step.step));
        match planned.kind {
            MoveKind::Exclude | MoveKind::HandOver | MoveKind::Orphan => {
                any(|step| matches!(step, Step::ArchiveMember | Step::ClearTag { .. }))
                    .then_some(Limit::MaxArchives)
            }
            MoveKind::Restore => Some(Limit::AudienceCap),
            // Tags for somebody subscribed already add nobody.
            MoveKind::Enroll | MoveKind::Pending => planned
                .steps
                .iter()
                .any(|planned| {
                    matches!(planned.step, Step::UpsertMember { .. }) && planned.before == Before::NotHeld
                })
                .then_some(Limit::AudienceCap),
            // Whoever loses tags and gets others instead is retagged, not removed.
            MoveKind::Undo => {
                let sets = any(|step| matches!(step, Step::SetTag { .. }));
                let clears = any(|step| matches!(step, Step::ClearTag { .. }));
                if any(|step| *step == Step::ArchiveMember) || (clears && !sets) {
                    return Some(Limit::MaxArchives);
                }
                any(|step| matches!(step, Step::ReturnMember { .. })).then_some(Limit::AudienceCap)
            }
            // Whose campaign is taken off and no other set is untagged, like any orphan.
            MoveKind::Retag => {
                planned.then.contains(&MemoryChange::NotEnrolled).then_some(Limit::MaxArchives)
            }
            MoveKind::OptOutHubSpot
            | MoveKind::OptOutMailchimp
            | MoveKind::Bounce
            | MoveKind::Rename
            | MoveKind::Refresh
            | MoveKind::Forget => None,
        }
    }
}

/// The smallest keys seen, never more than there is room for.
#[derive(Clone, Debug)]
struct Oldest {
    /// None: no limit.
    room: Option<usize>,
    keys: BinaryHeap<Key>,
    seen: u64,
}

impl Oldest {
    fn new(room: Option<u64>) -> Oldest {
        let room = room.map(|room| usize::try_from(room).unwrap_or(usize::MAX));
        Oldest { room, keys: BinaryHeap::new(), seen: 0 }
    }

    fn add(&mut self, key: Key) {
        self.seen += 1;
        let Some(room) = self.room else { return };
        self.keys.push(key);
        if self.keys.len() > room {
            self.keys.pop();
        }
    }

    fn finish(self) -> Cutoff {
        let Some(room) = self.room else {
            return Cutoff { admitted: self.seen, left_out: 0, last: Last::All };
        };
        let admitted = self.seen.min(room as u64);
        let left_out = self.seen - admitted;
        let last = match (left_out, self.keys.peek()) {
            (0, _) => Last::All,
            (_, Some(key)) => Last::UpTo(*key),
            (_, None) => Last::None,
        };
        Cutoff { admitted, left_out, last }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    All,
    UpTo(Key),
    None,
}

/// What one limit makes of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// Moves it lets through.
    pub admitted: u64,
    /// Moves it leaves out.
    pub left_out: u64,
    last: Last,
}

impl Cutoff {
    fn admits(&self, key: Key) -> bool {
        match self.last {
            Last::All => true,
            Last::UpTo(last) => key <= last,
            Last::None => false,
        }
    }
}

/// The first pass: takes each decision's due move, in any order.
#[derive(Clone, Debug)]
pub struct LimitCollector {
    subscribed: u64,
    max_changed_share: Option<f64>,
    archives: Oldest,
    enrolls: Oldest,
    /// Gated moves that no limit counts.
    unlimited: u64,
    /// Whether nothing that starts mail may begin now, and how many moves that leaves out.
    window_closed: bool,
    outside_window: u64,
    by_kind: BTreeMap<MoveKind, u64>,
}

impl LimitCollector {
    /// A collector for a plan over an audience of this many subscribed members, seen at this moment.
    pub fn new(rules: &RuleSet, subscribed: u64, seen: Timestamp) -> LimitCollector {
        LimitCollector {
            subscribed,
            max_changed_share: rules.max_changed_share,
            archives: Oldest::new(rules.max_archives_per_run),
            enrolls: Oldest::new(rules.audience_cap.map(|cap| cap.saturating_sub(subscribed))),
            unlimited: 0,
            window_closed: rules.enroll_between.as_ref().is_some_and(|window| !window.is_open(seen)),
            outside_window: 0,
            by_kind: BTreeMap::new(),
        }
    }

    /// Counts one move.
    pub fn collect(&mut self, planned: &Move) {
        *self.by_kind.entry(planned.kind).or_default() += 1;
        if self.window_closed && planned.kind.starts_mail() {
            self.outside_window += 1;
            return;
        }
        let key = (planned.since, planned.person);
        match Limit::of(planned) {
            Some(Limit::MaxArchives) => self.archives.add(key),
            Some(Limit::AudienceCap) => self.enrolls.add(key),
            Some(Limit::EnrollBetween) | None => self.unlimited += u64::from(planned.kind.is_gated()),
        }
    }

    /// What the limits and the gate make of everything collected.
    pub fn finish(self) -> Limits {
        let archives = self.archives.finish();
        let enrolls = self.enrolls.finish();
        let touched = archives.admitted + enrolls.admitted + self.unlimited;
        let gate = self.max_changed_share.and_then(|share| gate(touched, self.subscribed, share));
        Limits {
            subscribed: self.subscribed,
            touched,
            archives,
            enrolls,
            window_closed: self.window_closed,
            outside_window: self.outside_window,
            gate,
            by_kind: self.by_kind,
        }
    }
}

/// Why a plan that touches this many people must ask. The share is of the members subscribed before;
/// new people count as touched, so filling an empty audience asks too.
fn gate(touched: u64, subscribed: u64, share: f64) -> Option<String> {
    let of = subscribed.max(1);
    let breaks = touched > 0 && touched as f64 > share * of as f64;
    breaks.then(|| {
        format!(
            "the plan touches {touched} people; the audience has {subscribed} subscribed members and max_changed_share is {share}"
        )
    })
}

/// The second pass: what is in, what is left out, and whether a person must say yes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Subscribed members before the plan.
    pub subscribed: u64,
    /// Gated moves admitted: archived, untagged, restored, enrolled or retagged, opt-outs aside.
    pub touched: u64,
    /// `max_archives_per_run`.
    pub archives: Cutoff,
    /// `audience_cap`.
    pub enrolls: Cutoff,
    /// Whether `enroll_between` lets nothing begin that starts mail.
    pub window_closed: bool,
    /// Moves that this leaves out.
    pub outside_window: u64,
    /// Why the plan must wait for a yes; none when it need not.
    pub gate: Option<String>,
    /// Moves collected, by kind, before trimming.
    pub by_kind: BTreeMap<MoveKind, u64>,
}

/// Whether a move is part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Yes,
    /// This limit leaves it out.
    LeftOut(Limit),
}

impl Limits {
    /// Whether the move is part of the plan. Whole moves only.
    pub fn admits(&self, planned: &Move) -> Admission {
        if self.window_closed && planned.kind.starts_mail() {
            return Admission::LeftOut(Limit::EnrollBetween);
        }
        let key = (planned.since, planned.person);
        match Limit::of(planned) {
            Some(Limit::MaxArchives) if !self.archives.admits(key) => Admission::LeftOut(Limit::MaxArchives),
            Some(Limit::AudienceCap) if !self.enrolls.admits(key) => Admission::LeftOut(Limit::AudienceCap),
            _ => Admission::Yes,
        }
    }

    /// Moves left out, by the limit's word; limits that left nothing out are not named.
    pub fn left_out(&self) -> BTreeMap<String, u64> {
        [
            (Limit::MaxArchives, self.archives.left_out),
            (Limit::AudienceCap, self.enrolls.left_out),
            (Limit::EnrollBetween, self.outside_window),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(limit, count)| (limit.word().to_owned(), count))
        .collect()
    }
}

/// The state of a person whose move is left out: whoever would have become enrolled, or would have
/// ceased to be hsmc's business, is left out; a stronger state holds with or without the move.
pub fn state_when_left_out(decided: PersonState, kind: MoveKind) -> PersonState {
    let depends = matches!(kind, MoveKind::Enroll | MoveKind::Pending | MoveKind::Restore | MoveKind::Orphan);
    if depends && decided != PersonState::Protected { PersonState::LeftOut } else { decided }
}

/// Whether two plannings came to the same move: same person, kind, steps with what held before them,
/// and memory. Since when the cause has held, and how the reason is worded, do not matter.
pub fn move_fingerprint(planned: &Move) -> Fingerprint {
    let mut digest = Digest::new();
    digest.number(planned.person.0).text(planned.kind.word());
    // Text is stable where the derived order of variants is not.
    digest.text(&serde_json::to_string(&planned.steps).unwrap_or_default());
    digest.text(&serde_json::to_string(&planned.then).unwrap_or_default());
    digest.finish()
}

/// The same for moves of whoever goes the same way: by the same tags and lists. Begun together, their steps meet in
/// the lanes and share calls. Opt-outs have one way only, and keep their order (R21a).
pub fn way_fingerprint(planned: &Move) -> Fingerprint {
    let mut digest = Digest::new();
    if planned.kind.is_opt_out() {
        return digest.finish();
    }
    for step in planned.steps.iter().map(|planned| &planned.step) {
        match step {
            Step::SetTag { tag, .. } | Step::ClearTag { tag } => digest.text(&tag.folded()),
            Step::JoinList { list } | Step::LeaveList { list } => digest.number(list.0),
            Step::UpsertMember { .. }
            | Step::RestoreMember { .. }
            | Step::ReturnMember { .. }
            | Step::RefreshMember { .. }
            | Step::RenameMember
            | Step::ArchiveMember
            | Step::UnsubscribeMember
            | Step::SetProperty { .. }
            | Step::CreateContact
            | Step::OptOut { .. }
            | Step::RecordEvidence
            | Step::EraseMember
            | Step::EraseContact { .. } => &mut digest,
        };
    }
    digest.finish()
}

/// A plan in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// People by state word; adds up to everybody seen.
    pub people: BTreeMap<String, u64>,
    /// Moves in the plan, by kind word.
    pub moves: BTreeMap<String, u64>,
    /// Moves left out, by the limit's word.
    pub left_out: BTreeMap<String, u64>,
    /// Things an operator should read, with how many people each concerns.
    pub notes: BTreeMap<String, u64>,
    /// Steps that cannot be taken back once done (design §3.15), by what they do.
    pub final_steps: BTreeMap<String, u64>,
    /// Why the plan must wait for a yes.
    pub gate: Option<String>,
    /// People it subscribes.
    #[serde(default)]
    pub joining: u64,
    /// Subscribed members it archives or unsubscribes.
    #[serde(default)]
    pub leaving: u64,
    /// What it takes as given (R28a), with how many people each is about.
    #[serde(default)]
    pub given: BTreeMap<String, u64>,
}

/// Whether a move subscribes somebody, and whether it archives or unsubscribes a subscribed member.
pub fn audience_change(planned: &Move) -> (bool, bool) {
    let was_subscribed = |before: &Before| *before == Before::Status(MemberStatus::Subscribed);
    let joins = |one: &PlannedStep| match &one.step {
        Step::UpsertMember { pending, .. } => !pending && one.before == Before::NotHeld,
        Step::RestoreMember { .. } => true,
        _ => false,
    };
    let leaves = |one: &PlannedStep| {
        matches!(one.step, Step::ArchiveMember | Step::UnsubscribeMember) && was_subscribed(&one.before)
    };
    (planned.steps.iter().any(joins), planned.steps.iter().any(leaves))
}

impl PlanSummary {
    /// Counts what is taken as given of one person.
    pub fn count_given(&mut self, given: Option<String>) {
        if let Some(given) = given {
            *self.given.entry(given).or_default() += 1;
        }
    }

    /// Counts one decision with what became of its move.
    pub fn count(
        &mut self,
        state: PersonState,
        due: Option<(&Move, Admission)>,
        notes: impl IntoIterator<Item = String>,
    ) {
        let state = match due {
            Some((planned, Admission::LeftOut(limit))) => {
                *self.left_out.entry(limit.word().to_owned()).or_default() += 1;
                state_when_left_out(state, planned.kind)
            }
            Some((planned, Admission::Yes)) => {
                *self.moves.entry(planned.kind.word().to_owned()).or_default() += 1;
                self.count_final(planned);
                self.count_audience(planned);
                state
            }
            None => state,
        };
        *self.people.entry(state.word().to_owned()).or_default() += 1;
        for note in notes {
            *self.notes.entry(note).or_default() += 1;
        }
    }

    fn count_audience(&mut self, planned: &Move) {
        let (joins, leaves) = audience_change(planned);
        self.joining += u64::from(joins);
        self.leaving += u64::from(leaves);
    }

    fn count_final(&mut self, planned: &Move) {
        for step in &planned.steps {
            let what = match &step.step {
                Step::SetTag { delivery: Delivery::Loud, .. } if planned.kind.starts_mail() => {
                    "a tag set may start a journey: its mail cannot be called back"
                }
                Step::UnsubscribeMember | Step::OptOut { .. } => "an opt-out has no way back",
                Step::UpsertMember { pending: true, .. } => {
                    "the mail that asks to confirm cannot be called back"
                }
                _ => continue,
            };
            *self.final_steps.entry(what.to_owned()).or_default() += 1;
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

/// The version of the plan file's form.
pub const PLAN_FORMAT: u32 = 1;

/// The first line of a plan file: what the plan was made for. A plan is applied only where all of it
/// still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// Always [`PLAN_FORMAT`] for files written by this version.
    pub format: u32,
    /// The workspace's name.
    pub workspace: String,
    /// The HubSpot portal, when known.
    pub portal: Option<u64>,
    /// The Mailchimp audience.
    pub audience: String,
    /// The moment the snapshot was taken.
    pub seen: Timestamp,
    /// Fingerprint of the config the plan was made with.
    pub config: Fingerprint,
    /// The plan in numbers.
    pub summary: PlanSummary,
}

/// One line of a plan file: the header first, then one move a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanLine {
    /// The first line.
    Plan(Box<PlanHeader>),
    /// Every other line.
    Move(Box<Move>),
}

/// Why a line is no line of a plan file that this version reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanLineError {
    /// Not the JSON of a plan line.
    #[error("this is no line of a plan file: {0}")]
    Malformed(String),
    /// Written by a newer hsmc.
    #[error("the plan file has format {found}, this version reads format {PLAN_FORMAT}; make the plan anew")]
    Format {
        /// The file's format.
        found: u32,
    },
}

impl PlanLine {
    /// The line's text, without the line's end.
    ///
    /// # Errors
    /// Never for the values this module makes; the serialiser could refuse others.
    pub fn to_text(&self) -> Result<String, PlanLineError> {
        serde_json::to_string(self).map_err(|problem| PlanLineError::Malformed(problem.to_string()))
    }

    /// Reads one line.
    ///
    /// # Errors
    /// Says where the text stops being a plan line, or that a newer version wrote it.
    pub fn parse(text: &str) -> Result<PlanLine, PlanLineError> {
        let line: PlanLine =
            serde_json::from_str(text).map_err(|problem| PlanLineError::Malformed(problem.to_string()))?;
        match &line {
            PlanLine::Plan(header) if header.format != PLAN_FORMAT => {
                Err(PlanLineError::Format { found: header.format })
            }
            _ => Ok(line),
        }
    }
}
