//! Nights for the demo to book: always in the future, whenever it runs.

use jiff::ToSpan;

use crate::clock;

/// The first night of each of the next `months` months, with its day of departure.
pub(crate) fn first_nights_of_months(months: i32) -> Vec<(String, String)> {
    let today = clock::date_utc(clock::now());
    (1..=months)
        .filter_map(|ahead| {
            let first = today.first_of_month().checked_add(ahead.months()).ok()?;
            Some((first.to_string(), first.tomorrow().ok()?.to_string()))
        })
        .collect()
}

/// A night in the middle of a month, which nobody else of the demo books.
pub(crate) fn night_to_try() -> Option<(String, String)> {
    let today = clock::date_utc(clock::now());
    let night = today
        .first_of_month()
        .checked_add(2.months().days(14))
        .ok()?;
    Some((night.to_string(), night.tomorrow().ok()?.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{first_nights_of_months, night_to_try};

    #[test]
    fn nights_are_one_night_long_and_in_order() {
        let nights = first_nights_of_months(12);
        assert_eq!(nights.len(), 12);
        assert!(
            nights
                .iter()
                .all(|(check_in, check_out)| check_in < check_out)
        );
        assert!(nights.is_sorted());
        assert!(nights.iter().all(|(check_in, _)| check_in.ends_with("-01")));
        let tried = night_to_try().expect("a date");
        assert!(tried.0.ends_with("-15") && tried.1.ends_with("-16"));
    }
}
