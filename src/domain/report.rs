//! What the report of a run says beside its counts (R29): values, kept with the run. No person is named but
//! by number, and never more of them than fit a line.

use super::code::Code;
use super::failure::Service;
use super::id::{PersonId, RunId};
use super::run::{Run, RunPhase};
use super::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a run found beside its counts. Bounded: it stays as small for a run over half a million people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// How the run was narrowed, in words; none when it was about everybody.
    pub narrowed: Option<String>,
    /// People its plan went over; none when it never came to a plan. Fewer than are known when the run was
    /// narrowed, or when people have left both accounts.
    pub judged: Option<u64>,
    /// Which gate asked, when one did.
    pub asked: Option<Asked>,
    /// The audience before, and after what is planned; once the run is over, after what was done.
    pub audience: Option<AudienceSize>,
    /// People with work in flight at the end, by kind of move: shown beside the one state each is in.
    pub in_flight: BTreeMap<String, u64>,
    /// Moves by kind word, then by how they ended.
    pub by_kind: BTreeMap<String, BTreeMap<String, u64>>,
    /// Who is parked at the end, by reason: also those parked long ago, whom nobody tries any more.
    pub parked: Vec<ParkedFor>,
    /// What happened in this run as it did in earlier ones.
    pub repeated: Vec<Repeated>,
    /// How long each phase took, in their order.
    pub phases: Vec<PhaseTook>,
    /// Calls over time, one curve for each service that was called.
    pub calls: Vec<CallCurve>,
}

impl RunReport {
    /// Whether nothing went wrong that went wrong before: a run of which this is not so is not green.
    pub fn makes_progress(&self) -> bool {
        self.repeated.is_empty()
    }
}

/// What makes a plan wait for a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Asked {
    /// `apply = "never"`: no yes is taken before the config says otherwise.
    Never,
    /// `apply = "ask"`.
    Config,
    /// `max_changed_share`: the plan touches too many people.
    ChangedShare,
    /// Too much of what was shown before does not come out the same any more.
    Changed,
}

impl Asked {
    /// The code whose page says what to do about it.
    pub fn code(self) -> Code {
        match self {
            Asked::Never => Code::ApplyNever,
            Asked::Config => Code::ApprovalAsked,
            Asked::ChangedShare => Code::GateAsked,
            Asked::Changed => Code::PlanChanged,
        }
    }
}

/// Subscribed members before and after, and how many there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AudienceSize {
    /// Before.
    pub before: u64,
    /// Subscribed by it.
    pub joining: u64,
    /// Archived or unsubscribed by it.
    pub leaving: u64,
    /// `audience_cap`; none when there is none.
    pub cap: Option<u64>,
}

impl AudienceSize {
    /// After it.
    pub fn after(&self) -> u64 {
        (self.before + self.joining).saturating_sub(self.leaving)
    }
}

/// Parked people, by reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedFor {
    /// The refusal's word.
    pub reason: String,
    /// How many.
    pub people: u64,
    /// Since when the first of them is.
    pub since: Timestamp,
}

impl fmt::Display for ParkedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, the first since {}", self.reason, self.people, self.since.date())
    }
}

/// What kind of thing repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RepeatedKind {
    /// The run failed.
    Run,
    /// A move failed: same person, kind, step and refusal.
    Failed,
    /// A move is still open.
    Open,
    /// A limit leaves out as many as before, or more.
    LeftOut,
}

/// Something that happened in this run as it did in earlier ones: no progress is made on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// What kind of thing.
    pub kind: RepeatedKind,
    /// What, in words without personal data: `bounce: set property mailchimp_bounced: not-writable`.
    pub what: String,
    /// How many people it concerns; 0 where it concerns the run.
    pub people: u64,
    /// In how many runs, this one among them, for whom it was most often.
    pub times: u32,
    /// When it happened first.
    pub since: Timestamp,
    /// A few of the people.
    pub examples: Vec<PersonId>,
}

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repeated { kind, what, people, times, since, .. } = self;
        let since = since.date();
        let who = if *people == 1 { "1 person".to_owned() } else { format!("{people} people") };
        match kind {
            RepeatedKind::Run => write!(f, "the run failed as before ({times} times since {since}): {what}"),
            RepeatedKind::Failed => write!(f, "{what}: {who}, up to {times} times since {since}"),
            RepeatedKind::Open => write!(f, "{what}: {who}, open in up to {times} runs since {since}"),
            RepeatedKind::LeftOut => {
                write!(f, "{what}: {who}, not fewer than before, {times} runs since {since}")
            }
        }
    }
}

/// How long a phase took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTook {
    /// `reading`, `planning`, `opt-outs`, `applying`, `reporting`, `before`.
    pub phase: String,
    /// When it began.
    pub began: Timestamp,
    /// Milliseconds.
    pub took_ms: u64,
}

/// Calls of one service over the time of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallCurve {
    /// Of which service.
    pub service: Service,
    /// When the first bucket begins.
    pub from: Timestamp,
    /// How long a bucket is, in milliseconds.
    pub bucket_ms: u64,
    /// Calls that left in each bucket.
    pub calls: Vec<u32>,
    /// The most that the account's limit lets leave in a bucket; none where calls are not limited by number, or a
    /// bucket is shorter than the limit's window.
    pub most: Option<u64>,
}

/// A plan that waits for a yes: everything somebody needs who is asked, on whatever way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalAsked {
    /// The run that waits.
    pub run: RunId,
    /// Which gate asks.
    pub asked: Asked,
    /// The same in words.
    pub why: String,
    /// Moves it would make, by kind word.
    pub moves: BTreeMap<String, u64>,
    /// Moves left out, by the limit's word; a yes does not let them in.
    pub left_out: BTreeMap<String, u64>,
    /// What it costs.
    pub audience: Option<AudienceSize>,
}

impl ApprovalAsked {
    /// What the run asks; none when it does not wait.
    pub fn of(run: &Run) -> Option<ApprovalAsked> {
        let RunPhase::AwaitingApproval { why } = &run.phase else { return None };
        Some(ApprovalAsked {
            run: run.id,
            asked: run.report.asked.unwrap_or(Asked::Config),
            why: why.clone(),
            moves: run.counts.planned.clone(),
            left_out: run.counts.left_out.clone(),
            audience: run.report.audience,
        })
    }

    /// What an operator does about it.
    pub fn way_out(&self) -> String {
        match self.asked {
            Asked::Never => "set apply = \"ask\" or \"always\" in the config".to_owned(),
            Asked::Config | Asked::ChangedShare | Asked::Changed => {
                format!("hsmc approve {0}, or hsmc reject {0}; the next run takes its place", self.run)
            }
        }
    }
}
