//! Moves: all steps for one person that must happen together (design §4). A move is a value; what
//! has become of it is folded from its events by `engine`.

use super::id::{ListId, MoveId, PersonId, StepIndex};
use super::member::MemberStatus;
use super::step::{Before, Fingerprint, Step};
use super::tag::TagName;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of move, in the words of design §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MoveKind {
    /// Opted out in Mailchimp: opt out in HubSpot (R20).
    OptOutHubSpot,
    /// Opted out in HubSpot: unsubscribe in Mailchimp (R21).
    OptOutMailchimp,
    /// Hard bounce in Mailchimp (R22).
    Bounce,
    /// Entered an exclusion list (R12).
    Exclude,
    /// Finished a campaign (R15).
    HandOver,
    /// Bears a known tag but is in no source list (R13).
    Orphan,
    /// A changed address (R10).
    Rename,
    /// Entry tag changes (R1, R3).
    Retag,
    /// Archived by us, again in a source list (R6).
    Restore,
    /// New in a source list (R4).
    Enroll,
    /// New, by double opt-in (R4).
    Pending,
    /// Changed properties (R8).
    Refresh,
    /// What an earlier move did is taken back (R28).
    Undo,
    /// An operator was asked to delete somebody for good. Never planned.
    Forget,
}

impl MoveKind {
    /// All kinds, in the order they are applied.
    pub const ALL: [MoveKind; 14] = [
        MoveKind::OptOutHubSpot,
        MoveKind::OptOutMailchimp,
        MoveKind::Bounce,
        MoveKind::Exclude,
        MoveKind::HandOver,
        MoveKind::Orphan,
        MoveKind::Rename,
        MoveKind::Retag,
        MoveKind::Restore,
        MoveKind::Enroll,
        MoveKind::Pending,
        MoveKind::Refresh,
        MoveKind::Undo,
        MoveKind::Forget,
    ];

    /// A stable word: `hand-over`, `opt-out-hubspot`, …
    pub fn word(self) -> &'static str {
        match self {
            MoveKind::OptOutHubSpot => "opt-out-hubspot",
            MoveKind::OptOutMailchimp => "opt-out-mailchimp",
            MoveKind::Bounce => "bounce",
            MoveKind::Exclude => "exclude",
            MoveKind::HandOver => "hand-over",
            MoveKind::Orphan => "orphan",
            MoveKind::Rename => "rename",
            MoveKind::Retag => "retag",
            MoveKind::Restore => "restore",
            MoveKind::Enroll => "enroll",
            MoveKind::Pending => "pending",
            MoveKind::Refresh => "refresh",
            MoveKind::Undo => "undo",
            MoveKind::Forget => "forget",
        }
    }

    /// Opt-outs are a run of their own, outside limits, gates and pauses (design §3.5).
    pub fn is_opt_out(self) -> bool {
        matches!(self, MoveKind::OptOutHubSpot | MoveKind::OptOutMailchimp)
    }

    /// Kinds that go before whatever else of the person is open, and that no pause holds: opt-outs, and
    /// forgetting, which is one too.
    pub fn overtakes(self) -> bool {
        self.is_opt_out() || self == MoveKind::Forget
    }

    /// Kinds that make a member get mail they did not get before.
    pub fn starts_mail(self) -> bool {
        matches!(self, MoveKind::Enroll | MoveKind::Pending | MoveKind::Restore | MoveKind::Retag)
    }

    /// Kinds that need consent: it is read again right before them (design §3.10). An undo starts no mail, but it
    /// may bring somebody back whom mail reaches then.
    pub fn needs_consent(self) -> bool {
        self.starts_mail() || self == MoveKind::Undo
    }

    /// Kinds guarded by `max_changed_share`: all that archive, untag, restore or enroll, opt-outs aside.
    pub fn is_gated(self) -> bool {
        !self.overtakes() && !matches!(self, MoveKind::Refresh | MoveKind::Rename | MoveKind::Bounce)
    }

    /// Whether a refusal before the pivot unwinds the move, or whether it can only go forward.
    pub fn is_forward_only(self) -> bool {
        matches!(
            self,
            MoveKind::OptOutHubSpot
                | MoveKind::OptOutMailchimp
                | MoveKind::Bounce
                | MoveKind::Exclude
                | MoveKind::Orphan
                | MoveKind::Forget
        )
    }

    /// Where a refusal for good leads: parked, or not (design §4, last column). An opt-out is never parked, nor
    /// whoever is to be forgotten; an undo that was unwound leaves the person as they were before it.
    pub fn refusal_parks(self) -> bool {
        !matches!(
            self,
            MoveKind::OptOutHubSpot
                | MoveKind::OptOutMailchimp
                | MoveKind::Exclude
                | MoveKind::Orphan
                | MoveKind::Undo
                | MoveKind::Forget
        )
    }
}

