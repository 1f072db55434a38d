//! The checkers: pure functions from what was seen to what was violated. Each is
//! tested with a history that it must condemn.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::{Edit, Outcome, Sale};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant, in a few words.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// A confirmed booking as the listing's ledger has it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingBooking {
    /// `bkg_…`
    pub booking_id: String,
    /// `lst_…`
    pub listing: String,
    /// Day of arrival, `YYYY-MM-DD`.
    pub check_in: String,
    /// Day of departure.
    pub check_out: String,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// Every broken promise; none is a pass.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether every promise held.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

struct Stay<'a> {
    listing: &'a str,
    check_in: &'a str,
    check_out: &'a str,
    booking_id: &'a str,
}

/// Nobody was sold a night that somebody else has: neither by what clients were
/// told, nor by what the ledgers say in the end. Every listing has one unit.
#[must_use]
pub fn check_single_sale(sales: &[Sale], standing: &[StandingBooking]) -> Vec<Violation> {
    let told = sales.iter().filter_map(|sale| match &sale.outcome {
        Outcome::Sold(booked) => Some(Stay {
            listing: &sale.listing,
            check_in: &sale.check_in,
            check_out: &sale.check_out,
            booking_id: &booked.booking_id,
        }),
        _ => None,
    });
    let kept = standing.iter().map(|booking| Stay {
        listing: &booking.listing,
        check_in: &booking.check_in,
        check_out: &booking.check_out,
        booking_id: &booking.booking_id,
    });
    let mut violations = overlaps("told to clients", told);
    violations.extend(overlaps("in the ledger", kept));
    violations
}

fn overlaps<'a>(where_seen: &str, stays: impl Iterator<Item = Stay<'a>>) -> Vec<Violation> {
    let mut by_listing: BTreeMap<&str, Vec<Stay<'a>>> = BTreeMap::new();
    for stay in stays {
        by_listing.entry(stay.listing).or_default().push(stay);
    }
    let mut violations = Vec::new();
    for stays in by_listing.values_mut() {
        stays.sort_by(|one, other| one.check_in.cmp(other.check_in));
        for pair in stays.windows(2) {
            let [one, other] = pair else { continue };
            // The same booking may be told twice: once to each who asked with its key.
            if other.check_in < one.check_out && one.booking_id != other.booking_id {
                violations.push(Violation {
                    invariant: "a night is sold once",
                    detail: format!(
                        "{where_seen}: {} and {} both have the night of {} of {}",
                        one.booking_id, other.booking_id, other.check_in, one.listing
                    ),
                });
            }
        }
    }
    violations
}

/// Every acknowledged booking stands in the end, and every acknowledged edit shows.
/// `amenities` are those that each listing shows in the end.
#[must_use]
pub fn check_durability(
    sales: &[Sale],
    standing: &[StandingBooking],
    edits: &[Edit],
    amenities: &BTreeMap<String, Vec<String>>,
) -> Vec<Violation> {
    let lost_bookings = sales.iter().filter_map(|sale| match &sale.outcome {
        Outcome::Sold(booked)
            if !standing
                .iter()
                .any(|booking| booking.booking_id == booked.booking_id) =>
        {
            Some(Violation {
                invariant: "an acknowledged booking is never lost",
                detail: format!("{} of {} is gone", booked.booking_id, sale.listing),
            })
        }
        _ => None,
    });
    let lost_edits = edits.iter().filter_map(|edit| {
        let shown = amenities
            .get(&edit.listing)
            .is_some_and(|shown| shown.contains(&edit.amenity));
        (!shown).then(|| Violation {
            invariant: "an acknowledged listing write is never lost",
            detail: format!(
                "{}, written in {}, is not in {}",
                edit.amenity, edit.region, edit.listing
            ),
        })
    });
    lost_bookings.chain(lost_edits).collect()
}

/// All nodes hold the same documents. `digests` maps each node to the digest of each
/// of its listings.
#[must_use]
pub fn check_convergence(digests: &BTreeMap<u64, BTreeMap<String, String>>) -> Vec<Violation> {
    diverged(digests)
        .into_iter()
        .map(|listing| Violation {
            invariant: "all replicas of a listing converge",
            detail: format!("{listing} differs between nodes"),
        })
        .collect()
}

