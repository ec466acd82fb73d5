//! What hsmc tells people who are not looking (R30): a closed list, in our own words.
//!
//! Promises: an alert holds counts, numbers, words of ours and places of the config. A service's own words
//! may be about somebody, so they are not part of any. Never: when and to whom it is told, or how it looks
//! there.

mod message;
mod standing;
mod words;

pub use message::{Answered, Event, Message, Said};
pub use standing::{Delivery, EVENTS_KEPT, GivenUp, Hindrance, Standing, Trying};

use super::code::Code;
use super::failure::Service;
use super::id::RunId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Somebody should look.
    Warning,
    /// Somebody has to act.
    Error,
}

impl Severity {
    /// The word, as in the config.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunFailure {
    /// The accounts are not as the config says; nothing was changed (R27).
    Unfit {
        /// File, line and key.
        place: String,
    },
    /// A call failed.
    Call {
        /// Of which service.
        service: Service,
        /// Which, in words.
        call: String,
        /// What was answered; none when nothing was.
        status: Option<u16>,
    },
    /// Moves wait for a service; the next run goes on with them.
    Waiting {
        /// How many.
        moves: u64,
        /// For which, when it is one.
        service: Option<Service>,
    },
    /// The state directory, or hsmc itself.
    Inside,
}

impl RunFailure {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            RunFailure::Unfit { .. } => Code::RunUnfit,
            RunFailure::Waiting { .. } => Code::MovesWait,
            RunFailure::Inside => Code::Inside,
            RunFailure::Call { status, .. } => match status {
                Some(401) => Code::CredentialsRefused,
                Some(403) => Code::RightsMissing,
                Some(429) => Code::TooFast,
                Some(477) => Code::QuotaUsedUp,
                None | Some(408 | 500..) => Code::ServiceAway,
                Some(_) => Code::CallRefused,
            },
        }
    }
}

/// The audience before and after a plan, in subscribed members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Before.
    pub subscribed: u64,
    /// With everybody the plan adds. Room made by archiving counts from the next run on (R7).
    pub after: u64,
    /// `audience_cap`.
    pub cap: Option<u64>,
}

impl Audience {
    /// Whether the plan leaves less than a twentieth of the cap (R7).
    pub fn is_near(&self) -> bool {
        self.cap.is_some_and(|cap| u128::from(self.after) * 100 >= u128::from(cap) * 95)
    }
}

/// Why opt-outs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Withheld {
    /// `apply = "never"`.
    ByConfig,
    /// They were begun, and a service does not take them.
    ByService,
}

