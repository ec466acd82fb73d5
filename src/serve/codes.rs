//! Which code a word of a report stands for: the same words are keys of its counts.

use crate::domain::code::Code;
use crate::domain::failure::RefusalCode;
use crate::domain::person::{ADDRESS_CHANGED, PersonState, SECOND_MEMBER, UNRESOLVED};
use crate::domain::plan::Limit;
use crate::domain::report::Repeated;
use crate::domain::run::Run;
use std::collections::BTreeMap;

/// The code of a limit, a refusal, or a reason for which somebody is left alone, by its word.
pub fn of_word(word: &str) -> Option<Code> {
    let refusal = RefusalCode::ALL.into_iter().find(|code| code.word() == word).map(RefusalCode::code);
    let limit = || Limit::ALL.into_iter().find(|limit| limit.word() == word).map(Limit::code);
    let unclear = || match word {
        ADDRESS_CHANGED => Some(Code::AddressChanged),
        SECOND_MEMBER => Some(Code::SecondMember),
        UNRESOLVED => Some(Code::Unresolved),
        _ => None,
    };
    let state = || PersonState::ALL.into_iter().find(|state| state.word() == word).and_then(of_state);
    refusal.or_else(limit).or_else(unclear).or_else(state)
}

/// The code of a state in which somebody is left alone until a person acts; none for all others.
pub fn of_state(state: PersonState) -> Option<Code> {
    match state {
        PersonState::Contested => Some(Code::Contested),
        PersonState::NoAddress => Some(Code::WithoutAddress),
        PersonState::Twin => Some(Code::Twin),
        PersonState::ArchivedByOthers => Some(Code::ArchivedByOthers),
        PersonState::OptedOut
        | PersonState::Protected
        | PersonState::Excluded
        | PersonState::HandedOver
        | PersonState::Enrolled
        | PersonState::Pending
        | PersonState::Parked
        | PersonState::LeftOut
        | PersonState::Foreign => None,
    }
}

/// The code of what repeats itself: of the refusal or limit that it ends with.
pub fn of_repeated(repeated: &Repeated) -> Option<Code> {
    of_word(cause_of(repeated))
}

/// `exclude: the member is archived: not-removable`, `left out by audience_cap`
fn cause_of(repeated: &Repeated) -> &str {
    repeated.what.rsplit([' ', ':']).next().unwrap_or_default()
}

/// Every word of a run's report that has a page, with its code.
pub fn of_run(run: &Run) -> BTreeMap<String, Code> {
    let limits = run.counts.left_out.keys();
    let parked = run.counts.parked.keys().chain(run.report.parked.iter().map(|one| &one.reason));
    let states = run.counts.people.iter().filter(|(_, count)| **count > 0).map(|(state, _)| state);
    let words = limits.chain(parked).chain(states).map(String::as_str);
    let words = words.chain(run.report.repeated.iter().map(cause_of));
    words.filter_map(|word| Some((word.to_owned(), of_word(word)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_and_limit_has_a_code_of_its_own_by_its_word() {
        let words = RefusalCode::ALL.map(RefusalCode::word).into_iter().chain(Limit::ALL.map(Limit::word));
        let codes: std::collections::BTreeSet<Code> = words.clone().filter_map(of_word).collect();
        assert_eq!(codes.len(), words.count());
        assert_eq!(of_word("enrolled"), None);
        assert_eq!(of_word("twin"), Some(Code::Twin));
    }
}
