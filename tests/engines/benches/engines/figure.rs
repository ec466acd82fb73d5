//! Figures from rounds: medians, and the median of the rounds' ratios, never the ratio of medians.

/// What each came to, round by round, always in the same order.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// Each round.
    pub rounds: Vec<Vec<f64>>,
}

impl Rounds {
    /// The median of one of them.
    pub fn median_of(&self, which: usize) -> f64 {
        median(self.rounds.iter().filter_map(|round| round.get(which).copied()).collect())
    }

    /// How many times the one is the other, in the middle of all rounds.
    pub fn ratio(&self, one: usize, other: usize) -> f64 {
        let ratio = |round: &Vec<f64>| Some(round.get(one)? / round.get(other)?);
        median(self.rounds.iter().filter_map(ratio).collect())
    }
}

/// The middle one; of an even number, the mean of the two in the middle; of none, zero.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}
