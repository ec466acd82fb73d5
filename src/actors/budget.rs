//! The rate budget of one account: which waiting call may leave, and when. Pure: time is a parameter.
//!
//! HubSpot's window rolls, so a token bucket with a full burst plus a full refill would pass it: the
//! calls of the last window are counted instead (HubSpot contract §4). The service counts a call at some
//! moment between its leaving and its answer, so a call in flight always counts, and an answered one for a
//! whole window after its answer: however slow the way, the service's own count is never higher.
//! Mailchimp has no number of calls, only simultaneous connections (Mailchimp contract §3).

use crate::domain::day::ServiceDay;
use crate::domain::port::{Budget, Observed, Priority};
use crate::domain::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Bounds of an account, from the config and the contracts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetLimits {
    /// Simultaneous calls; one more is kept for opt-outs.
    pub connections: usize,
    /// Calls per window until the headers say otherwise; none where the service counts none.
    pub per_window: Option<u32>,
    /// An upper bound the operator set.
    pub at_most: Option<u32>,
    /// The window.
    pub window: Duration,
    /// Search calls per second, outside the window; none where the service has no such budget.
    pub searches_per_second: Option<u32>,
    /// Share of the window left to the account's other apps.
    pub reserve: f64,
}

/// What the budget says to a waiting call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Go.
    Now,
    /// Not before this moment.
    At(Timestamp),
    /// When a call in flight ends.
    WhenFree,
    /// The service asked to be left alone for longer than a call can wait.
    LeftAlone {
        /// Until then.
        until: Timestamp,
    },
    /// The credentials are refused; one call may try again at the moment given.
    Stopped {
        /// When.
        retry_at: Timestamp,
    },
}

/// The state of an account whose credentials are refused.
const REFUSED: &str = "credentials refused";
/// A day's quota that is used up is looked for again after this, where nobody knows when the day ends.
const DAY_UNKNOWN: Duration = Duration::from_secs(15 * 60);

/// The circuit breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
        times: u32,
    },
    /// One call is out to see whether the service is back.
    Trying {
        times: u32,
    },
}

const FAILURES_TO_OPEN: u32 = 5;
/// Callers are not held longer than this: a day's quota that is used up would hold a run until midnight.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Their clock need not run exactly as fast as ours.
const MARGIN: Duration = Duration::from_millis(150);

/// What a window holds: calls that are out, and calls by the moment their answer came.
#[derive(Clone, Debug, Default)]
struct Spent {
    out: usize,
    answered: VecDeque<Timestamp>,
}

/// The budget of one account.
#[derive(Clone, Debug)]
pub struct RateBudget {
    limits: BudgetLimits,
    learned_max: Option<u32>,
    learned_window: Option<Duration>,
    ordinary: Spent,
    searches: Spent,
    connections: usize,
    not_before: Timestamp,
    breaker: Breaker,
    stopped_until: Option<Timestamp>,
    trying_credentials: bool,
    limited_times: u32,
    calls: u64,
    daily_remaining: Option<u64>,
    day: Option<ServiceDay>,
    used_up_until: Option<Timestamp>,
    last_limited: Timestamp,
}

impl RateBudget {
    /// A fresh budget.
    pub fn new(limits: BudgetLimits) -> RateBudget {
        RateBudget {
            limits,
            learned_max: None,
            learned_window: None,
            ordinary: Spent::default(),
            searches: Spent::default(),
            connections: limits.connections,
            not_before: Timestamp(i64::MIN),
            breaker: Breaker::Closed { failures: 0 },
            stopped_until: None,
            trying_credentials: false,
            limited_times: 0,
            calls: 0,
            daily_remaining: None,
            day: None,
            used_up_until: None,
            last_limited: Timestamp(i64::MIN),
        }
    }

    /// When the account's day, and with it the daily quota, ends.
    pub fn day_is(&mut self, day: Option<ServiceDay>) {
        self.day = day;
    }

