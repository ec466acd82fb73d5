//! `undo`: plans what takes a run or a move back, and does it once somebody has said yes.

use super::App;
use super::control::Done;
use super::show::{self, Names};
use crate::domain::code::Code;
use crate::domain::plan::move_fingerprint;
use crate::domain::step::Fingerprint;
use crate::serve::requests::Trouble;
use crate::serve::undo::{StaysView, UndoAnswer, UndoOf, UndoRequest, UndoView};
use crate::serve::views::PlanMoveView;
use crate::sync::undo::{self, UndoPlan, Whole};
use std::collections::{BTreeMap, BTreeSet};

/// Moves, and lines of what stays, shown one by one.
const SHOWN: usize = 200;

impl App {
    /// Undoes a run or a move, or shows what that would be (R28).
    ///
    /// # Errors
    /// There is no such run or move, it is not over, or see the message.
    pub async fn undo(&self, request: UndoRequest) -> Done<UndoAnswer> {
        let whole = self.can_be_undone(request.of)?;
        let workspace = &self.workspace;
        if !request.apply {
            let plan = undo::plan(workspace, whole).await?;
            return Ok(UndoAnswer { plan: self.undo_view(request.of, &plan), report: None });
        }
        // What is no fingerprint is of no move.
        let read = |text: &String| u64::from_str_radix(text, 16).ok().map(Fingerprint);
        let agreed: Option<BTreeSet<Fingerprint>> =
            request.agreed.map(|agreed| agreed.iter().filter_map(read).collect());
        let undone = undo::undo(workspace, whole, agreed.as_ref()).await;
        self.keep_reports().await;
        let (plan, run) = undone?;
        let report = run.map(|run| show::report(self, &run, Names::Addresses)).transpose()?;
        Ok(UndoAnswer { plan: self.undo_view(request.of, &plan), report })
    }

    fn can_be_undone(&self, of: UndoOf) -> Done<Whole> {
        let journal = &self.workspace.shared.journal;
        match of {
            UndoOf::Run(id) => match journal.run(id)? {
                Some(run) if run.ended.is_none() => {
                    Err(Trouble::usage(Code::NotNow, format!("run {id} is not over: {}", run.phase))
                        .with_way_out("undo it once it is"))
                }
                Some(_) => Ok(Whole::Run(id)),
                None => Err(Trouble::usage(Code::NothingSuch, format!("there is no run {id}"))
                    .with_way_out("`hsmc runs` lists them")),
            },
            UndoOf::Move(id) if journal.events(id)?.is_empty() => match journal.audit_of_move(id)? {
                Some((_, line)) => {
                    let given_up = format!("the details of move {id} were given up on {}", line.given_up);
                    Err(Trouble::usage(
                        Code::NotNow,
                        format!("{given_up}, as sync.retention says: it cannot be undone"),
                    )
                    .with_way_out(format!("`hsmc status {id}` shows what it did; take that back by hand")))
                }
                None => Err(Trouble::usage(Code::NothingSuch, format!("there is no move {id}"))
                    .with_way_out("`hsmc why ADDRESS` lists a person's moves")),
            },
            UndoOf::Move(id) => Ok(Whole::Move(id)),
        }
    }

    fn undo_view(&self, of: UndoOf, plan: &UndoPlan) -> UndoView {
        let journal = &self.workspace.shared.journal;
        let mut stays_because: BTreeMap<String, u64> = BTreeMap::new();
        for left in &plan.left {
            *stays_because.entry(left.kept.why.clone()).or_default() += 1;
        }
        let moves = plan.taken.iter().take(SHOWN).map(|taken| PlanMoveView {
            person: show::person(journal, taken.due.person, Names::Addresses),
            kind: taken.due.kind.word().to_owned(),
            reason: format!("{} {}", taken.due.reason.rule, taken.due.reason.text),
            steps: show::steps(&taken.due),
        });
        let stays = plan.left.iter().take(SHOWN).map(|left| StaysView {
            person: show::person(journal, left.person, Names::Addresses),
            of: left.of,
            what: left.kept.what.clone(),
            why: left.kept.why.clone(),
        });
        UndoView {
            of: match of {
                UndoOf::Run(id) => format!("run {id}"),
                UndoOf::Move(id) => format!("move {id}"),
            },
            seen: plan.seen,
            moves: moves.collect(),
            total: plan.taken.len() as u64,
            agreed: plan
                .taken
                .iter()
                .map(|taken| format!("{:016x}", move_fingerprint(&taken.due).0))
                .collect(),
            stays: stays.collect(),
            stays_total: plan.left.len() as u64,
            stays_because,
            left_out: plan.left_out.clone(),
            gate: plan.limits.gate.clone(),
            notes: plan.notes.clone(),
        }
    }
}
