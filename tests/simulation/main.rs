//! The simulation itself: that a seed is played the same way twice, and that it finds what it is for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use hsmc::simulate::{simulate, simulate_all};

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 1..=4 {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = simulate(seed, true, one.path()).unwrap();
        let second = simulate(seed, true, other.path()).unwrap();
        for (line, (before, after)) in first.trace.iter().zip(&second.trace).enumerate() {
            assert_eq!(before, after, "seed {seed}, line {line}");
        }
        assert_eq!(first, second, "seed {seed}");
        assert!(first.trace.len() > 20 && first.calls > 0, "seed {seed}: {:?}", first.trace);
    }
}

#[test]
fn seeds_played_side_by_side_leave_the_traces_of_seeds_played_alone() {
    let folder = tempfile::tempdir().unwrap();
    let alone = simulate_all(0..6, 1, folder.path(), |_| ()).unwrap();
    let beside = simulate_all(0..6, 3, folder.path(), |_| ()).unwrap();
    assert_eq!(alone, beside);
}
