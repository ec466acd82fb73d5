//! Makes a plan from a snapshot: every person through the rules, questions asked in batches, limits and
//! gates over all. One pass over sorted files recognises and judges everybody; who is new, or waits for an answer, is
//! judged again, and everybody only when somebody has moved. Memory does not grow with the number of people, but for a
//! few bytes for each of whom there is something to do.

mod asking;
mod due;
mod gathering;
mod judged;
mod narrowing;
mod remembering;
mod unmet;
mod writing;

pub use due::{Due, Journaled, Unbegun};
pub use narrowing::{Narrowing, Part};

use super::approval::Shower;
use super::error::RunError;
use super::identify::Renames;
use super::judging::{Lost, world};
use super::naming;
use super::preflight::Accounts;
use super::recovering::Held;
use super::snapshot::Snapshot;
use crate::domain::id::{ListId, PersonId, RecordId};
use crate::domain::moves::Move;
use crate::domain::naming::Names;
use crate::domain::plan::{Admission, Limits, PlanSummary, way_fingerprint};
use crate::domain::port::{Hands, Waits, long_work};
use crate::domain::rules::{AddressConsent, RuleSet, World, taken_as_given};
use crate::domain::shown::ShownMove;
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;
use crate::journal::consent::ConsentLedger;
use crate::journal::forgotten::ForgottenPeople;
use crate::journal::ledger::Journal;
use judged::{Found, settled};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A plan in the making.
pub struct Planning {
    /// The journal.
    pub journal: Journal,
    /// The ledger of consent over it.
    pub consent: ConsentLedger,
    /// Long work.
    pub hands: Arc<dyn Hands>,
    /// Who was forgotten.
    pub forgotten: ForgottenPeople,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// What holds for everybody.
    pub world: World,
    /// The names of lists, and of the tags that follow them (R11).
    pub names: Names,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Memberships proven by a probe.
    pub proofs: BTreeMap<RecordId, BTreeSet<ListId>>,
    /// Records that were traced and did not lead back to their person.
    lost: BTreeMap<RecordId, Lost>,
    /// What HubSpot says of the addresses of members that stand under another than their contact's own.
    address_consents: BTreeMap<PersonId, AddressConsent>,
    /// Renamed people; none before everybody was looked at.
    renames: Option<Renames>,
    /// When the plan was begun: new people are known since then.
    now: Timestamp,
    /// People with a move under way, or stuck: they stay as they are, but for an opt-out, which overtakes.
    pub held: Held,
    /// Moves of earlier runs that have not begun.
    pub unbegun: BTreeMap<PersonId, Unbegun>,
    /// How the run is narrowed.
    pub narrowing: Narrowing,
    /// When each opt-out that is due was given.
    pub opt_outs: Vec<Timestamp>,
    /// Moves shown before that came out the same, as of the last pass over everybody.
    came_out: BTreeSet<Fingerprint>,
    /// What the last pass over everybody has found.
    found: Found,
}

impl Planning {
    /// Gathers what a plan is made from.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read or written.
    pub async fn new(
        journal: Journal,
        consent: ConsentLedger,
        hands: Arc<dyn Hands>,
        rules: Arc<RuleSet>,
        snapshot: Snapshot,
        accounts: &Accounts,
        now: Timestamp,
    ) -> Result<Planning, RunError> {
        let forgotten = ForgottenPeople::load(&journal)?;
        let names = naming::names_under(&journal, &rules, snapshot.header())?;
        naming::remember(&journal, &names).await?;
        let world = world(snapshot.header(), accounts, &names);
        Ok(Planning {
            journal,
            consent,
            hands,
            forgotten,
            rules,
            world,
            names,
            snapshot,
            proofs: BTreeMap::new(),
            lost: BTreeMap::new(),
            address_consents: BTreeMap::new(),
            renames: None,
            now,
            held: Held::new(),
            unbegun: BTreeMap::new(),
            narrowing: Narrowing::default(),
            opt_outs: Vec::new(),
            came_out: BTreeSet::new(),
            found: Found::default(),
        })
    }

