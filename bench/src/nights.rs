//! Nights to be sold, each once, spread evenly over so many listings at a time.

use std::cell::Cell;

use jiff::civil::Date;
use serde_json::json;

use crate::http::Request;

/// Nights of one listing that are sold here, to one caller who may hold 256 of it at once. A
/// listing that is sold out is followed by another.
const NIGHTS_OF_A_LISTING: usize = 250;
/// The longest hold: none lapses while it is measured.
const TTL_SECONDS: u32 = 1_800;

/// A night of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Night {
    pub(crate) listing: String,
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
}

/// Nights in the order in which they are sold.
pub(crate) struct Nights {
    listings: Vec<String>,
    hot: usize,
    days: Vec<Date>,
    sold: Cell<usize>,
}

impl Nights {
    /// How many listings it takes to sell `nights` with `hot` of them at a time.
    pub(crate) const fn listings_needed(hot: usize, nights: usize) -> usize {
        hot * nights.div_ceil(hot * NIGHTS_OF_A_LISTING)
    }

    /// All nights of `listings`, `hot` listings at a time.
    pub(crate) fn new(listings: &[String], hot: usize) -> anyhow::Result<Self> {
        // Tomorrow is the night before the first: the one that wakes a group.
        let first = jiff::Timestamp::now()
            .to_zoned_datetime(jiff::tz::TimeZone::UTC)
            .date()
            .tomorrow()?;
        let days = first.series(jiff::Span::new().days(1));
        Ok(Self {
            listings: listings.to_vec(),
            hot,
            days: days.take(NIGHTS_OF_A_LISTING + 2).collect(),
            sold: Cell::new(0),
        })
    }

    /// The next night, or nothing where all are sold.
    pub(crate) fn next(&self) -> Option<Night> {
        let number = self.sold.replace(self.sold.get() + 1);
        let (slot, turn) = (number % self.hot, number / self.hot);
        let (generation, night) = (turn / NIGHTS_OF_A_LISTING, turn % NIGHTS_OF_A_LISTING);
        let listing = self.listings.get(generation * self.hot + slot)?;
        self.night(listing, night + 1)
    }

    /// The night of every listing that [`Nights::next`] leaves out.
    pub(crate) fn first_of_each(&self) -> impl Iterator<Item = Night> {
        self.listings
            .iter()
            .filter_map(|listing| self.night(listing, 0))
    }

    /// A night of one listing, by their numbers.
    pub(crate) fn of_listing(&self, number: usize, day: usize) -> Option<Night> {
        self.night(self.listings.get(number)?, day)
    }

    fn night(&self, listing: &str, day: usize) -> Option<Night> {
        Some(Night {
            listing: listing.to_owned(),
            check_in: *self.days.get(day)?,
            check_out: *self.days.get(day + 1)?,
        })
    }
}

impl Night {
    /// `POST /v1/listings/{id}/holds`: one entry of the listing's log.
    pub(crate) fn hold(&self) -> Request {
        let body = json!({
            "check_in": self.check_in.to_string(),
            "check_out": self.check_out.to_string(),
            "guests": 1,
            "ttl_seconds": TTL_SECONDS,
        });
        let mut request = Request::post(format!("/v1/listings/{}/holds", self.listing), body);
        request.key = Some(format!("{:032x}", rand::random::<u128>()));
        request
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{NIGHTS_OF_A_LISTING, Nights};

    #[test]
    fn every_night_is_sold_once_and_only_so_many_listings_are_hot() {
        let listings: Vec<String> = (0..6).map(|number| number.to_string()).collect();
        let nights = Nights::new(&listings, 3).expect("dates");
        let sold: Vec<_> = std::iter::from_fn(|| nights.next()).collect();
        assert_eq!(sold.len(), 6 * NIGHTS_OF_A_LISTING);
        let names: BTreeSet<String> = sold
            .iter()
            .map(|night| format!("{} {}", night.listing, night.check_in))
            .collect();
        assert_eq!(names.len(), sold.len());
        let first: BTreeSet<&str> = sold[..3 * NIGHTS_OF_A_LISTING]
            .iter()
            .map(|night| night.listing.as_str())
            .collect();
        assert_eq!(first.len(), 3);
        assert!(nights.first_of_each().all(|first| {
            sold.iter()
                .all(|night| (&night.listing, night.check_in) != (&first.listing, first.check_in))
        }));
    }

    #[test]
    fn listings_needed_are_whole_generations() {
        assert_eq!(Nights::listings_needed(1, NIGHTS_OF_A_LISTING), 1);
        assert_eq!(Nights::listings_needed(1, NIGHTS_OF_A_LISTING + 1), 2);
        assert_eq!(Nights::listings_needed(16, 1), 16);
    }
}