/// Something people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alert {
    /// A run failed.
    RunFailed {
        /// Which, the last one.
        run: RunId,
        /// Why.
        cause: RunFailure,
    },
    /// Moves are stuck.
    RunStuck {
        /// After this run.
        run: RunId,
        /// How many, by kind word.
        moves: BTreeMap<String, u64>,
        /// The first one's refusal, as a word of ours.
        first: String,
    },
    /// A run waits for a yes (R25).
    NeedsApproval {
        /// Which.
        run: RunId,
        /// Which gate, in words.
        gate: String,
        /// What it would do, by kind word.
        planned: BTreeMap<String, u64>,
        /// The audience before and after.
        audience: Audience,
    },
    /// `audience_cap` is reached, or nearly so (R7).
    AudienceCap {
        /// The audience before and after.
        audience: Audience,
        /// People left out.
        left_out: u64,
    },
    /// A service refuses the credentials.
    CredentialsRefused {
        /// Which.
        service: Service,
    },
    /// Opt-outs are not delivered within `consent.deliver_within` (R24).
    OptOutsLate {
        /// Why.
        withheld: Withheld,
        /// How many.
        count: u64,
        /// Since when the oldest waits.
        oldest: Timestamp,
        /// The limit.
        within: Duration,
    },
    /// Many opt-outs at once (R24): a mailing that went wrong, or an account that did.
    ManyOptOuts {
        /// In this run.
        run: RunId,
        /// How many.
        count: u64,
        /// From where on that is many.
        threshold: u64,
    },
    /// Somebody else takes back what hsmc does (design §3.11).
    Contested {
        /// How many people.
        count: u64,
    },
    /// The same failure, run after run (design §3.14).
    FailsAgain {
        /// In this run, too.
        run: RunId,
        /// Which, in words of ours; of several the one that concerns most people.
        what: String,
        /// How often.
        times: u64,
        /// Since when.
        since: Timestamp,
        /// How many people it concerns; 0 when it concerns nobody alone.
        people: u64,
        /// How many other failures repeat themselves.
        others: u64,
    },
    /// Runs that plan and get nothing done (design §3.14).
    NoProgress {
        /// In so many runs in a row.
        runs: u64,
        /// Of these, the first.
        since: Timestamp,
        /// Moves planned in the last, by kind word.
        planned: BTreeMap<String, u64>,
    },
    /// Records of the journal are damaged; what they are about is held, the rest goes on.
    Damaged {
        /// How many.
        records: u64,
    },
    /// The service takes no more calls today.
    QuotaUsedUp {
        /// Which.
        service: Service,
    },
    /// No run has begun for twice `sync.every`.
    RunOverdue {
        /// Since when none has.
        since: Timestamp,
        /// `sync.every`.
        every: Duration,
    },
    /// hsmc stopped because its journal cannot be read or written.
    Stopped,
    /// A run in one line (R29); only where the config asks for it.
    RunSummary {
        /// Which.
        run: RunId,
        /// How it ended.
        end: String,
        /// Moves by end word.
        ended: BTreeMap<String, u64>,
        /// Left out by limits.
        left_out: BTreeMap<String, u64>,
        /// How long it took.
        took: Duration,
    },
}

