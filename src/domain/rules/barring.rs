//! Which lists stand against an enrolment that has waited since it was planned (R1, R12, R16): for whoever looks once more
//! before mail is started. The same lists as a plan goes by.

use super::RuleSet;
use crate::domain::id::ListId;
use std::collections::{BTreeMap, BTreeSet};

/// The lists that stand against it, by the source list people are enrolled from: a set for each group that has it.
#[derive(Clone, Debug, Default)]
pub struct Barring(BTreeMap<ListId, Vec<BTreeSet<ListId>>>);

impl RuleSet {
    /// Which lists stand against an enrolment.
    pub fn barring(&self) -> Barring {
        let everywhere = self.handovers.iter().filter_map(|handover| handover.to);
        let everywhere: BTreeSet<ListId> = self.critical.iter().copied().chain(everywhere).collect();
        let mut barring = Barring::default();
        for group in &self.groups {
            let against: BTreeSet<ListId> = everywhere.iter().chain(&group.exclude).copied().collect();
            for source in &group.lists {
                barring.0.entry(source.list).or_default().push(against.clone());
            }
        }
        barring
    }
}

impl Barring {
    /// Why somebody who is in these lists is not to be enrolled from that one; nothing stands against a list that the
    /// config names no longer, whose moves keep the targets they were planned with.
    pub fn why_not(&self, from: ListId, lists: &BTreeSet<ListId>) -> Option<String> {
        let groups = self.0.get(&from)?;
        if !lists.contains(&from) {
            return Some(format!("has left list {from} since the plan was made"));
        }
        // None where a group may still take them.
        let by: Option<Vec<_>> = groups.iter().map(|against| against.intersection(lists).next()).collect();
        by?.first().map(|list| format!("in list {list} since the plan was made"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(ids: &[u64]) -> BTreeSet<ListId> {
        ids.iter().copied().map(ListId).collect()
    }

    #[test]
    fn r12_a_list_bars_when_it_bars_in_every_group_that_may_take_them() {
        // Both groups have 987; 762 is critical, 946 a destination, 717 excludes from the first group only.
        let groups = vec![lists(&[762, 946, 717]), lists(&[762, 946])];
        let barring = Barring(BTreeMap::from([(ListId(987), groups)]));
        let why_not = |ids: &[u64]| barring.why_not(ListId(987), &lists(ids));
        assert_eq!(why_not(&[987, 5]), None);
        assert_eq!(why_not(&[987, 717]), None, "the other group takes them");
        assert_eq!(why_not(&[987, 762]).as_deref(), Some("in list 762 since the plan was made"));
        assert_eq!(why_not(&[987, 946]).as_deref(), Some("in list 946 since the plan was made"));
        assert_eq!(why_not(&[946]).as_deref(), Some("has left list 987 since the plan was made"));
        assert_eq!(barring.why_not(ListId(1), &lists(&[])), None, "named no longer");
    }
}