impl fmt::Display for MoveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A step in its place, with what held before it as the snapshot saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The change.
    pub step: Step,
    /// The before-image.
    pub before: Before,
}

/// Why a move is made, in words an operator can read; names lists and tags, never people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule: `R15`.
    pub rule: String,
    /// `bears exit tag "General Single Finished"`.
    pub text: String,
}

/// What hsmc must remember of a person once a move is done. Written in the same commit as the move's
/// end, so that memory and moves never disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryChange {
    /// Marketed to by this entry tag, from this list.
    Enrolled {
        /// The entry tag borne.
        tag: TagName,
        /// The source list it came from.
        list: ListId,
    },
    /// Handed over by this exit tag; `still_in` are the source lists the person was in then (R16).
    HandedOver {
        /// The exit tag that moved them.
        exit_tag: TagName,
        /// Source lists they were still in.
        still_in: Vec<ListId>,
    },
    /// Archived by hsmc while the member had this status (R6).
    ArchivedByUs {
        /// The status before.
        status_before: MemberStatus,
    },
    /// No longer archived by hsmc (restored).
    NotArchived,
    /// No longer enrolled (excluded, orphaned, opted out).
    NotEnrolled,
    /// The opt-out has reached this side too: consent agrees on both.
    OptOutDelivered,
    /// The bounce has been noted (R22).
    BounceNoted,
    /// The member has the present address (R10).
    Renamed,
    /// The handover was taken back (R28).
    NotHandedOver,
    /// This move was taken back by an operator: it is not made again on the same input (R28).
    Undone {
        /// Which.
        of: MoveId,
    },
}

/// All steps for one person that must happen together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Whose.
    pub person: PersonId,
    /// What kind.
    pub kind: MoveKind,
    /// Why.
    pub reason: Reason,
    /// In order.
    pub steps: Vec<PlannedStep>,
    /// What becomes true in memory when all steps hold.
    pub then: Vec<MemoryChange>,
    /// The oldest come first where a limit trims: since when the cause has held, as far as known.
    pub since: Timestamp,
    /// Fingerprint of the input the move was made from: a parked person is tried again only when it
    /// changes.
    pub input: Fingerprint,
}

/// From where on a move can no longer be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pivot {
    /// Once this step holds. Always the last step of such moves.
    At(StepIndex),
    /// From the start: the move only goes forward.
    ForwardOnly,
}

impl Move {
    /// The pivot of design §4: the last step, or none for moves that only go forward.
    pub fn pivot(&self) -> Pivot {
        if self.kind.is_forward_only() {
            return Pivot::ForwardOnly;
        }
        Pivot::At(StepIndex(u8::try_from(self.steps.len().saturating_sub(1)).unwrap_or(u8::MAX)))
    }

    /// The step at an index.
    pub fn step(&self, index: StepIndex) -> Option<&PlannedStep> {
        self.steps.get(usize::from(index.0))
    }
}
