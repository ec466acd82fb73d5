//! The locks at which threads of hsmc meet: the standard library's, or, with the feature `shuttle`, those of a scheduler
//! that plays one order of threads after another.
//!
//! Never: a program with that feature on. It is for tests alone, and refuses to be built otherwise.

#[cfg(all(feature = "shuttle", not(test)))]
compile_error!("the feature `shuttle` is for `cargo test --features shuttle --lib in_any_order` alone");

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::AtomicU64,
};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::AtomicU64,
};

/// A mutex whose holder panicked is as good as any: what it guards is replaced whole or not at all.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What tests of such orders are made of: real threads, a few times over, or a scheduler's, thousands of times.
#[cfg(test)]
pub(crate) mod orders {
    #[cfg(not(feature = "shuttle"))]
    pub(crate) use futures::executor::block_on;
    #[cfg(feature = "shuttle")]
    pub(crate) use shuttle::{
        future::block_on,
        sync::mpsc::{Receiver, Sender, channel},
        thread::{spawn, yield_now},
    };
    #[cfg(not(feature = "shuttle"))]
    pub(crate) use std::{
        sync::mpsc::{Receiver, Sender, channel},
        thread::{spawn, yield_now},
    };

    /// Plays a case with its threads in one order after another. `ORDERS` says in how many.
    #[cfg(feature = "shuttle")]
    pub(crate) fn in_any_order(case: fn()) {
        let orders = std::env::var("ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(2_000);
        // Half of them change threads anywhere, half only a few times but at the worst moments.
        shuttle::check_random(case, orders / 2);
        shuttle::check_pct(case, orders / 2, 3);
    }

    /// Plays a case often enough that threads come into each other's way in more than one order.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn in_any_order(case: fn()) {
        (0..20).for_each(|_| case());
    }
}