impl Alert {
    /// A stable word for what it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Alert::RunFailed { .. } => "run-failed",
            Alert::RunStuck { .. } => "run-stuck",
            Alert::NeedsApproval { .. } => "needs-approval",
            Alert::AudienceCap { .. } => "audience-cap",
            Alert::CredentialsRefused { .. } => "credentials-refused",
            Alert::OptOutsLate { .. } => "opt-outs-late",
            Alert::ManyOptOuts { .. } => "many-opt-outs",
            Alert::Contested { .. } => "contested",
            Alert::FailsAgain { .. } => "fails-again",
            Alert::NoProgress { .. } => "no-progress",
            Alert::Damaged { .. } => "damaged",
            Alert::QuotaUsedUp { .. } => "quota-used-up",
            Alert::RunOverdue { .. } => "run-overdue",
            Alert::Stopped => "stopped",
            Alert::RunSummary { .. } => "run-summary",
        }
    }

    /// The code whose page says what to do about it; none for what is only told. Of a failed call no more is known here
    /// than its status: the run's own code is at least as exact.
    pub fn code(&self) -> Option<Code> {
        match self {
            Alert::RunFailed { cause, .. } => Some(cause.code()),
            Alert::RunStuck { .. } => Some(Code::MovesStuck),
            Alert::NeedsApproval { .. } => Some(Code::ApprovalAsked),
            Alert::AudienceCap { .. } => Some(Code::AudienceCap),
            Alert::CredentialsRefused { .. } => Some(Code::CredentialsRefused),
            Alert::OptOutsLate { withheld: Withheld::ByConfig, .. } => Some(Code::OptOutsKeptBack),
            Alert::OptOutsLate { withheld: Withheld::ByService, .. } => Some(Code::OptOutsLate),
            Alert::ManyOptOuts { .. } => Some(Code::ManyOptOuts),
            Alert::Contested { .. } => Some(Code::Contested),
            Alert::FailsAgain { .. } => Some(Code::FailsAgain),
            Alert::NoProgress { .. } => Some(Code::NoProgress),
            Alert::Damaged { .. } => Some(Code::RecordDamaged),
            Alert::QuotaUsedUp { .. } => Some(Code::QuotaUsedUp),
            Alert::RunOverdue { .. } => Some(Code::RunOverdue),
            Alert::Stopped => Some(Code::Stopped),
            Alert::RunSummary { .. } => None,
        }
    }

    /// What it is about, where one kind can be about several things. Alerts of one kind and subject are the
    /// same alert.
    pub fn subject(&self) -> String {
        match self {
            Alert::CredentialsRefused { service } | Alert::QuotaUsedUp { service } => service.to_string(),
            Alert::OptOutsLate { withheld: Withheld::ByConfig, .. } => "config".to_owned(),
            Alert::OptOutsLate { withheld: Withheld::ByService, .. } => "service".to_owned(),
            Alert::RunSummary { run, .. } => run.to_string(),
            Alert::RunFailed { .. }
            | Alert::RunStuck { .. }
            | Alert::NeedsApproval { .. }
            | Alert::AudienceCap { .. }
            | Alert::ManyOptOuts { .. }
            | Alert::Contested { .. }
            | Alert::FailsAgain { .. }
            | Alert::NoProgress { .. }
            | Alert::Damaged { .. }
            | Alert::RunOverdue { .. }
            | Alert::Stopped => String::new(),
        }
    }

    /// Whether both are the same alert, seen at two moments.
    pub fn is_same(&self, other: &Alert) -> bool {
        (self.kind(), self.subject()) == (other.kind(), other.subject())
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Alert::RunFailed { .. }
            | Alert::RunStuck { .. }
            | Alert::CredentialsRefused { .. }
            | Alert::OptOutsLate { .. }
            | Alert::Damaged { .. }
            | Alert::RunOverdue { .. }
            | Alert::Stopped => Severity::Error,
            Alert::NeedsApproval { .. }
            | Alert::AudienceCap { .. }
            | Alert::ManyOptOuts { .. }
            | Alert::Contested { .. }
            | Alert::FailsAgain { .. }
            | Alert::NoProgress { .. }
            | Alert::QuotaUsedUp { .. } => Severity::Warning,
            Alert::RunSummary { .. } => Severity::Note,
        }
    }

    /// Whether it tells of something that happened, and not of something that lasts: it does not end, and is
    /// forgotten after a while.
    pub fn is_event(&self) -> bool {
        matches!(self, Alert::ManyOptOuts { .. } | Alert::Stopped | Alert::RunSummary { .. })
    }

    /// Whether somebody who was told of `before` must hear of this without waiting: it got worse, or asks
    /// for something else.
    pub fn is_news_after(&self, before: &Alert) -> bool {
        match (self, before) {
            (Alert::RunFailed { cause, .. }, Alert::RunFailed { cause: then, .. }) => cause != then,
            (Alert::RunStuck { moves, .. }, Alert::RunStuck { moves: then, .. }) => {
                moves.iter().any(|(kind, count)| *count > then.get(kind).copied().unwrap_or(0))
            }
            (
                Alert::NeedsApproval { planned, gate, .. },
                Alert::NeedsApproval { planned: then, gate: asked, .. },
            ) => planned != then || gate != asked,
            (Alert::AudienceCap { left_out, .. }, Alert::AudienceCap { left_out: then, .. }) => {
                *left_out > 0 && *then == 0
            }
            (Alert::OptOutsLate { count, .. }, Alert::OptOutsLate { count: then, .. })
            | (Alert::ManyOptOuts { count, .. }, Alert::ManyOptOuts { count: then, .. })
            | (Alert::Contested { count }, Alert::Contested { count: then }) => {
                *count >= then.saturating_mul(2)
            }
            (Alert::FailsAgain { what, .. }, Alert::FailsAgain { what: then, .. }) => what != then,
            (Alert::Damaged { records }, Alert::Damaged { records: then }) => records > then,
            _ => false,
        }
    }

    /// The run it is about.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Alert::RunFailed { run, .. }
            | Alert::RunStuck { run, .. }
            | Alert::NeedsApproval { run, .. }
            | Alert::ManyOptOuts { run, .. }
            | Alert::FailsAgain { run, .. }
            | Alert::RunSummary { run, .. } => Some(*run),
            _ => None,
        }
    }
}
