//! Which moves are on their way: a lane that is not full waits for those that may still come to it, and for nobody
//! else.
//!
//! A move is on its way while its person's actor works on it, or a call of it is out. It is not while it waits in a
//! lane, sleeps, or waits for an asynchronous batch. Once nobody is on their way, that lane goes first whose steps
//! have the longest way before them: from there somebody may come to the others. So no lane ever waits for one that
//! waits for it, and how long it waits follows from what goes on, not from a clock.
//!
//! An opt-out waits for nobody but other opt-outs that are on their way to the same lane: alone it goes at once,
//! and hundreds of one run go in one call.
//!
//! Never: the only reason to wait. A call that hangs holds up its own lane; the others go on after a moment.

use crate::domain::step::Target;
use crate::threads::{Mutex, lock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is on their way, and who waits.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Roads>);

/// All under one lock: a lane that looked at one after the other would miss whoever goes over in between.
#[derive(Debug, Default)]
struct Roads {
    moving: usize,
    /// How many opt-outs on their way have each lane still before them.
    opt_outs: BTreeMap<Target, usize>,
    /// Of each lane in which somebody waits: the most steps that one of them has still before them.
    waiting: BTreeMap<Target, usize>,
}

/// A move is on its way for as long as this is kept.
#[derive(Debug)]
pub struct Moving {
    traffic: Arc<Traffic>,
    opts_out_in: Vec<Target>,
}

impl Drop for Moving {
    fn drop(&mut self) {
        let mut roads = lock(&self.traffic.0);
        roads.moving = roads.moving.saturating_sub(1);
        for lane in &self.opts_out_in {
            if let Some(coming) = roads.opt_outs.get_mut(lane) {
                *coming = coming.saturating_sub(1);
            }
        }
    }
}

impl Traffic {
    /// A move is on its way; if it is an opt-out, to these lanes.
    pub fn moving(self: &Arc<Self>, opts_out_in: Vec<Target>) -> Moving {
        let mut roads = lock(&self.0);
        roads.moving += 1;
        for lane in &opts_out_in {
            *roads.opt_outs.entry(lane.clone()).or_default() += 1;
        }
        drop(roads);
        Moving { traffic: Arc::clone(self), opts_out_in }
    }

    /// Whether an opt-out is on its way to this lane.
    pub fn expects_opt_out(&self, lane: &Target) -> bool {
        lock(&self.0).opt_outs.get(lane).is_some_and(|coming| *coming > 0)
    }

    /// In this lane somebody waits who has at most so many steps before them; none when nobody does. Told before those
    /// who came are on their way no more, and after those who leave are on it again: whoever is between two lanes is
    /// never seen in neither.
    pub fn waits(&self, lane: &Target, furthest: Option<usize>) {
        let mut roads = lock(&self.0);
        match furthest {
            Some(steps) => roads.waiting.insert(lane.clone(), steps),
            None => roads.waiting.remove(lane),
        };
    }

    /// Whether a lane that is not full has nobody to wait for.
    pub fn is_turn_of(&self, lane: &Target) -> bool {
        let roads = lock(&self.0);
        let furthest = roads.waiting.values().max();
        roads.moving == 0 && roads.waiting.get(lane).is_none_or(|steps| Some(steps) >= furthest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ListId;

    #[test]
    fn a_lane_waits_while_anybody_is_on_their_way() {
        let traffic = Arc::new(Traffic::default());
        traffic.waits(&Target::Audience, Some(0));
        let (one, other) = (traffic.moving(vec![]), traffic.moving(vec![]));
        assert!(!traffic.is_turn_of(&Target::Audience));
        drop(one);
        assert!(!traffic.is_turn_of(&Target::Audience));
        drop(other);
        assert!(traffic.is_turn_of(&Target::Audience));
    }

    #[test]
    fn an_opt_out_is_waited_for_where_it_comes_to_and_nowhere_else() {
        let traffic = Arc::new(Traffic::default());
        let opt_out = traffic.moving(vec![Target::AudienceOptOut]);
        let other = traffic.moving(vec![]);
        assert!(traffic.expects_opt_out(&Target::AudienceOptOut));
        assert!(!traffic.expects_opt_out(&Target::ContactOptOut));
        drop(opt_out);
        assert!(!traffic.expects_opt_out(&Target::AudienceOptOut));
        drop(other);
    }

    #[test]
    fn the_lane_from_which_others_may_come_goes_first_and_two_that_wait_for_each_other_both_go() {
        let traffic = Traffic::default();
        let list = Target::List(ListId(946));
        traffic.waits(&list, Some(4));
        traffic.waits(&Target::Audience, Some(1));
        assert!(traffic.is_turn_of(&list) && !traffic.is_turn_of(&Target::Audience));
        traffic.waits(&list, None);
        assert!(traffic.is_turn_of(&Target::Audience));
        traffic.waits(&list, Some(1));
        assert!(traffic.is_turn_of(&list) && traffic.is_turn_of(&Target::Audience));
    }
}
