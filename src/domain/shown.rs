//! A plan as it was shown to somebody who said yes, or is to: enough to know its moves again when they are
//! planned anew, and to name those that are gone. Opt-outs are not in it: they wait for nobody.

use super::id::PersonId;
use super::moves::{Move, MoveKind};
use super::plan::move_fingerprint;
use super::step::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A move in words. The person is a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownMove {
    /// Of what kind.
    pub kind: MoveKind,
    /// Whose.
    pub person: PersonId,
    /// By which rule.
    pub rule: String,
    /// Why.
    pub why: String,
}

impl From<&Move> for ShownMove {
    fn from(planned: &Move) -> ShownMove {
        let Move { kind, person, reason, .. } = planned;
        ShownMove { kind: *kind, person: *person, rule: reason.rule.clone(), why: reason.text.clone() }
    }
}

impl fmt::Display for ShownMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of person {} ({}: {})", self.kind, self.person, self.rule, self.why)
    }
}

/// What was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownPlan {
    moves: BTreeMap<Fingerprint, ShownMove>,
}

impl ShownPlan {
    /// Adds a move; an opt-out is passed over.
    pub fn add(&mut self, planned: &Move) {
        self.insert(move_fingerprint(planned), ShownMove::from(planned));
    }

    /// The same, known by its fingerprint.
    pub fn insert(&mut self, print: Fingerprint, shown: ShownMove) {
        if !shown.kind.is_opt_out() {
            self.moves.insert(print, shown);
        }
    }

    /// Whether this very move was shown.
    pub fn holds(&self, planned: &Move) -> bool {
        self.moves.contains_key(&move_fingerprint(planned))
    }

    /// How many moves were shown.
    pub fn len(&self) -> usize {
        self.moves.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// Moves that did not come out the same when they were planned anew.
    pub fn dropped(&self, came_out: &BTreeSet<Fingerprint>) -> Vec<&ShownMove> {
        self.missing(came_out).map(|(_, shown)| shown).collect()
    }

    /// The same, with their fingerprints.
    pub fn missing(
        &self,
        came_out: &BTreeSet<Fingerprint>,
    ) -> impl Iterator<Item = (Fingerprint, &ShownMove)> {
        let missing = self.moves.iter().filter(|(print, _)| !came_out.contains(print));
        missing.map(|(print, shown)| (*print, shown))
    }

    /// The plan without these moves.
    pub fn without(&self, gone: &BTreeSet<Fingerprint>) -> ShownPlan {
        let kept = self.moves.iter().filter(|(print, _)| !gone.contains(print));
        ShownPlan { moves: kept.map(|(print, shown)| (*print, shown.clone())).collect() }
    }

    /// Why so many dropped that a person has to look again (design §3.10); none when it is few enough, or
    /// when `share`, the gate of the config, is lifted.
    pub fn too_different(&self, came_out: &BTreeSet<Fingerprint>, share: Option<f64>) -> Option<String> {
        let (of, share) = (self.len(), share?);
        let dropped = self.dropped(came_out).len();
        (dropped > 0 && dropped as f64 > share * of as f64).then(|| {
            format!(
                "{dropped} of the {of} moves shown before do not come out the same any more, and max_changed_share is {share}; this is the plan as it is now"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::moves::Reason;
    use crate::domain::time::Timestamp;

    fn a_move(kind: MoveKind, person: u64) -> Move {
        Move {
            person: PersonId(person),
            kind,
            reason: Reason { rule: "R1".to_owned(), text: "in source list 987".to_owned() },
            steps: Vec::new(),
            then: Vec::new(),
            since: Timestamp(0),
            input: Fingerprint(0),
        }
    }

    fn shown(people: std::ops::Range<u64>) -> ShownPlan {
        let mut plan = ShownPlan::default();
        people.for_each(|person| plan.add(&a_move(MoveKind::Enroll, person)));
        plan
    }

    #[test]
    fn only_more_than_the_share_dropped_asks_again() {
        let plan = shown(0..8);
        let came = |people: std::ops::Range<u64>| -> BTreeSet<Fingerprint> {
            people.map(|person| move_fingerprint(&a_move(MoveKind::Enroll, person))).collect()
        };
        assert_eq!(plan.too_different(&came(0..8), Some(0.0)), None, "all came out the same");
        assert_eq!(plan.too_different(&came(0..6), Some(0.25)), None, "two of eight are a quarter");
        let why = plan.too_different(&came(0..5), Some(0.25)).unwrap();
        assert!(why.starts_with("3 of the 8 moves shown before"), "{why}");
        assert_eq!(plan.too_different(&came(0..0), None), None, "the gate is lifted");
        assert_eq!(plan.dropped(&came(0..7)).len(), 1);
    }

    #[test]
    fn a_shown_opt_out_waits_for_nobody_and_is_never_missed() {
        let mut plan = shown(0..1);
        plan.add(&a_move(MoveKind::OptOutHubSpot, 5));
        assert_eq!(plan.len(), 1);
    }
}