    /// Until when the daily quota is used up.
    pub fn used_up_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.used_up_until.filter(|until| *until > now)
    }

    /// Whether a call may leave now. `Now` must be followed by [`RateBudget::start`].
    pub fn admit(&mut self, now: Timestamp, priority: Priority, budget: Budget) -> Admission {
        if let Some(retry_at) = self.stopped_until
            && (now < retry_at || self.trying_credentials)
        {
            return Admission::Stopped { retry_at };
        }
        match self.breaker {
            Breaker::Open { until, .. } if now < until => return Admission::At(until),
            Breaker::Trying { .. } if self.in_flight() > 0 => return Admission::WhenFree,
            Breaker::Open { .. } | Breaker::Trying { .. } | Breaker::Closed { .. } => {}
        }
        if now < self.not_before {
            let until = self.not_before;
            let long = until.since(now) > LONGEST_WAIT;
            return if long { Admission::LeftAlone { until } } else { Admission::At(until) };
        }
        let room = if priority == Priority::OptOut { self.connections + 1 } else { self.connections };
        if self.in_flight() >= room {
            return Admission::WhenFree;
        }
        match budget {
            Budget::Search if self.limits.searches_per_second.is_some() => {
                let max = self.limits.searches_per_second.unwrap_or(1).max(1) as usize;
                self.searches.slot(now, Duration::from_secs(1) + MARGIN, max)
            }
            Budget::Search | Budget::Ordinary => match self.window_max() {
                Some(max) => {
                    let window = self.learned_window.unwrap_or(self.limits.window) + MARGIN;
                    self.ordinary.slot(now, window, max as usize)
                }
                None => Admission::Now,
            },
        }
    }

    /// A call leaves.
    pub fn start(&mut self, budget: Budget) {
        self.calls += 1;
        if self.stopped_until.is_some() {
            self.trying_credentials = true;
        }
        if let Breaker::Open { times, .. } = self.breaker {
            self.breaker = Breaker::Trying { times };
        }
        self.spent(budget).out += 1;
    }

    /// A call has ended, and this was seen. True when it says for the first time that the credentials are
    /// refused: worth one alert.
    pub fn finish(&mut self, now: Timestamp, budget: Budget, seen: &Observed) -> bool {
        self.spent(budget).answer(now);
        self.trying_credentials = false;
        self.learn(now, seen);
        if seen.unauthorized {
            return self.stopped_until.replace(now.plus(Duration::from_secs(60))).is_none();
        }
        self.observe(now, seen);
        false
    }

    fn observe(&mut self, now: Timestamp, seen: &Observed) {
        if seen.status.is_some() && !seen.limited {
            self.stopped_until = None;
        }
        if seen.limited {
            self.limited_times += 1;
            let until = match (seen.retry_after, seen.daily_remaining) {
                (Some(told), _) => now.plus(told),
                (None, Some(0)) => {
                    let ends = self.day.as_ref().and_then(|day| day.ends(now));
                    ends.unwrap_or_else(|| now.plus(DAY_UNKNOWN))
                }
                (None, _) => {
                    let wait = Duration::from_secs(1 << self.limited_times.min(6));
                    now.plus(wait.min(self.limits.window))
                }
            };
            self.not_before = self.not_before.max(until);
            if seen.daily_remaining == Some(0) {
                self.used_up_until = Some(self.not_before);
            }
            if self.limits.per_window.is_none() && now.since(self.last_limited) > Duration::from_secs(1) {
                self.connections = (self.connections / 2).max(1);
            }
            self.last_limited = now;
            return;
        }
        self.limited_times = 0;
        let failed = seen.status.is_none_or(|status| status >= 500);
        self.breaker = match (self.breaker, failed) {
            (Breaker::Closed { failures }, true) if failures + 1 >= FAILURES_TO_OPEN => open(now, 0),
            (Breaker::Closed { failures }, true) => Breaker::Closed { failures: failures + 1 },
            (Breaker::Open { times, .. } | Breaker::Trying { times }, true) => open(now, times + 1),
            (_, false) => Breaker::Closed { failures: 0 },
        };
        if self.connections < self.limits.connections && now.since(self.last_limited) > self.limits.window {
            self.connections += 1;
            self.last_limited = now;
        }
    }

    /// A permit was dropped without a report: nothing was sent, or nobody knows.
    pub fn release(&mut self, now: Timestamp, budget: Budget) {
        self.spent(budget).answer(now);
        self.trying_credentials = false;
        if let Breaker::Trying { times } = self.breaker {
            self.breaker = Breaker::Open { until: Timestamp(i64::MIN), times };
        }
    }

    fn learn(&mut self, now: Timestamp, seen: &Observed) {
        if let Some(window) = seen.window_ms.filter(|window| (1_000..=600_000).contains(window)) {
            self.learned_window = Some(Duration::from_millis(window));
        }
        if let Some(max) = seen.window_max.filter(|max| *max > 0) {
            self.learned_max = Some(max);
        }
        if seen.daily_remaining.is_some() {
            self.daily_remaining = seen.daily_remaining;
        }
        // Others use the same budget: what they say is left is the truth, and those in flight are not
        // counted in it yet.
        if let (Some(left), Some(max)) = (seen.window_remaining, self.window_max()) {
            let ours = self.ordinary.out + self.ordinary.answered.len();
            let theirs = (max as usize).saturating_sub(left as usize);
            for _ in ours..theirs.min(max as usize) {
                self.ordinary.answered.push_back(now);
            }
        }
    }

    fn spent(&mut self, budget: Budget) -> &mut Spent {
        match budget {
            Budget::Search if self.limits.searches_per_second.is_some() => &mut self.searches,
            Budget::Search | Budget::Ordinary => &mut self.ordinary,
        }
    }

    fn in_flight(&self) -> usize {
        self.ordinary.out + self.searches.out
    }

    fn window_max(&self) -> Option<u32> {
        let max = self.learned_max.or(self.limits.per_window)?;
        let max = self.limits.at_most.map_or(max, |bound| max.min(bound));
        Some(((f64::from(max) * (1.0 - self.limits.reserve.clamp(0.0, 0.95))).floor() as u32).max(1))
    }

    /// What `status` shows: used, at most, in flight, connections, calls so far, left today, breaker.
    pub fn overview(&mut self, now: Timestamp) -> BudgetOverview {
        let window = self.learned_window.unwrap_or(self.limits.window);
        self.ordinary.forget(now, window);
        BudgetOverview {
            used: (self.ordinary.out + self.ordinary.answered.len()) as u64,
            max: self.window_max().map(u64::from),
            window,
            in_flight: self.in_flight() as u64,
            connections: self.connections as u64,
            calls: self.calls,
            daily_remaining: self
                .daily_remaining
                .filter(|left| *left > 0 || self.used_up_until.is_none_or(|until| until > now)),
            used_up_until: self.used_up_until(now),
            left_alone_until: Some(self.not_before).filter(|until| *until > now),
            state: match (self.stopped_until, self.breaker) {
                (Some(_), _) => REFUSED,
                (None, _) if self.used_up_until(now).is_some() => "daily quota used up",
                (None, Breaker::Closed { .. }) if now < self.not_before => "waiting as told",
                (None, Breaker::Closed { .. }) => "closed",
                (None, Breaker::Open { .. } | Breaker::Trying { .. }) => "service down",
            },
        }
    }
}

