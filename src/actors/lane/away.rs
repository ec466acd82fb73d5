//! A batch that is refused as a whole: because of somebody in it, or because what it is about is away. A list that was
//! deleted or turned dynamic, a property that is gone, an audience that is not there say nothing of the people: their moves
//! wait until that is put right, and nobody is parked for it. What nobody can put right, a list that empties by its own
//! rule or a property that is read-only by now, holds up nobody.
//!
//! Never: halving a batch whose target is away, which would find nobody to blame and ask once for each.

use super::perform::{Verb, lane_name};
use crate::actors::context::Shared;
use crate::domain::contact::ListKind;
use crate::domain::event::StepOutcome;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::id::ListId;
use crate::domain::port::{CallResult, Priority};
use crate::domain::step::{Step, Target};

/// What a refusal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The target is away.
    Away,
    /// Somebody in the batch is at fault.
    Somebody,
    /// Either: the target has to be looked at.
    Either,
}

/// The failure that a batch's steps share: its target is away, or the call failed as a whole.
///
/// # Errors
/// The refusal, where it is somebody's in the batch.
pub async fn of_refusal(
    shared: &Shared,
    target: &Target,
    verb: &Verb,
    failure: CallFailure,
    seen_there: bool,
) -> Result<CallFailure, CallFailure> {
    if failure.class != FailureClass::Permanent {
        return Ok(failure);
    }
    let is_away = match (says(verb, failure.refusal), target) {
        (Says::Away, _) => true,
        (Says::Either, Target::List(list)) if !seen_there => match is_writable(shared, *list).await {
            Ok(writable) => !writable,
            // Refused for sure; by whose fault is asked again, together with the call.
            Err(unseen) => return Ok(CallFailure { class: not_in_doubt(unseen.class), ..unseen }),
        },
        (Says::Somebody | Says::Either, _) => false,
    };
    match is_away {
        true => Ok(away(target, failure)),
        false => Err(failure),
    }
}

/// By what was asked. In a batch of properties not found is somebody: one who is gone, and the others are halved away
/// from them.
fn says(verb: &Verb, refusal: RefusalCode) -> Says {
    match (verb, refusal) {
        (_, RefusalCode::NotWritable) => Says::Away,
        (Verb::SetProperties, _) => Says::Somebody,
        (_, RefusalCode::NotFound) => Says::Away,
        (Verb::Join | Verb::Leave, _) => Says::Either,
        _ => Says::Somebody,
    }
}

/// Nobody there is a 404, and so is an audience that is not there: before the one is believed of somebody, the other is
/// ruled out. The audience's merge fields are there whenever it is.
///
/// # Errors
/// The audience is away, or nobody could look.
pub async fn audience_is_there(shared: &Shared) -> CallResult<()> {
    match shared.audience.merge_fields(Priority::HandOver).await {
        Ok(_) => Ok(()),
        Err(failure) if is_not_found(&failure) => Err(away(&Target::Audience, failure)),
        Err(failure) => Err(CallFailure { class: not_in_doubt(failure.class), ..failure }),
    }
}

/// What a single call's failure says: nobody there may be no audience there.
pub async fn of_single(shared: &Shared, step: &Step, failure: CallFailure) -> CallFailure {
    if step.target().service() != Some(Service::Mailchimp) || !is_not_found(&failure) {
        return failure;
    }
    audience_is_there(shared).await.err().unwrap_or(failure)
}

/// Whether a refusal says that something is not there.
pub fn is_not_found(failure: &CallFailure) -> bool {
    failure.class == FailureClass::Permanent && failure.refusal == RefusalCode::NotFound
}

async fn is_writable(shared: &Shared, list: ListId) -> CallResult<bool> {
    let found = shared.crm.lists(Priority::HandOver, &[list]).await?;
    Ok(found.iter().any(|found| found.list == list && found.kind != ListKind::Dynamic))
}

/// What becomes of a step whose target nobody can change any more, and which holds up nobody: a list that HubSpot's own
/// rule fills by now is not left (R15), a property that is read-only by now not written (R9). None where the step waits;
/// what cannot be looked up is waited for.
pub async fn goes_on_without(shared: &Shared, step: &Step, failure: &CallFailure) -> Option<StepOutcome> {
    match step {
        Step::LeaveList { list } if failure.class == FailureClass::TargetAway => {
            let found = shared.crm.lists(Priority::HandOver, &[*list]).await.ok()?;
            let is_by_rule = found.iter().any(|found| found.list == *list && found.kind == ListKind::Dynamic);
            is_by_rule.then_some(StepOutcome::AlreadyHeld)
        }
        Step::SetProperty { property, .. } if failure.refusal == RefusalCode::NotWritable => {
            let defined = shared.crm.properties(Priority::HandOver).await.ok()?;
            let is_read_only = defined.iter().any(|found| found.name == *property && found.read_only);
            is_read_only.then_some(StepOutcome::LeftTheirs)
        }
        _ => None,
    }
}

/// A read that failed leaves nothing in doubt.
fn not_in_doubt(class: FailureClass) -> FailureClass {
    match class {
        FailureClass::InDoubt | FailureClass::Permanent => FailureClass::Transient,
        other => other,
    }
}

/// The same, said of the target.
fn away(target: &Target, failure: CallFailure) -> CallFailure {
    let what = match target {
        Target::Contacts => "a contact property".to_owned(),
        other => lane_name(other),
    };
    let message = format!("{what} is gone, or cannot be written ({})", failure.message);
    CallFailure { class: FailureClass::TargetAway, message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HubSpot may answer 404 for a whole batch of which one contact is gone.
    #[test]
    fn properties_of_whom_one_is_not_found_are_halved_and_a_list_that_is_not_found_is_away() {
        assert_eq!(says(&Verb::SetProperties, RefusalCode::NotFound), Says::Somebody);
        for verb in
            [Verb::Join, Verb::Leave, Verb::SetTag, Verb::ClearTag, Verb::Subscribe, Verb::Unsubscribe]
        {
            assert_eq!(says(&verb, RefusalCode::NotFound), Says::Away, "{verb:?}");
        }
        assert_eq!(says(&Verb::Join, RefusalCode::NotWritable), Says::Away, "a list that became dynamic");
        assert_eq!(
            says(&Verb::SetProperties, RefusalCode::NotWritable),
            Says::Away,
            "a property that is gone"
        );
    }

    #[test]
    fn a_list_that_refuses_for_another_reason_is_looked_at_before_anybody_is_blamed() {
        assert_eq!(says(&Verb::Join, RefusalCode::InvalidValue), Says::Either);
        assert_eq!(says(&Verb::Leave, RefusalCode::Other), Says::Either);
        assert_eq!(says(&Verb::Subscribe, RefusalCode::InvalidValue), Says::Somebody);
    }
}
