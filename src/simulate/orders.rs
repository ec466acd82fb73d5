//! What operators ask of hsmc, beside one run after another: of a process that is there for it, or of one at work.

use super::chance::Chance;
use super::people::folded;
use super::process::Ended;
use super::stage::Stage;
use crate::app::App;
use crate::domain::email::Email;
use crate::domain::event::OperatorRequest;
use crate::domain::failure::Service;
use crate::domain::id::{MoveId, RunId};
use crate::domain::rules::RuleSet;
use crate::sandbox::Sandbox;
use crate::serve::forget::{ForgetRequest, ForgetState};
use crate::serve::parked::ReleaseRequest;
use crate::serve::requests::{ApproveRequest, Only, OperateRequest, Scope, SyncRequest, Trouble};
use crate::serve::undo::{UndoOf, UndoRequest};
use crate::serve::views::{RunState, SyncAnswer};
use crate::sync::scan::NoProgress;

/// Runs that are looked through for one that waits, or for one to undo.
const LAST: usize = 20;

/// Something an operator asks for.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// A run, narrowed or not.
    Run(SyncRequest),
    /// The run that waits is carried out, or rejected.
    Answer { yes: bool },
    /// What a run has done is taken back; so many runs before the last.
    Undo { back: usize },
    /// Somebody is forgotten.
    Forget(String),
    /// Somebody is judged afresh.
    Release(String),
    /// Something is held back, or no longer.
    Pause(Scope, bool),
    /// Everything that is held back goes on.
    ResumeAll,
    /// A word on one of the open moves.
    Operate(usize, OperatorRequest),
}

impl Order {
    /// A run about everybody that passes gates.
    pub(super) fn plain() -> Order {
        Order::Run(SyncRequest { yes: true, ..SyncRequest::default() })
    }
}

/// Draws a run.
pub(super) fn run(chance: &mut Chance, sandbox: &Sandbox, rules: &RuleSet) -> Order {
    let mut request = SyncRequest { yes: chance.percent(70), ..SyncRequest::default() };
    match chance.number(1, 100) {
        1..=10 => request.only = vec![Only::Contact(somebody(chance, sandbox))],
        11..=16 => request.only = rules.all_lists().iter().copied().map(Only::List).take(2).collect(),
        17..=26 => request.limit = Some(chance.number(0, 5)),
        27..=36 => request.full = true,
        _ => {}
    }
    Order::Run(request)
}

/// Draws anything else.
pub(super) fn order(chance: &mut Chance, sandbox: &Sandbox, rules: &RuleSet) -> Order {
    match chance.number(1, 100) {
        1..=22 => Order::Answer { yes: chance.percent(75) },
        23..=42 => Order::Undo { back: chance.index(4) },
        43..=52 => Order::Forget(somebody(chance, sandbox)),
        53..=60 => Order::Release(somebody(chance, sandbox)),
        61..=80 => {
            let lists: Vec<_> = rules.all_lists().into_iter().collect();
            let scope = match (chance.number(1, 4), chance.one_of(&lists)) {
                (1, _) => Scope::All,
                (2, Some(list)) => Scope::List(*list),
                (3, _) => {
                    Scope::Service(if chance.percent(50) { Service::HubSpot } else { Service::Mailchimp })
                }
                _ => Scope::Person(somebody(chance, sandbox)),
            };
            Order::Pause(scope, chance.percent(65))
        }
        _ => {
            let requests = [
                OperatorRequest::RollBack,
                OperatorRequest::RollBack,
                OperatorRequest::Cancel,
                OperatorRequest::Retry,
                OperatorRequest::Skip,
            ];
            let request = chance.one_of(&requests).copied().unwrap_or(OperatorRequest::Retry);
            Order::Operate(chance.index(8), request)
        }
    }
}

fn somebody(chance: &mut Chance, sandbox: &Sandbox) -> String {
    let addresses: Vec<String> = sandbox
        .hubspot
        .contacts()
        .map(|record| record.email().to_owned())
        .chain(sandbox.mailchimp.members().map(|member| member.email.clone()))
        .filter(|email| email.contains('@'))
        .collect();
    chance.one_of(&addresses).cloned().unwrap_or_default()
}

/// Carries an order out; what it was about is touched.
pub(super) async fn carry_out(app: &App, stage: &Stage, order: Order) -> Ended {
    let told = format!("{order:?}");
    stage.trace.tell(|| format!("an operator: {told}"));
    match obey(app, stage, order).await {
        Ok(ended) => ended,
        Err(trouble) => Ended::Failed(trouble),
    }
}