/// A look at a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetOverview {
    /// Calls in the present window.
    pub used: u64,
    /// Calls a window may have.
    pub max: Option<u64>,
    /// The window.
    pub window: Duration,
    /// Calls out now.
    pub in_flight: u64,
    /// Connections in use at most.
    pub connections: u64,
    /// Calls since start.
    pub calls: u64,
    /// Calls left today, as the service said last.
    pub daily_remaining: Option<u64>,
    /// Until when the daily quota is used up, when it is.
    pub used_up_until: Option<Timestamp>,
    /// Until when the service asked to be left alone.
    pub left_alone_until: Option<Timestamp>,
    /// In words.
    pub state: &'static str,
}

impl BudgetOverview {
    /// Whether the service refuses the credentials.
    pub fn is_refused(&self) -> bool {
        self.state == REFUSED
    }
}

fn open(now: Timestamp, times: u32) -> Breaker {
    Breaker::Open { until: now.plus(Duration::from_secs(1 << times.min(5))), times }
}

impl Spent {
    fn answer(&mut self, now: Timestamp) {
        self.out = self.out.saturating_sub(1);
        self.answered.push_back(now);
    }

    fn forget(&mut self, now: Timestamp, window: Duration) {
        while self.answered.front().is_some_and(|at| *at > now || now.since(*at) >= window) {
            self.answered.pop_front();
        }
    }

