//! Moments, as milliseconds since 1970 in UTC. This module never asks what time it is: clocks are
//! ports (`port::Clock`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, JsonSchema)]
pub struct Timestamp(pub i64);

/// As a date and time in UTC, which reaches to the end of 9999, and so farther than moments that may lie in any zone.
const EPOCH: jiff::civil::DateTime = jiff::civil::datetime(1970, 1, 1, 0, 0, 0, 0);

impl Timestamp {
    /// The moment `duration` later (saturating).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier (saturating).
    #[must_use]
    pub fn minus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero when it lies ahead (a clock set back is no error).
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads ISO 8601 with an offset, a plain date (midnight UTC), or epoch milliseconds: the
    /// three spellings both services use.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp(moment.as_millisecond()));
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(Timestamp(number));
        }
        let midnight = text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0);
        i64::try_from(midnight.duration_since(EPOCH).as_millis()).ok().map(Timestamp)
    }

    /// The day, in UTC: `2026-11-23`.
    pub fn date(self) -> String {
        self.iso().chars().take_while(|c| *c != 'T').collect()
    }

    /// ISO 8601 in UTC to the second, as both services accept it: `2026-11-23T14:00:00+00:00`.
    pub fn iso(self) -> String {
        match EPOCH.checked_add(jiff::SignedDuration::from_millis(self.0)) {
            Ok(moment) => moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            Err(_) => format!("{}ms", self.0),
        }
    }
}

/// How far another clock is ahead of this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockOffset(i64);

impl ClockOffset {
    /// What is less than this says nothing: a service tells its time in whole seconds, and an answer takes a while.
    const NOISE_MS: u64 = 30_000;
    /// From so much on an operator should know.
    const WRONG_MS: u64 = 5 * 60_000;

    /// The other clock shows `theirs` when this one shows `ours`.
    pub fn between(theirs: Timestamp, ours: Timestamp) -> ClockOffset {
        let apart = theirs.0.saturating_sub(ours.0);
        ClockOffset(if apart.unsigned_abs() < ClockOffset::NOISE_MS { 0 } else { apart })
    }

    /// A moment of this machine's clock, as the other clock shows it.
    pub fn of_theirs(self, ours: Timestamp) -> Timestamp {
        Timestamp(ours.0.saturating_add(self.0))
    }

    /// In milliseconds; negative where the other clock is behind.
    pub fn in_ms(self) -> i64 {
        self.0
    }

    /// From milliseconds.
    pub fn from_ms(ms: i64) -> ClockOffset {
        ClockOffset(ms)
    }

    /// What an operator should know of it: `2h behind`, of this machine's clock; none while it is right enough.
    pub fn in_words(self) -> Option<String> {
        let apart = self.0.unsigned_abs();
        let whole_minutes = Duration::from_secs((apart + 30_000) / 60_000 * 60);
        let word = if self.0 > 0 { "behind" } else { "ahead of" };
        (apart >= ClockOffset::WRONG_MS)
            .then(|| format!("{} {word}", humantime::format_duration(whole_minutes)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match EPOCH.checked_add(jiff::SignedDuration::from_millis(self.0)) {
            Ok(moment) => write!(f, "{}", moment.strftime("%Y-%m-%d %H:%M:%S UTC")),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_a_moment_are_read() {
        let iso = Timestamp::parse("2026-11-23T14:00:00+00:00");
        assert_eq!(iso, Timestamp::parse("2026-11-23T14:00:00.000Z"));
        assert_eq!(iso, Timestamp::parse("1795442400000"));
        assert_eq!(
            Timestamp::parse("2026-11-23").map(Timestamp::iso).as_deref(),
            Some("2026-11-23T00:00:00+00:00")
        );
        assert_eq!(Timestamp::parse("yesterday"), None);
        for last in ["9999-12-31", "0001-01-01"] {
            assert_eq!(Timestamp::parse(last).map(Timestamp::date).as_deref(), Some(last));
        }
        assert_eq!(iso.map(Timestamp::iso).as_deref(), Some("2026-11-23T14:00:00+00:00"));
    }

    #[test]
    fn another_clock_is_told_of_from_minutes_on_and_noise_is_no_difference() {
        let between = |theirs, ours| ClockOffset::between(Timestamp(theirs), Timestamp(ours));
        assert_eq!(between(29_000, 0), ClockOffset::default());
        assert_eq!(between(0, 40_000).of_theirs(Timestamp(100_000)), Timestamp(60_000));
        assert_eq!(between(60_000, 0).in_words(), None, "a minute is nobody's trouble");
        assert_eq!(between(10_860_000, 0).in_words().as_deref(), Some("3h 1m behind"));
        assert_eq!(between(0, 7_200_000).in_words().as_deref(), Some("2h ahead of"));
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_age() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
