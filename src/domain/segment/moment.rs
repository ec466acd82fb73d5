//! Times as rules write them: lengths such as `30d`, and moments such as `2026-01-31`.

use crate::domain::time::Timestamp;
use std::fmt;
use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Units, the largest that is printed first. A week is read and printed as days.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("w", 7 * DAY)];

/// A length of time in whole seconds: more than none, at most a hundred years. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// Of so many seconds.
    pub fn of_seconds(seconds: u64) -> Option<Period> {
        (1..=36_525 * DAY).contains(&seconds).then_some(Period(seconds))
    }

    /// Reads `90d`, `12h`, `2w`, `30min`, `10s`.
    pub fn read(text: &str) -> Option<Period> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (count, unit) = text.split_at(digits);
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Period::of_seconds(count.parse::<u64>().ok()?.checked_mul(*seconds)?)
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, seconds)| self.0.is_multiple_of(*seconds));
        let (name, seconds) = whole.copied().unwrap_or(("s", SECOND));
        write!(f, "{}{name}", self.0 / seconds)
    }
}

/// A moment as written: a whole day in UTC, or a second of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `2026-01-31`: from its midnight to the next.
    Day(Timestamp),
    /// `2026-01-31T10:00:00Z`
    Second(Timestamp),
}

impl Moment {
    /// Reads either.
    pub fn read(text: &str) -> Option<Moment> {
        if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() {
            return Timestamp::parse(text).map(Moment::Day);
        }
        // A bare number is no moment here: nobody writes milliseconds by hand.
        let moment = text.parse::<jiff::Timestamp>().ok()?;
        Some(Moment::Second(Timestamp(moment.as_second().checked_mul(1000)?)))
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        match self {
            Moment::Day(at) | Moment::Second(at) => at,
        }
    }

    /// When it is over: the next day or second.
    pub fn ends(self) -> Timestamp {
        match self {
            Moment::Day(at) => at.plus(Duration::from_secs(DAY)),
            Moment::Second(at) => at.plus(Duration::from_secs(SECOND)),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Day(at) => f.write_str(&at.date()),
            Moment::Second(at) => f.write_str(&at.iso()),
        }
    }
}
