//! Civil dates as days since 1970: what the ledger computes with and stores.

use jiff::Unit;
use jiff::civil::{Date, date};

/// Days of milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

const EPOCH: Date = date(1970, 1, 1);

/// Days from 1970-01-01 to `date`.
pub(crate) fn from_date(date: Date) -> i32 {
    EPOCH
        .until((Unit::Day, date))
        .map_or(i32::MAX, |span| span.get_days())
}

/// The date of a day; dates past the calendar's end become its end.
pub(crate) fn to_date(day: i32) -> Date {
    EPOCH.saturating_add(jiff::Span::new().try_days(day).unwrap_or_default())
}

/// The day of an instant in milliseconds since 1970, in UTC.
pub(crate) fn of_instant(at_ms: u64) -> i32 {
    i32::try_from(at_ms / DAY_MS).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{from_date, of_instant, to_date};

    #[test]
    fn dates_and_days_match() {
        assert_eq!(from_date(date(1970, 1, 1)), 0);
        assert_eq!(from_date(date(2026, 11, 24)), 20_781);
        assert_eq!(to_date(20_781), date(2026, 11, 24));
        assert_eq!(of_instant(20_781 * super::DAY_MS + 5), 20_781);
    }
}
