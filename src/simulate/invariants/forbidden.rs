//! Every call was one that a careful client makes. What somebody did a moment before it could not be known: that
//! excuses the call about them, and no other. So does an operator who took the step as settled that would have come
//! before; a move that is undone takes back what it has set itself; and a call that was on its way when they were forgotten
//! meets nobody.

use super::consent::OVERLOOKED;
use crate::domain::email::Email;
use crate::domain::time::Timestamp;
use crate::sandbox::{Actor, Effect, Sandbox, What};
use crate::simulate::people::folded;
use std::collections::{BTreeMap, BTreeSet};

/// Whom hands have done something to, and when last.
#[derive(Default)]
struct ByHand {
    tagged: BTreeMap<(String, String), Timestamp>,
    archived: BTreeMap<String, Timestamp>,
    /// Who is subscribed, or opted in, again by their own hand.
    back: BTreeSet<String>,
}

impl ByHand {
    fn note(&mut self, at: Timestamp, what: &What) {
        match what {
            What::TagSet { email, tag, .. } => {
                self.tagged.insert((folded(email), tag.to_lowercase()), at);
            }
            What::Archived { email, .. } => {
                self.archived.insert(folded(email), at);
            }
            What::OptedIn { email, .. } | What::StatusChanged { email, to: "subscribed", .. } => {
                self.back.insert(folded(email));
            }
            _ => {}
        }
    }

    /// Whether what they have just done to this person excuses the call.
    fn excuses(&self, rule: &str, whose: &str, detail: &str, asked: Timestamp) -> bool {
        let done = match rule {
            "protected-bearer-archived" => self.tagged.get(&(folded(whose), detail.to_lowercase())),
            "tag-without-member" => self.archived.get(&folded(whose)),
            _ => None,
        };
        done.is_some_and(|done| done.plus(OVERLOOKED) >= asked)
    }
}

/// As Mailchimp's paths name a member; what is no address is such a name already.
fn hash(email: &str) -> String {
    Email::parse(email).map_or_else(|_| email.to_owned(), |email| email.hash().hex())
}

/// The calls that a careful client would not have made.
pub(in crate::simulate) fn nothing_forbidden(sandbox: &Sandbox, skipped: &BTreeSet<String>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut by_hand = ByHand::default();
    // Tags that a call has set, and nobody has cleared since: a move that is undone takes them back, protected or not.
    let mut by_call: BTreeSet<(String, String)> = BTreeSet::new();
    let mut forgotten: BTreeMap<String, Timestamp> = BTreeMap::new();
    for Effect { at, asked, by, what, .. } in sandbox.effects.all() {
        match what {
            What::Violation { rule, whose, detail } => {
                let whose = whose.as_deref().unwrap_or_default();
                let whose_erasure = (*rule == "erased-without-opt-out").then(|| folded(whose));
                let may_be_erased = whose_erasure
                    .is_some_and(|whose| skipped.contains(&whose) || by_hand.back.contains(&whose));
                let takes_back = *rule == "protected-tag-cleared"
                    && by_call.contains(&(folded(whose), detail.to_lowercase()));
                let on_its_way = *rule == "tag-without-member"
                    && forgotten.get(&hash(whose)).is_some_and(|gone| asked <= gone);
                if !may_be_erased
                    && !takes_back
                    && !on_its_way
                    && !by_hand.excuses(rule, whose, detail, *asked)
                {
                    broken.push(format!("a forbidden call: {rule}: {detail} {whose}"));
                }
            }
            What::TagSet { email, tag, .. } if *by == Actor::Api => {
                by_call.insert((folded(email), tag.to_lowercase()));
            }
            What::MemberForgotten { email } => {
                forgotten.insert(hash(email), *at);
            }
            What::TagCleared { email, tag, .. } => {
                by_call.remove(&(folded(email), tag.to_lowercase()));
            }
            what if *by != Actor::Api => by_hand.note(*at, what),
            _ => {}
        }
    }
    broken
}