async fn obey(app: &App, stage: &Stage, order: Order) -> Result<Ended, Trouble> {
    let ran = |answer| match answer {
        SyncAnswer::Ran(report) => Ended::Ran(report),
        SyncAnswer::Planned(_) => Ended::Endless("it planned and did not run"),
    };
    let said = |what: String| Ok(Ended::Answered(what));
    match order {
        Order::Run(request) => app.sync(request, &NoProgress).await.map(ran),
        Order::Answer { yes } => match waiting(app)? {
            Some(run) if yes => {
                app.approve(ApproveRequest { run, dry_run: false }, &NoProgress).await.map(ran)
            }
            Some(run) => said(app.reject(run).await?.message),
            None => said("nothing waits".to_owned()),
        },
        Order::Undo { back } => {
            let runs = app.runs(LAST)?;
            let Some(run) = runs.get(back) else { return said("no such run".to_owned()) };
            touch_run(app, stage, run.id)?;
            let of = UndoOf::Run(run.id);
            let answer = app.undo(UndoRequest { of, apply: true, agreed: None }).await?;
            said(format!("undone: {} moves, {} stay", answer.plan.total, answer.plan.stays_total))
        }
        Order::Forget(address) => {
            let addresses: Vec<String> =
                stage.addresses_of(&address).into_iter().chain([folded(&address)]).collect();
            stage.touch(addresses.clone());
            stage.forget(addresses, false);
            let answer = app.forget(ForgetRequest { address: address.clone(), dry_run: false }).await?;
            if matches!(answer.state, ForgetState::Forgotten) {
                stage.forget([folded(&address)], true);
            }
            said(format!("forget: {:?}", answer.state))
        }
        Order::Release(address) => {
            stage.touch([folded(&address)]);
            stage.touch(stage.addresses_of(&address));
            said(app.release(ReleaseRequest::People(vec![address])).await?.message)
        }
        Order::Pause(scope, true) => said(app.pause(scope).await?.message),
        Order::Pause(scope, false) => said(app.resume(scope).await?.message),
        Order::ResumeAll => resume_all(app).await.map(|()| Ended::Answered("everything goes on".to_owned())),
        Order::Operate(place, request) => {
            let open = app.workspace.shared.journal.open_moves(None, usize::MAX)?;
            let Some(id) = open.get(place % open.len().max(1)).copied() else {
                return said("no move is open".to_owned());
            };
            touch_move(app, stage, id)?;
            if request == OperatorRequest::Skip {
                stage.skip(addresses_of_move(app, stage, id)?);
            }
            said(app.operate(OperateRequest { id, request }).await?.message)
        }
    }
}

async fn resume_all(app: &App) -> Result<(), Trouble> {
    let pauses = app.workspace.shared.pauses();
    let journal = &app.workspace.shared.journal;
    let mut scopes: Vec<Scope> = pauses.lists.iter().copied().map(Scope::List).collect();
    scopes.extend(pauses.services.iter().copied().map(Scope::Service));
    for person in &pauses.people {
        let address = journal.person(*person)?.and_then(|person| person.email);
        scopes.extend(address.map(|email| Scope::Person(email.as_str().to_owned())));
    }
    scopes.push(Scope::All);
    for scope in scopes {
        app.resume(scope).await?;
    }
    Ok(())
}

fn waiting(app: &App) -> Result<Option<RunId>, Trouble> {
    let runs = app.runs(LAST)?;
    Ok(runs.iter().find(|run| run.state == RunState::NeedsApproval).map(|run| run.id))
}

fn touch_run(app: &App, stage: &Stage, run: RunId) -> Result<(), Trouble> {
    for (id, _) in app.workspace.shared.journal.moves_of_run(run, None, usize::MAX)? {
        touch_move(app, stage, id)?;
    }
    Ok(())
}

fn touch_move(app: &App, stage: &Stage, id: MoveId) -> Result<(), Trouble> {
    stage.touch(addresses_of_move(app, stage, id)?);
    Ok(())
}

/// Every address of whom a move is about.
fn addresses_of_move(app: &App, stage: &Stage, id: MoveId) -> Result<Vec<String>, Trouble> {
    let journal = &app.workspace.shared.journal;
    let person = journal.person_of_move(id)?.map(|person| journal.person(person)).transpose()?.flatten();
    let known = person.iter().flat_map(|person| [&person.email, &person.previous_email]).flatten();
    let all = |email: &Email| {
        let mut addresses = stage.addresses_of(email.as_str());
        addresses.push(folded(email.as_str()));
        addresses
    };
    Ok(known.flat_map(all).collect())
}