/// Listings whose digests are not the same on every node.
#[must_use]
pub(crate) fn diverged(digests: &BTreeMap<u64, BTreeMap<String, String>>) -> Vec<String> {
    let mut seen: BTreeMap<&str, (usize, Option<&str>)> = BTreeMap::new();
    let mut differing = Vec::new();
    for listings in digests.values() {
        for (listing, digest) in listings {
            let (nodes, first) = seen.entry(listing).or_default();
            *nodes += 1;
            if *first.get_or_insert(digest) != digest.as_str() {
                differing.push(listing.clone());
            }
        }
    }
    let missing = seen
        .iter()
        .filter(|(_, (nodes, _))| *nodes < digests.len())
        .map(|(listing, _)| (*listing).to_owned());
    differing.extend(missing);
    differing.sort();
    differing.dedup();
    differing
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{StandingBooking, check_convergence, check_durability, check_single_sale};
    use crate::history::{Booked, Edit, Outcome, Sale};

    fn sold(id: &str, check_in: &str, check_out: &str) -> Sale {
        Sale {
            listing: "lst_a".to_owned(),
            check_in: check_in.to_owned(),
            check_out: check_out.to_owned(),
            region: "eu-west".to_owned(),
            outcome: Outcome::Sold(Booked {
                booking_id: id.to_owned(),
            }),
        }
    }

    fn standing(id: &str, check_in: &str, check_out: &str) -> StandingBooking {
        StandingBooking {
            booking_id: id.to_owned(),
            listing: "lst_a".to_owned(),
            check_in: check_in.to_owned(),
            check_out: check_out.to_owned(),
        }
    }

    #[test]
    fn night_told_to_two_clients_is_condemned() {
        let sales = [
            sold("bkg_1", "2027-01-01", "2027-01-03"),
            sold("bkg_2", "2027-01-02", "2027-01-04"),
        ];
        assert_eq!(check_single_sale(&sales, &[]).len(), 1);
    }

    #[test]
    fn night_sold_twice_in_the_ledger_is_condemned() {
        let kept = [
            standing("bkg_1", "2027-01-01", "2027-01-02"),
            standing("bkg_2", "2027-01-01", "2027-01-02"),
        ];
        assert_eq!(check_single_sale(&[], &kept).len(), 1);
    }

    #[test]
    fn back_to_back_stays_repeated_answers_and_refusals_are_fine() {
        let mut refused = sold("", "2027-01-01", "2027-01-02");
        refused.outcome = Outcome::Refused("slot-taken".to_owned());
        let sales = [
            sold("bkg_1", "2027-01-01", "2027-01-02"),
            sold("bkg_1", "2027-01-01", "2027-01-02"),
            sold("bkg_2", "2027-01-02", "2027-01-03"),
            refused,
        ];
        assert!(check_single_sale(&sales, &[]).is_empty());
    }

    #[test]
    fn lost_booking_and_lost_edit_are_condemned() {
        let sales = [sold("bkg_1", "2027-01-01", "2027-01-02")];
        let edits = [Edit {
            listing: "lst_a".to_owned(),
            amenity: "x".to_owned(),
            region: "eu-west".to_owned(),
        }];
        let shown =
            |amenity: &str| BTreeMap::from([("lst_a".to_owned(), vec![amenity.to_owned()])]);
        let kept = [standing("bkg_1", "2027-01-01", "2027-01-02")];
        assert_eq!(check_durability(&sales, &[], &edits, &shown("y")).len(), 2);
        assert!(check_durability(&sales, &kept, &edits, &shown("x")).is_empty());
    }

    #[test]
    fn differing_and_missing_documents_are_condemned() {
        let node = |listings: &[(&str, &str)]| -> BTreeMap<String, String> {
            listings
                .iter()
                .map(|(listing, digest)| ((*listing).to_owned(), (*digest).to_owned()))
                .collect()
        };
        let differing = BTreeMap::from([
            (1, node(&[("a", "1"), ("b", "1"), ("c", "1")])),
            (2, node(&[("a", "1"), ("b", "2")])),
        ]);
        assert_eq!(check_convergence(&differing).len(), 2);
        let same = BTreeMap::from([(1, node(&[("a", "1")])), (2, node(&[("a", "1")]))]);
        assert!(check_convergence(&same).is_empty());
    }
}
