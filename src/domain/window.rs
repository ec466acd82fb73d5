//! The window of the day in which mail may be started (R10a): `08:00-18:00 Europe/London`.
//!
//! Pure: whoever asks brings the time. A window may go past midnight; where a clock change skips or repeats
//! its edge, the zone's own rules say when that edge is.

use super::time::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;

/// A window of each day, in a time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrollWindow {
    from: Time,
    to: Time,
    zone: TimeZone,
    text: String,
}

impl EnrollWindow {
    /// Whether mail may be started at this moment: from the first minute on, and before the last.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let Ok(moment) = jiff::Timestamp::from_millisecond(at.0) else { return false };
        let local = self.zone.to_datetime(moment).time();
        if self.from < self.to {
            self.from <= local && local < self.to
        } else {
            self.from <= local || local < self.to
        }
    }

    /// When it opens next; `at` itself while it is open.
    pub fn opens(&self, at: Timestamp) -> Timestamp {
        if self.is_open(at) {
            return at;
        }
        let Ok(moment) = jiff::Timestamp::from_millisecond(at.0) else { return at };
        let today = self.zone.to_datetime(moment).date();
        let edges = [Some(today), today.tomorrow().ok()].into_iter().flatten();
        edges
            .filter_map(|day| self.zone.to_timestamp(day.to_datetime(self.from)).ok())
            .map(|edge| Timestamp(edge.as_millisecond()))
            .find(|edge| *edge > at)
            .unwrap_or(at)
    }
}

impl FromStr for EnrollWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<EnrollWindow, String> {
        let text = text.trim();
        let (hours, zone) = text.split_once(' ').ok_or_else(|| format!("`{text}` names no time zone"))?;
        let (from, to) = hours.split_once('-').ok_or_else(|| format!("`{hours}` is no window"))?;
        let time = |text: &str| match text.parse::<Time>() {
            Ok(time) if text.len() == 5 => Ok(time),
            _ => Err(format!("`{text}` is no time of day")),
        };
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(format!("`{hours}` is an empty window"));
        }
        let zone = zone.trim();
        let zone = TimeZone::get(zone).map_err(|_| format!("`{zone}` is no time zone known here"))?;
        Ok(EnrollWindow { from, to, zone, text: text.to_owned() })
    }
}

impl fmt::Display for EnrollWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EnrollWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
