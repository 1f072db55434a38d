//! What a listing is let by: nights, or hours. Slots are counted from 1970, so that a
//! stay is an interval of whole numbers either way.
//!
//! A night is a civil date, and knows no time zone. An hour is an instant: it begins at
//! the same minute of every hour in UTC, which is the full hour where the listing is.
//! No clock change moves it: a day of the listing has 23, 24 or 25 hours.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use prost::Message;

use crate::day;

/// Milliseconds of an hour and of a minute.
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
const MINUTE_MS: u64 = 60 * 1_000;
const MINUTES_OF_HOUR: u32 = 60;

/// The hours of a listing that is let by the hour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Hours {
    /// Minute of every hour in UTC at which they begin: not zero where the time zone is
    /// off by a part of an hour, as in India.
    #[prost(uint32, tag = "1")]
    pub minute: u32,
}

impl Hours {
    /// Whether it is a minute of an hour.
    pub(crate) const fn is_valid(self) -> bool {
        self.minute < MINUTES_OF_HOUR
    }

    /// The hour that begins at an instant; `None` if none does, or only one out of range.
    #[must_use]
    pub fn beginning_at(self, at: Timestamp) -> Option<i32> {
        let at_ms = u64::try_from(at.as_millisecond()).ok()?;
        let hour = self.running_at(at_ms);
        let begins = at.subsec_nanosecond() % 1_000_000 == 0 && self.starts_ms(hour) == at_ms;
        begins.then_some(hour)
    }

    /// The hour that runs at an instant in milliseconds since 1970.
    #[must_use]
    pub fn running_at(self, at_ms: u64) -> i32 {
        let hour = at_ms.saturating_sub(self.offset_ms()) / HOUR_MS;
        i32::try_from(hour).unwrap_or(i32::MAX)
    }

    fn starts_ms(self, hour: i32) -> u64 {
        let hours = u64::try_from(hour).unwrap_or(0);
        (hours * HOUR_MS).saturating_add(self.offset_ms())
    }

    fn offset_ms(self) -> u64 {
        u64::from(self.minute) * MINUTE_MS
    }
}

/// Where a slot begins or ends, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The date of a night's evening.
    Date(Date),
    /// The instant at which an hour begins.
    Instant(Timestamp),
}

impl Edge {
    /// The beginning of a slot of a listing let by `hours`, or by nights.
    pub(crate) fn of(slot: i32, hours: Option<Hours>) -> Self {
        match hours {
            None => Self::Date(day::to_date(slot)),
            Some(hours) => {
                let at_ms = i64::try_from(hours.starts_ms(slot)).unwrap_or(i64::MAX);
                Self::Instant(Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX))
            }
        }
    }

    /// The slot that begins here, and by which hours.
    pub(crate) fn to_slot(self) -> (i32, Option<Hours>) {
        match self {
            Self::Date(date) => (day::from_date(date), None),
            Self::Instant(instant) => {
                let at_ms = u64::try_from(instant.as_millisecond()).unwrap_or(0);
                let minute = u32::try_from(at_ms / MINUTE_MS % u64::from(MINUTES_OF_HOUR));
                let hours = Hours {
                    minute: minute.unwrap_or(0),
                };
                (hours.running_at(at_ms), Some(hours))
            }
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(formatter),
            Self::Instant(instant) => instant.fmt(formatter),
        }
    }
}

/// The slot that runs at an instant: a day of UTC, or an hour.
pub(crate) fn running_at(at_ms: u64, hours: Option<Hours>) -> i32 {
    hours.map_or_else(|| day::of_instant(at_ms), |hours| hours.running_at(at_ms))
}

/// When a slot begins, in milliseconds since 1970: a night with its day of UTC.
pub(crate) fn starts_ms(slot: i32, hours: Option<Hours>) -> u64 {
    match hours {
        None => u64::try_from(slot).unwrap_or(0) * day::DAY_MS,
        Some(hours) => hours.starts_ms(slot),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::{any, prop_assert, prop_assert_eq};
    use proptest::proptest;

    use super::{Edge, Hours};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn hour_begins_at_its_minute_and_at_no_other() {
        let oslo = Hours { minute: 0 };
        let mumbai = Hours { minute: 30 };
        let noon = oslo.beginning_at(at("2026-06-01T12:00:00Z"));
        assert_eq!(noon, Some(494_532));
        assert_eq!(oslo.beginning_at(at("2026-06-01T12:30:00Z")), None);
        assert_eq!(oslo.beginning_at(at("2026-06-01T12:00:00.000001Z")), None);
        assert_eq!(mumbai.beginning_at(at("2026-06-01T12:00:00Z")), None);
        assert_eq!(mumbai.beginning_at(at("2026-06-01T12:30:00Z")), noon);
        assert_eq!(oslo.beginning_at(at("1969-12-31T23:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn hour_is_written_as_the_instant_that_it_is_read_from(
            hour in 0..3_000_000_i32, minute in 0..60_u32,
        ) {
            let hours = Hours { minute };
            let Edge::Instant(instant) = Edge::of(hour, Some(hours)) else {
                panic!("an instant");
            };
            prop_assert_eq!(hours.beginning_at(instant), Some(hour));
            let read: Timestamp = Edge::Instant(instant).to_string().parse().expect("RFC 3339");
            prop_assert_eq!(read, instant);
            prop_assert_eq!(Edge::Instant(instant).to_slot(), (hour, Some(hours)));
        }

        #[test]
        fn any_instant_runs_in_one_hour(at_ms in any::<u64>(), minute in 0..60_u32) {
            let hours = Hours { minute };
            let hour = hours.running_at(at_ms);
            prop_assert!(hour == 0 || hour == i32::MAX || hours.starts_ms(hour) <= at_ms);
            prop_assert!(hour == i32::MAX || at_ms < hours.starts_ms(hour + 1));
        }
    }
}
