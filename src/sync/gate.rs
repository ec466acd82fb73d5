//! The gate between a plan and its moves: whether somebody has to say yes first.
//!
//! Never: an opt-out that waits (R24), or more let through than was shown.

use super::approval::{asks, has_moves};
use super::carried_out;
use super::error::RunError;
use super::looking::settle;
use super::planning::Planning;
use super::reporting::{in_words, note};
use super::run::RunOptions;
use super::scan::ScanContext;
use super::workspace::{ApplyMode, Workspace};
use crate::domain::plan::Limits;
use crate::domain::report::Asked;
use crate::domain::run::Run;
use crate::domain::shown::ShownPlan;
use std::sync::Arc;

/// Whether a person must say yes, and to what. What a person, or an earlier run's own gate, has let through
/// before goes on as far as it still comes out the same: after a yes only that, and after a crash under
/// `apply = "ask"` too. Where too much of it has changed, the plan as it is now asks (design §3.10).
pub(super) async fn gate(
    workspace: &Workspace,
    run: &mut Run,
    options: &RunOptions,
    mut planning: Planning,
    mut limits: Limits,
    context: &ScanContext,
) -> Result<(Planning, Limits, Option<(Asked, String)>), RunError> {
    let mut asked = asks(workspace, options, &limits, &planning.names);
    let may_apply = workspace.settings.apply != ApplyMode::Never;
    if asked.is_some() && may_apply && planning.narrowing.shown.is_none() {
        let mut let_through = ShownPlan::default();
        for unbegun in planning.unbegun.values().filter(|unbegun| !unbegun.paused) {
            let_through.insert(unbegun.fingerprint, unbegun.shown.clone());
        }
        if !let_through.is_empty() {
            planning.narrowing.shown = Some(Arc::new(let_through));
            (planning, limits) = settle(workspace, planning, context).await?;
            asked = None;
            let note = "only what an earlier run had begun to apply goes on; the next run shows the rest";
            run.counts.notes.insert(note.to_owned(), 1);
        }
    }
    carried_out::leave_out(workspace, &mut planning, &mut run.counts.notes)?;
    if let Some(why) = planning.too_different().filter(|_| may_apply) {
        note(&mut run.counts.notes, &in_words(&planning.dropped_of_shown()));
        planning.narrowing.shown = None;
        (planning, limits) = settle(workspace, planning, context).await?;
        asked = has_moves(&limits).then_some((Asked::Changed, why));
    }
    Ok((planning, limits, asked))
}
