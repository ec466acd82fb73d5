//! How somebody stands to a segment, and what a look makes of it.

use super::evaluate::Look;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How somebody stands to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether they belong to it.
    pub member: bool,
    /// Since when they have, or have not.
    pub since: Timestamp,
    /// The next moment at which that can change without any change of theirs.
    pub until: Option<Timestamp>,
}

/// What a look changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// They belong to it now.
    Entered,
    /// They do not any more.
    Left,
    /// As before.
    Stayed,
}

impl Standing {
    /// What a look at a moment makes of how somebody stood. None where nothing is worth keeping: no member, and none
    /// by time alone.
    pub fn after(before: Option<Standing>, look: Look, at: Timestamp) -> (Option<Standing>, Turn) {
        let (was, is) = (before.is_some_and(|standing| standing.member), look.is_member());
        let turn = match (was, is) {
            (false, true) => Turn::Entered,
            (true, false) => Turn::Left,
            _ => Turn::Stayed,
        };
        let since = before.filter(|_| was == is).map_or(at, |standing| standing.since);
        let kept = is || look.until.is_some();
        (kept.then_some(Standing { member: is, since, until: look.until }), turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_keeps_since_when_and_is_let_go_when_it_says_nothing() {
        let look = |holds, until: Option<i64>| Look { holds, until: until.map(Timestamp) };
        let at = Timestamp;
        let (waits, turn) = Standing::after(None, look(Some(false), Some(50)), at(10));
        assert_eq!((waits.map(|one| one.member), turn), (Some(false), Turn::Stayed));
        let (member, turn) = Standing::after(waits, look(Some(true), None), at(50));
        assert_eq!(member, Some(Standing { member: true, since: at(50), until: None }));
        assert_eq!(turn, Turn::Entered);
        let (again, turn) = Standing::after(member, look(Some(true), Some(90)), at(60));
        assert_eq!((again.map(|one| one.since), turn), (Some(at(50)), Turn::Stayed));
        // What is unread makes nobody a member, and nobody one who was not.
        assert_eq!(Standing::after(again, look(None, None), at(70)), (None, Turn::Left));
        assert_eq!(Standing::after(None, look(None, None), at(70)), (None, Turn::Stayed));
    }
}
