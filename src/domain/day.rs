//! A service's day: its daily quota ends at midnight in the zone of the account (HubSpot contract §4).
//!
//! Pure: whoever asks brings the time.

use super::time::Timestamp;
use jiff::tz::TimeZone;

/// The day of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDay(TimeZone);

impl ServiceDay {
    /// The day of the zone with this name; none for a name that is not known here.
    pub fn of_zone(name: &str) -> Option<ServiceDay> {
        TimeZone::get(name).ok().map(ServiceDay)
    }

    /// The midnight that comes next, by the zone's own rules where a clock change skips it.
    pub fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_millisecond(at.0).ok()?;
        let tomorrow = self.0.to_datetime(moment).date().tomorrow().ok()?;
        let midnight = self.0.to_timestamp(tomorrow.at(0, 0, 0, 0)).ok()?;
        Some(Timestamp(midnight.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_day_ends_at_midnight_of_its_own_zone() {
        for (zone, now, ends) in [
            ("UTC", "2026-11-23T14:00:00Z", "2026-11-24T00:00:00Z"),
            ("US/Eastern", "2026-11-23T14:00:00Z", "2026-11-24T05:00:00Z"),
            ("US/Eastern", "2026-11-24T04:59:59Z", "2026-11-24T05:00:00Z"),
            ("Asia/Tokyo", "2026-11-23T15:00:00Z", "2026-11-24T15:00:00Z"),
            // Midnight is skipped there that night: the day begins an hour later.
            ("America/Santiago", "2026-09-05T20:00:00Z", "2026-09-06T04:00:00Z"),
        ] {
            assert_eq!(ServiceDay::of_zone(zone).unwrap().ends(at(now)), Some(at(ends)), "{zone}");
        }
    }

    #[test]
    fn a_zone_that_nobody_knows_has_no_day() {
        assert_eq!(ServiceDay::of_zone("Middle-Earth/Shire"), None);
    }
}
