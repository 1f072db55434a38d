//! What was acknowledged is never lost.

use std::collections::BTreeMap;

use super::{StandingBooking, Violation};
use crate::history::{Edit, Outcome, Sale};

/// Every acknowledged booking stands in the end.
#[must_use]
pub fn check_bookings_durable(sales: &[Sale], standing: &[StandingBooking]) -> Vec<Violation> {
    let stands = |id: &str| standing.iter().any(|booking| booking.booking_id == id);
    let lost = sales.iter().filter_map(|sale| match &sale.outcome {
        Outcome::Sold(booked) if !stands(&booked.booking_id) => Some(Violation {
            invariant: "an acknowledged booking is never lost",
            detail: format!("{} of {} is gone", booked.booking_id, sale.listing),
        }),
        _ => None,
    });
    lost.collect()
}

/// Every acknowledged edit shows in a region in the end. `amenities` are those that
/// each listing shows there; of one that is not in it nothing is known.
#[must_use]
pub fn check_edits_durable(
    region: &str,
    edits: &[Edit],
    amenities: &BTreeMap<String, Vec<String>>,
) -> Vec<Violation> {
    let lost = edits.iter().filter_map(|edit| {
        let shown = amenities.get(&edit.listing)?.contains(&edit.amenity);
        (!shown).then(|| Violation {
            invariant: "an acknowledged listing write is never lost",
            detail: format!(
                "{}, written in {}, is not in {} as {region} shows it",
                edit.amenity, edit.region, edit.listing
            ),
        })
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::samples::{sold, standing};
    use super::{check_bookings_durable, check_edits_durable};
    use crate::history::Edit;

    #[test]
    fn lost_booking_is_condemned() {
        let sales = [sold("bkg_1", "2027-01-01", "2027-01-02")];
        assert_eq!(check_bookings_durable(&sales, &[]).len(), 1);
        let kept = [standing("bkg_1", "2027-01-01", "2027-01-02")];
        assert!(check_bookings_durable(&sales, &kept).is_empty());
    }

    #[test]
    fn lost_edit_is_condemned() {
        let edits = [Edit {
            listing: "lst_a".to_owned(),
            amenity: "x".to_owned(),
            region: "eu-west".to_owned(),
        }];
        let shown =
            |amenity: &str| BTreeMap::from([("lst_a".to_owned(), vec![amenity.to_owned()])]);
        assert_eq!(check_edits_durable("us-east", &edits, &shown("y")).len(), 1);
        assert!(check_edits_durable("us-east", &edits, &shown("x")).is_empty());
    }
}
