//! Which nights have been sold twice: by what clients were told, and by what the
//! ledgers of every region say.
//!
//! A night that was sold twice once stays counted, whatever is cancelled later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::check::{StandingBooking, check_single_sale};
use crate::history::{Outcome, Sale};

#[derive(Debug)]
pub(super) struct Sold(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Acknowledged bookings that nobody has begun to cancel.
    told: Vec<Sale>,
    doubles: BTreeSet<String>,
    /// Whether the ledgers of each region could be read at the last look.
    readable: BTreeMap<&'static str, bool>,
}

impl Sold {
    /// Nothing is known of any of the regions yet.
    pub(super) fn awaiting(regions: impl Iterator<Item = &'static str>) -> Self {
        Self(Mutex::new(State {
            told: Vec::new(),
            doubles: BTreeSet::new(),
            readable: regions.map(|region| (region, false)).collect(),
        }))
    }

    /// A client was told that a night is its own.
    pub(super) fn told(&self, sale: Sale) {
        let mut state = self.state();
        state.told.push(sale);
        let doubles = check_single_sale(&state.told, &[]);
        let doubles = doubles.into_iter().map(|double| double.detail);
        state.doubles.extend(doubles);
    }

    /// A client is about to cancel.
    pub(super) fn given_up(&self, booking: &str) {
        self.state().told.retain(
            |sale| !matches!(&sale.outcome, Outcome::Sold(booked) if booked.booking_id == booking),
        );
    }

    /// What the ledgers of a region's listings say; `None` if they could not be read.
    pub(super) fn audited(&self, region: &'static str, doubles: Option<Vec<String>>) {
        let mut state = self.state();
        state.readable.insert(region, doubles.is_some());
        state.doubles.extend(doubles.into_iter().flatten());
    }

    /// How many nights have been sold twice. Unknown while none is known and some
    /// ledgers cannot be read.
    pub(super) fn doubles(&self) -> Option<usize> {
        let state = self.state();
        let known = !state.doubles.is_empty() || state.readable.values().all(|readable| *readable);
        known.then_some(state.doubles.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nights that two standing bookings have.
pub(super) fn doubles_of(standing: &[StandingBooking]) -> Vec<String> {
    let doubles = check_single_sale(&[], standing);
    doubles.into_iter().map(|double| double.detail).collect()
}

#[cfg(test)]
mod tests {
    use super::Sold;
    use crate::history::{Booked, Outcome, Sale};

    fn sale(booking_id: &str) -> Sale {
        Sale {
            listing: "lst_a".to_owned(),
            check_in: "2027-01-01".to_owned(),
            check_out: "2027-01-02".to_owned(),
            region: "eu-west".to_owned(),
            outcome: Outcome::Sold(Booked {
                booking_id: booking_id.to_owned(),
            }),
        }
    }

    #[test]
    fn night_told_to_two_clients_stays_counted() {
        let sold = Sold::awaiting(std::iter::empty());
        sold.told(sale("bkg_1"));
        sold.told(sale("bkg_2"));
        assert_eq!(sold.doubles(), Some(1));
        sold.given_up("bkg_1");
        assert_eq!(sold.doubles(), Some(1));
    }

    #[test]
    fn night_that_was_given_up_may_be_sold_again() {
        let sold = Sold::awaiting(std::iter::empty());
        sold.told(sale("bkg_1"));
        sold.given_up("bkg_1");
        sold.told(sale("bkg_2"));
        assert_eq!(sold.doubles(), Some(0));
    }

    #[test]
    fn unread_ledgers_are_unknown_and_what_they_said_counts() {
        let sold = Sold::awaiting(["eu-west", "us-east"].into_iter());
        sold.audited("eu-west", Some(Vec::new()));
        assert_eq!(sold.doubles(), None);
        sold.audited("us-east", Some(Vec::new()));
        assert_eq!(sold.doubles(), Some(0));
        sold.audited("us-east", Some(vec!["bkg_1 and bkg_2".to_owned()]));
        sold.audited("us-east", None);
        assert_eq!(sold.doubles(), Some(1));
    }
}