    /// `Now` when the window that ends now holds fewer than `max` calls, else when the oldest that is in
    /// the way leaves it.
    fn slot(&mut self, now: Timestamp, window: Duration, max: usize) -> Admission {
        self.forget(now, window);
        let Some(room) = max.checked_sub(self.out).filter(|room| *room > 0) else {
            return Admission::WhenFree;
        };
        match self.answered.len().checked_sub(room).and_then(|at| self.answered.get(at)) {
            Some(oldest) => Admission::At(oldest.plus(window)),
            None => Admission::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hubspot() -> BudgetLimits {
        BudgetLimits {
            connections: 20,
            per_window: Some(100),
            at_most: None,
            window: Duration::from_secs(10),
            searches_per_second: Some(5),
            reserve: 0.0,
        }
    }

    fn ok() -> Observed {
        Observed { status: Some(200), ..Observed::default() }
    }

    proptest! {
        #[test]
        fn no_rolling_window_ever_holds_more_calls_than_allowed(gaps in prop::collection::vec(0u64..400, 1..600)) {
            let mut budget = RateBudget::new(hubspot());
            let mut now = Timestamp(1_000_000);
            let mut sent = Vec::new();
            for gap in gaps {
                now = now.plus(Duration::from_millis(gap));
                loop {
                    match budget.admit(now, Priority::Scan, Budget::Ordinary) {
                        Admission::Now => break,
                        Admission::At(at) => { prop_assert!(at > now); now = at; }
                        other => panic!("{other:?}"),
                    }
                }
                budget.start(Budget::Ordinary);
                sent.push(now);
                budget.finish(now, Budget::Ordinary, &ok());
            }
            for (index, first) in sent.iter().enumerate() {
                let within = sent.iter().skip(index).take_while(|at| at.since(*first) < Duration::from_secs(10)).count();
                prop_assert!(within <= 100);
            }
        }
    }

    #[test]
    fn a_call_counts_from_its_leaving_to_a_window_after_its_answer() {
        let limits = BudgetLimits { per_window: Some(2), ..hubspot() };
        let mut budget = RateBudget::new(limits);
        budget.start(Budget::Ordinary);
        budget.start(Budget::Ordinary);
        let late = Timestamp(60_000);
        assert_eq!(budget.admit(late, Priority::Scan, Budget::Ordinary), Admission::WhenFree, "both are out");
        budget.finish(late, Budget::Ordinary, &ok());
        assert_eq!(budget.admit(late, Priority::Scan, Budget::Ordinary), Admission::At(Timestamp(70_150)));
        // However slow the way was, the service may have counted the first call just now.
        budget.finish(Timestamp(61_000), Budget::Ordinary, &ok());
        assert_eq!(
            budget.admit(Timestamp(69_000), Priority::Scan, Budget::Ordinary),
            Admission::At(Timestamp(70_150))
        );
        assert_eq!(budget.admit(Timestamp(70_150), Priority::Scan, Budget::Ordinary), Admission::Now);
    }

    #[test]
    fn the_bound_is_learned_from_the_headers_but_never_passes_the_operators() {
        let mut budget = RateBudget::new(BudgetLimits { at_most: Some(150), ..hubspot() });
        budget.start(Budget::Ordinary);
        budget.finish(Timestamp(0), Budget::Ordinary, &Observed { window_max: Some(190), ..ok() });
        assert_eq!(budget.overview(Timestamp(0)).max, Some(150));
    }

    #[test]
    fn opt_outs_have_a_connection_of_their_own() {
        let mut budget = RateBudget::new(BudgetLimits { connections: 1, ..hubspot() });
        budget.start(Budget::Ordinary);
        assert_eq!(budget.admit(Timestamp(0), Priority::Scan, Budget::Ordinary), Admission::WhenFree);
        assert_eq!(budget.admit(Timestamp(0), Priority::OptOut, Budget::Ordinary), Admission::Now);
    }

    #[test]
    fn retry_after_holds_everything_back_for_as_long_as_told() {
        let mut budget = RateBudget::new(hubspot());
        budget.start(Budget::Ordinary);
        let limited = Observed {
            status: Some(429),
            limited: true,
            retry_after: Some(Duration::from_secs(7)),
            ..Observed::default()
        };
        budget.finish(Timestamp(0), Budget::Ordinary, &limited);
        assert_eq!(
            budget.admit(Timestamp(1), Priority::OptOut, Budget::Ordinary),
            Admission::At(Timestamp(7_000))
        );
    }

    #[test]
    fn a_wait_too_long_for_a_call_is_told_instead_of_waited() {
        let mut budget = RateBudget::new(hubspot());
        budget.start(Budget::Ordinary);
        let limited = Observed {
            status: Some(429),
            limited: true,
            retry_after: Some(Duration::from_secs(900)),
            ..Observed::default()
        };
        budget.finish(Timestamp(0), Budget::Ordinary, &limited);
        let until = Timestamp(900_000);
        assert_eq!(
            budget.admit(Timestamp(1), Priority::OptOut, Budget::Ordinary),
            Admission::LeftAlone { until }
        );
        assert_eq!(budget.admit(Timestamp(850_000), Priority::Scan, Budget::Ordinary), Admission::At(until));
    }

    #[test]
    fn a_days_quota_that_is_used_up_is_waited_for_until_the_accounts_midnight() {
        let daily =
            Observed { status: Some(429), limited: true, daily_remaining: Some(0), ..Observed::default() };
        // 2026-11-23T14:00:00Z; in New York the day ends at five in the morning.
        let now = Timestamp(1_795_442_400_000);
        let mut budget = RateBudget::new(hubspot());
        budget.start(Budget::Ordinary);
        budget.finish(now, Budget::Ordinary, &daily);
        assert_eq!(budget.used_up_until(now), Some(now.plus(DAY_UNKNOWN)), "nobody knows when the day ends");
        budget.day_is(ServiceDay::of_zone("US/Eastern"));
        budget.finish(now, Budget::Ordinary, &daily);
        let until = now.plus(Duration::from_secs(15 * 60 * 60));
        assert_eq!(budget.admit(now, Priority::OptOut, Budget::Ordinary), Admission::LeftAlone { until });
        let look = budget.overview(now);
        assert_eq!((look.used_up_until, look.state), (Some(until), "daily quota used up"));
        assert_eq!(budget.admit(until, Priority::Scan, Budget::Ordinary), Admission::Now);
        let look = budget.overview(until);
        assert_eq!((look.used_up_until, look.daily_remaining), (None, None), "a new day");
    }

    #[test]
    fn the_breaker_opens_after_five_failures_and_lets_one_call_try() {
        let mut budget = RateBudget::new(hubspot());
        for _ in 0..5 {
            budget.start(Budget::Ordinary);
            budget.finish(
                Timestamp(0),
                Budget::Ordinary,
                &Observed { status: Some(503), ..Observed::default() },
            );
        }
        assert_eq!(
            budget.admit(Timestamp(10), Priority::Scan, Budget::Ordinary),
            Admission::At(Timestamp(1_000))
        );
        assert_eq!(budget.admit(Timestamp(1_000), Priority::Scan, Budget::Ordinary), Admission::Now);
        budget.start(Budget::Ordinary);
        assert_eq!(budget.admit(Timestamp(1_000), Priority::Scan, Budget::Ordinary), Admission::WhenFree);
        budget.finish(Timestamp(1_100), Budget::Ordinary, &ok());
        assert_eq!(budget.admit(Timestamp(1_100), Priority::Scan, Budget::Ordinary), Admission::Now);
    }

    #[test]
    fn refused_credentials_stop_the_account_until_a_try_succeeds() {
        let mut budget = RateBudget::new(hubspot());
        budget.start(Budget::Ordinary);
        let refused = Observed { status: Some(401), unauthorized: true, ..Observed::default() };
        assert!(budget.finish(Timestamp(0), Budget::Ordinary, &refused), "told once");
        budget.start(Budget::Ordinary);
        assert!(!budget.finish(Timestamp(0), Budget::Ordinary, &refused), "and no more");
        let stopped = Admission::Stopped { retry_at: Timestamp(60_000) };
        assert_eq!(budget.admit(Timestamp(1), Priority::OptOut, Budget::Ordinary), stopped);
        assert_eq!(budget.admit(Timestamp(60_000), Priority::OptOut, Budget::Ordinary), Admission::Now);
        budget.start(Budget::Ordinary);
        assert_eq!(budget.admit(Timestamp(60_001), Priority::Scan, Budget::Ordinary), stopped);
        budget.finish(Timestamp(60_100), Budget::Ordinary, &ok());
        assert_eq!(budget.admit(Timestamp(60_100), Priority::Scan, Budget::Ordinary), Admission::Now);
    }
}
