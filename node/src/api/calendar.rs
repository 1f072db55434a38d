//! When a stay is: dates where a listing is let by the night, instants where it is let by
//! the hour.
//!
//! An hour begins where a clock on the wall of the listing shows a full one. Its time zone
//! tells at which minute of UTC that is, and what a day is; the ledger knows neither.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meridian_consensus_core::{Hours, Stay};
use meridian_replication_core::{ListingView, Slot};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::problem::Problem;

/// Length of `YYYY-MM-DD`.
const DATE_CHARS: usize = 10;
const MINUTES_OF_HOUR: i32 = 60;

/// A date or an instant, as a client writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Date(Date),
    Instant(Timestamp),
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let read = if text.len() == DATE_CHARS {
            text.parse().map(Self::Date)
        } else {
            text.parse().map(Self::Instant)
        };
        read.map_err(|_unreadable| {
            D::Error::custom(
                "send a date, as in `2026-06-01`, or an instant, as in `2026-06-01T14:00:00Z`",
            )
        })
    }
}

/// An end of an interval, and its field in the request.
pub(crate) type End = (&'static str, When);

/// How a listing counts its slots.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    /// Absent where it is let by the night.
    hours: Option<Hours>,
    zone: TimeZone,
}

impl Calendar {
    /// The calendar of a listing. Without a time zone, or with one that nobody knows, its
    /// clocks show UTC. The zone counts as it was when the listing was made: its hours
    /// must not move.
    pub(crate) fn of(view: &ListingView) -> Self {
        let name = view.location.time_zone.as_deref();
        let zone = name.and_then(zone).unwrap_or(TimeZone::UTC);
        let hours = (view.slot == Slot::Hour).then(|| {
            let minutes = zone.to_offset(view.created_at).seconds() / MINUTES_OF_HOUR;
            let minute = (-minutes).rem_euclid(MINUTES_OF_HOUR);
            Hours {
                minute: u32::try_from(minute).unwrap_or(0),
            }
        });
        Self { hours, zone }
    }

    /// The same by the hours of a ledger, which are fixed with its first entry.
    pub(crate) fn by(self, hours: Option<Hours>) -> Self {
        Self {
            hours: self.hours.map(|mine| hours.unwrap_or(mine)),
            zone: self.zone,
        }
    }

    /// By which hours the listing is let; `None` where by the night.
    pub(crate) const fn hours(&self) -> Option<Hours> {
        self.hours
    }

    /// What a client asks to have: whole slots, from one to another.
    pub(crate) fn stay(&self, from: End, until: End, guests: u32) -> Result<Stay, Problem> {
        match self.hours {
            None => Ok(Stay::new(night(from)?, night(until)?, guests)),
            Some(hours) => {
                let (from, until) = (hour(hours, from)?, hour(hours, until)?);
                Ok(Stay::of_hours(hours, from, until, guests))
            }
        }
    }

    /// What a client asks to see: every slot that is a part of the interval. A date begins
    /// at midnight where the listing is.
    pub(crate) fn span(&self, from: End, until: End) -> Result<Stay, Problem> {
        let Some(hours) = self.hours else {
            return self.stay(from, until, 0);
        };
        let first = hours.running_at(self.instant_ms(from)?);
        let until_ms = self.instant_ms(until)?;
        let last = hours.running_at(until_ms.saturating_sub(1));
        Ok(Stay::of_hours(hours, first, last.saturating_add(1), 0))
    }

    fn instant_ms(&self, (pointer, when): End) -> Result<u64, Problem> {
        let instant = match when {
            When::Instant(instant) => instant,
            When::Date(date) => date
                .to_zoned_datetime(self.zone.clone())
                .map_err(|cause| Problem::field(pointer, cause.to_string()))?
                .timestamp(),
        };
        Ok(u64::try_from(instant.as_millisecond()).unwrap_or(0))
    }
}

/// A time zone by its IANA name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

fn night((pointer, when): End) -> Result<Date, Problem> {
    match when {
        When::Date(date) => Ok(date),
        When::Instant(_) => Err(Problem::field(
            pointer,
            "this listing is let by the night: send a date, as in `2026-06-01`",
        )),
    }
}

fn hour(hours: Hours, (pointer, when): End) -> Result<i32, Problem> {
    let refusal = || {
        let minute = hours.minute;
        Problem::field(
            pointer,
            format!(
                "this listing is let by the hour: send an instant at minute {minute} of an hour in UTC, as in `2026-06-01T14:{minute:02}:00Z`"
            ),
        )
    };
    match when {
        When::Instant(instant) => hours.beginning_at(instant).ok_or_else(refusal),
        When::Date(_) => Err(refusal()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use meridian_consensus_core::Hours;
    use serde_json::json;

    use super::{Calendar, When, zone};

    fn hourly(name: &str, minute: u32) -> Calendar {
        Calendar {
            hours: Some(Hours { minute }),
            zone: zone(name).expect("a zone"),
        }
    }

    fn when(text: &str) -> When {
        serde_json::from_value(json!(text)).expect("a date or an instant")
    }

    #[test]
    fn day_has_as_many_hours_as_its_clocks_show() {
        for (from, until, hours) in [
            ("2026-06-01", "2026-06-02", 24),
            ("2026-03-29", "2026-03-30", 23),
            ("2026-10-25", "2026-10-26", 25),
        ] {
            let oslo = hourly("Europe/Oslo", 0);
            let span = oslo.span(("/from", when(from)), ("/to", when(until)));
            assert_eq!(span.expect("an interval").slots(), hours, "{from}");
        }
        let kolkata = hourly("Asia/Kolkata", 30);
        let day = kolkata.span(("/from", when("2026-06-01")), ("/to", when("2026-06-02")));
        let day = day.expect("an interval");
        assert_eq!(day.slots(), 24);
        assert_eq!(day.check_in().to_string(), "2026-05-31T18:30:00Z");
    }

    #[test]
    fn stay_is_of_whole_slots_of_its_listing() {
        let oslo = hourly("Europe/Oslo", 0);
        let stay = |calendar: &Calendar, from, until| {
            let (from, until) = (("/check_in", when(from)), ("/check_out", when(until)));
            calendar.stay(from, until, 2)
        };
        let two = stay(&oslo, "2026-06-01T14:00:00+02:00", "2026-06-01T14:00:00Z");
        assert_eq!(two.expect("two hours").slots(), 2);
        assert!(stay(&oslo, "2026-06-01T12:30:00Z", "2026-06-01T14:00:00Z").is_err());
        assert!(stay(&oslo, "2026-06-01", "2026-06-02").is_err());
        let nightly = Calendar {
            hours: None,
            zone: TimeZone::UTC,
        };
        let night = stay(&nightly, "2026-06-01", "2026-06-02");
        assert_eq!(night.expect("a night").slots(), 1);
        assert!(stay(&nightly, "2026-06-01T12:00:00Z", "2026-06-01T14:00:00Z").is_err());
    }

    #[test]
    fn anything_else_is_neither_date_nor_instant() {
        for text in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-06-01T14:00:00",
            "20260601",
        ] {
            assert!(
                serde_json::from_value::<When>(json!(text)).is_err(),
                "{text}"
            );
        }
    }
}
