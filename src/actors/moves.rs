//! The router, as the rest of hsmc sees it: what can be handed over, asked and taken back.
//!
//! Never: a decision of its own.

use super::contact::Operate;
use super::context::Shared;
use super::router::{
    Abandon, Dropped, Forget, Look, OpenMoves, PutBack, Route, Routed, Router, RouterOverview, Submit,
    TallyOf, WakeAll,
};
use super::tally::Tally;
use crate::domain::event::OperatorRequest;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::MoveKind;
use crate::domain::port::Priority;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::watch;

const MAILBOX: usize = 1024;

/// The router, as the rest of hsmc sees it.
#[derive(Clone)]
pub struct Moves {
    router: ActorRef<Router>,
    changed: watch::Receiver<u64>,
}

impl Moves {
    /// Starts the router.
    pub fn start(shared: Arc<Shared>) -> Moves {
        let (sender, changed) = watch::channel(0);
        Moves { router: Router::spawn_with_mailbox((shared, sender), mailbox::bounded(MAILBOX)), changed }
    }

    /// Hands over moves that are in the journal; answers how many wait for a place now. The caller slows
    /// down when that grows.
    pub async fn submit(&self, moves: Vec<(PersonId, MoveId, Priority)>) -> usize {
        self.router.ask(Submit(moves)).await.unwrap_or(0)
    }

    /// Moves handed over that are neither over nor stuck: nobody else may write their records.
    pub async fn open(&self) -> HashSet<MoveId> {
        self.router.ask(OpenMoves).await.unwrap_or_default()
    }

    /// How a run's moves are doing.
    pub async fn tally(&self, run: RunId) -> Tally {
        self.router.ask(TallyOf(run)).await.unwrap_or_default()
    }

    /// Forgets a run's counts, for it is over; answers which of its moves ended as nobody wanted.
    pub async fn forget(&self, run: RunId) -> Vec<MoveId> {
        self.router.ask(Forget(run)).await.unwrap_or_default()
    }

    /// Counts a move that was dropped before it was handed over.
    pub async fn count_dropped(&self, id: MoveId, kind: MoveKind, why: &'static str) {
        drop(self.router.tell(Dropped(id, kind, why)).await);
    }

    /// Takes back a run's moves that wait or sleep; what is under way stays.
    pub async fn abandon(&self, run: RunId) -> Vec<(PersonId, MoveId)> {
        self.router.ask(Abandon(run)).await.unwrap_or_default()
    }

    /// Changes whenever a move ends, sleeps or breaks.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// A look at the router.
    pub async fn overview(&self) -> RouterOverview {
        self.router.ask(Look).await.unwrap_or_default()
    }

    /// Everybody who sleeps looks again: a pause has ended.
    pub async fn wake_all(&self) {
        drop(self.router.tell(WakeAll).await);
    }

    /// Hands an operator's request to a move.
    ///
    /// # Errors
    /// Why the move cannot do that now.
    pub async fn operate(
        &self,
        id: MoveId,
        person: PersonId,
        request: OperatorRequest,
    ) -> Result<(), String> {
        let Routed { contact, place } =
            self.router.ask(Route { id, person }).await.map_err(|error| error.to_string())?;
        let refused = match contact.ask(Operate { id, request }).await {
            Ok(()) => return Ok(()),
            Err(kameo::error::SendError::HandlerError(why)) => why,
            Err(error) => error.to_string(),
        };
        // A router that is gone has nothing to put back.
        drop(self.router.tell(PutBack { id, person, place }).await);
        Err(refused)
    }

    /// Stops the router and, with it, everything in flight. What was journaled goes on at the next start.
    pub async fn stop(&self) {
        self.router.kill();
        self.router.wait_for_shutdown().await;
    }
}
