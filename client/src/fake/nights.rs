//! Civil dates, as far as nights need them.

use std::fmt;

/// A day of the Gregorian calendar, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

/// Days of 400 years, after which the calendar repeats itself.
const CYCLE_DAYS: i64 = 146_097;
/// Days from the first of March of the year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;

impl Day {
    /// Reads `YYYY-MM-DD`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let shaped =
            text.len() == 10 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        let mut parts = text.split('-');
        let mut next = || parts.next()?.parse::<i64>().ok();
        let (year, month, day) = (next()?, next()?, next()?);
        if !shaped || !(1..=12).contains(&month) {
            return None;
        }
        // Years begin in March, so that a leap day is the last one.
        let year = if month < 3 { year - 1 } else { year };
        let month = (month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + day - 1;
        let cycle = year.div_euclid(400);
        let year = year.rem_euclid(400);
        let found = Self(cycle * CYCLE_DAYS + year * 365 + year / 4 - year / 100 + of_year - EPOCH);
        // What is no day of its month is written as another one.
        (found.to_string() == text).then_some(found)
    }

    /// Every day up to, not including, another.
    pub(super) fn until(self, end: Self) -> impl Iterator<Item = Self> {
        (self.0..end.0).map(Self)
    }

    /// The day after.
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + EPOCH;
        let cycle = days.div_euclid(CYCLE_DAYS);
        let days = days.rem_euclid(CYCLE_DAYS);
        let year = (days - days / 1_460 + days / 36_524 - days / 146_096) / 365;
        let of_year = days - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = cycle * 400 + year + later;
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn every_day_of_nine_centuries_is_written_as_it_is_read_and_follows_the_one_before() {
        let (first, end) = (Day::parse("1600-03-01"), Day::parse("2500-01-01"));
        let (first, end) = (first.expect("a day"), end.expect("a day"));
        let mut count = 0;
        for day in first.until(end) {
            assert_eq!(Day::parse(&day.to_string()), Some(day));
            count += 1;
        }
        assert_eq!(count, 328_659);
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        let leap = Day::parse("2028-02-28").expect("a day").next();
        assert_eq!(leap.to_string(), "2028-02-29");
        assert_eq!(leap.next().to_string(), "2028-03-01");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2030-02-29",
            "2030-13-01",
            "2030-1-01",
            "2030-00-10",
            "20300101-0",
            "abcd-ef-gh",
            "2030-06-31",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