    /// Who has moved, as far as known.
    fn renames(&self) -> &Renames {
        static NOBODY: Renames = Renames::NOBODY;
        self.renames.as_ref().unwrap_or(&NOBODY)
    }

    /// Narrows the run (R26). Tags are renamed by runs that are about everybody.
    pub fn narrow(&mut self, narrowing: Narrowing) {
        if !narrowing.lists.is_empty() || !narrowing.emails.is_empty() {
            let names = self.names.clone().as_they_are();
            self.set_names(names);
        }
        self.narrowing = narrowing;
    }

    /// Plans with these names from now on.
    pub fn set_names(&mut self, names: Names) {
        self.world.list_tags.clone_from(&names.tags);
        self.world.renamed_tags = names.renamed();
        self.names = names;
    }

    /// Moves shown before that no longer come out the same: they are not applied (design §3.10).
    pub fn dropped_of_shown(&self) -> Vec<&ShownMove> {
        self.narrowing.shown.iter().flat_map(|shown| shown.dropped(&self.came_out)).collect()
    }

    /// The same, with their fingerprints.
    pub fn missing_of_shown(&self) -> Vec<(Fingerprint, &ShownMove)> {
        self.narrowing.shown.iter().flat_map(|shown| shown.missing(&self.came_out)).collect()
    }

    /// Why too many of them do not (design §3.10).
    pub fn too_different(&self) -> Option<String> {
        self.narrowing.shown.as_ref()?.too_different(&self.came_out, self.rules.max_changed_share)
    }

    /// The plan in figures, and its first moves, once everybody is settled; all of them written down where the plan is to wait. Nothing is
    /// journaled.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read, or the disk refuses.
    pub async fn show(
        self,
        limits: Limits,
        most: usize,
        mut shower: Option<Shower>,
    ) -> Result<(Planning, PlanSummary, Vec<Move>), RunError> {
        let (planning, summary, moves) = blocking(self, move |planning, _| {
            let mut summary = PlanSummary { gate: limits.gate.clone(), ..planning.found.at_rest.clone() };
            let mut moves = Vec::new();
            let mut left = planning.narrowing.limit.unwrap_or(u64::MAX);
            planning.pass(|seen| {
                let decision = settled(seen.verdict, &seen.person);
                let due = planning.admitted(&decision, &limits, &mut left);
                let later = planning.later(&decision, due.is_some(), &seen.person);
                let state = later.map_or(decision.state, |(state, _)| state);
                let why = later.map(|(_, why)| why.to_owned());
                summary.count(state, due, decision.notes.iter().cloned().chain(why));
                summary.count_given(taken_as_given(&seen.person, &decision));
                if let Some((due, Admission::Yes)) = due {
                    if let Some(shower) = &mut shower {
                        shower.add(due)?;
                    }
                    if moves.len() < most {
                        moves.push(due.clone());
                    }
                }
                Ok(())
            })?;
            shower.map(Shower::finish).transpose()?;
            // As they would be applied: what is most urgent first.
            moves.sort_by_key(|due| (due.kind, way_fingerprint(due), due.since, due.person));
            Ok((summary, moves))
        })
        .await?;
        Ok((planning, summary, moves))
    }
}

/// Runs a pass where it may take its time.
async fn blocking<A: Send + 'static, B: Send + 'static>(
    planning: Planning,
    work: impl FnOnce(&mut Planning, &dyn Waits) -> Result<(A, B), RunError> + Send + 'static,
) -> Result<(Planning, A, B), RunError> {
    let hands = Arc::clone(&planning.hands);
    long_work(hands.as_ref(), move |waits| {
        let mut planning = planning;
        let (a, b) = work(&mut planning, waits)?;
        Ok((planning, a, b))
    })
    .await?
}
