//! Chance: every choice of a simulation comes from its seed, by one stream for each concern, so that one draw more
//! here changes nothing that is drawn there.

use super::held;
use crate::domain::port::Entropy;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;
use std::time::Duration;

/// One stream of draws.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of a concern.
    pub(super) fn of(seed: u64, concern: u64) -> Chance {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(concern);
        Chance(chance)
    }

    /// The generator itself, for whoever draws by it.
    pub(super) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// A number in a range, both ends included.
    pub(super) fn number(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most.max(least))
    }

    /// An index below a length; 0 of an empty one.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length.max(1))
    }

    /// Whether it happens, `times` in a hundred.
    pub(super) fn percent(&mut self, times: u64) -> bool {
        self.number(1, 100) <= times
    }

    /// One of several.
    pub(super) fn one_of<'a, T>(&mut self, several: &'a [T]) -> Option<&'a T> {
        several.get(self.index(several.len()))
    }

    /// A length of time in milliseconds, both ends included.
    pub(super) fn time(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.number(least, most))
    }
}

/// The chance that hsmc itself is given.
pub(super) struct Drawn(Mutex<Chance>);

impl Drawn {
    pub(super) fn new(chance: Chance) -> Drawn {
        Drawn(Mutex::new(chance))
    }
}

impl Entropy for Drawn {
    fn fraction(&self) -> f64 {
        held(&self.0).0.random()
    }

    fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        held(&self.0).0.fill_bytes(&mut bytes);
        bytes
    }
}
