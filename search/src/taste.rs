//! What a guest prefers, and how well a listing fits: in whole points, each of which can be
//! explained. Pure: the day comes with the question.
//!
//! What somebody states is worth a fixed number of points, and what nobody states is worth
//! nothing to any listing. A new listing has a start of a few points that fades with its age: it
//! goes before those that fit as well, and never before one that fits clearly better.

use meridian_replication_core::Currency;

use crate::place::Place;

/// Most points of each part. Together with a whole start a listing has 1,060 at most.
pub(crate) const PLACE_POINTS: u64 = 350;
pub(crate) const PRICE_POINTS: u64 = 250;
pub(crate) const AMENITY_POINTS: u64 = 150;
pub(crate) const PAST_POINTS: u64 = 150;
pub(crate) const ROOM_POINTS: u64 = 100;
/// What a listing of today starts with: less than half of any of the others.
pub(crate) const START_POINTS: u64 = 60;
/// Days after which nothing of the start is left.
pub(crate) const START_DAYS: u32 = 60;
/// How alike two stays are is counted in thousandths: the kind of room, the price, and what of
/// their amenities they share.
const LIKE_ROOM: u64 = 300;
const LIKE_PRICE: u64 = 300;
const LIKE_AMENITIES: u64 = 400;
const LIKE_ALL: u64 = 1_000;

/// What a guest prefers; whatever is not set does not count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taste {
    /// Where.
    pub near: Option<Near>,
    /// What a night may cost.
    pub budget: Option<Budget>,
    /// What it should have.
    pub amenities: Vec<String>,
    /// What kind of room.
    pub room_type: Option<String>,
    /// It has to take so many guests.
    pub guests: Option<u32>,
    /// It has to be let for so many nights in a row.
    pub nights: Option<u32>,
    /// Listings where the guest has been.
    pub past: Vec<PastStay>,
}

/// A place that a guest would like to be near to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The place.
    pub place: Place,
    /// Metres after which a listing is worth half as much.
    pub half_m: u64,
    /// Listings further away are left out.
    pub within_km: Option<f64>,
}

/// What a night may cost: a little more counts less, twice as much nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In minor units.
    pub amount: u64,
    /// Prices in another one are worth nothing: they cannot be compared.
    pub currency: Currency,
}

/// A listing where a guest has been: what it was like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PastStay {
    /// Its amenities.
    pub amenities: Vec<String>,
    /// Its kind of room.
    pub room_type: Option<String>,
    /// Its price, in minor units, and in what.
    pub price: Option<Budget>,
}

/// Points of a listing, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// For where it is.
    pub place: u64,
    /// For what it costs.
    pub price: u64,
    /// For what it has of what was asked for.
    pub amenities: u64,
    /// For its kind of room.
    pub room_type: u64,
    /// For being like one where the guest has been.
    pub past: u64,
    /// For being new.
    pub start: u64,
}

impl Score {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.place + self.price + self.amenities + self.room_type + self.past + self.start
    }
}

impl Near {
    /// A place, with distances in kilometres.
    #[must_use]
    pub fn new(place: Place, half_km: f64, within_km: Option<f64>) -> Self {
        Self {
            place,
            half_m: metres(half_km),
            within_km,
        }
    }
}

/// Whole metres: a distance is the same on every machine.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn metres(km: f64) -> u64 {
    // A negative one reads as none, one without end as the largest.
    (km * 1_000.0).round() as u64
}

/// Points for being so far away.
pub(crate) const fn of_place(near: &Near, distance_m: u64) -> u64 {
    let half = if near.half_m == 0 { 1 } else { near.half_m };
    PLACE_POINTS * half / half.saturating_add(distance_m)
}

/// Points for costing so much.
pub(crate) fn of_price(budget: u64, price: u64) -> u64 {
    let twice = budget.saturating_mul(2);
    if price <= budget {
        PRICE_POINTS
    } else if price >= twice {
        0
    } else {
        // Whole points: nothing depends on how a machine rounds.
        scaled(PRICE_POINTS, twice - price, budget)
    }
}

/// So much of the points; the part is never greater than the whole, which is not zero.
fn scaled(points: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(points) * u128::from(part) / u128::from(whole);
    u64::try_from(scaled).unwrap_or(points)
}

/// Points for so many of the amenities that were asked for.
pub(crate) const fn of_amenities(wanted: u64, has: u64) -> u64 {
    match (AMENITY_POINTS * has).checked_div(wanted) {
        Some(points) => points,
        None => 0,
    }
}

/// How alike two stays are, in thousandths. `shared` and `either` count amenities.
pub(crate) fn likeness(
    same_room: bool,
    prices: Option<(u64, u64)>,
    (shared, either): (u64, u64),
) -> u64 {
    let room = if same_room { LIKE_ROOM } else { 0 };
    let price = match prices {
        Some((one, other)) => {
            let (less, more) = if one < other {
                (one, other)
            } else {
                (other, one)
            };
            if more == 0 {
                LIKE_PRICE
            } else {
                scaled(LIKE_PRICE, less, more)
            }
        }
        None => 0,
    };
    let amenities = (LIKE_AMENITIES * shared).checked_div(either).unwrap_or(0);
    room + price + amenities
}

/// Points for being like a past stay.
pub(crate) const fn of_past(likeness: u64) -> u64 {
    PAST_POINTS * likeness / LIKE_ALL
}

/// Points for having been made so many days ago; `None` for a listing whose day is not known:
/// an imported one is not new.
pub(crate) fn of_start(age_days: Option<u32>) -> u64 {
    let left = age_days.map_or(0, |age| START_DAYS.saturating_sub(age));
    START_POINTS * u64::from(left) / u64::from(START_DAYS)
}

/// Days between a listing's making, by its id, and `day`. An id that was derived says some day
/// far ahead.
pub(crate) fn age_days(made_ms: u64, day: u32) -> Option<u32> {
    const DAY_MS: u64 = 86_400_000;
    let made = u32::try_from(made_ms / DAY_MS).ok()?;
    // Clocks differ: what was made tomorrow is of today.
    (made <= day.saturating_add(1)).then(|| day.saturating_sub(made))
}

#[cfg(test)]
mod tests {
    use super::{
        AMENITY_POINTS, PAST_POINTS, PLACE_POINTS, PRICE_POINTS, ROOM_POINTS, START_POINTS, Score,
        age_days, likeness, of_past, of_price, of_start,
    };

    #[test]
    fn start_fades_with_age_and_is_never_worth_half_of_anything_else() {
        let worths: Vec<u64> = (0..=60).map(|age| of_start(Some(age))).collect();
        assert!(worths.is_sorted_by(|newer, older| newer >= older));
        assert_eq!((worths[0], worths[30], worths[60]), (START_POINTS, 30, 0));
        assert_eq!(of_start(None), 0);
        for other in [PLACE_POINTS, PRICE_POINTS, AMENITY_POINTS, PAST_POINTS] {
            assert!(START_POINTS * 2 < other);
        }
        const { assert!(START_POINTS < ROOM_POINTS) };
    }

    #[test]
    fn age_is_by_the_day_and_a_derived_id_has_none() {
        const DAY_MS: u64 = 86_400_000;
        assert_eq!(age_days(DAY_MS * 20, 25), Some(5));
        assert_eq!(age_days(DAY_MS * 26, 25), Some(0));
        assert_eq!(age_days(DAY_MS * 27, 25), None);
        assert_eq!(age_days(u64::MAX, 25), None);
    }

    #[test]
    fn dearer_is_worth_less_and_nothing_overflows() {
        assert_eq!(of_price(100, 100), PRICE_POINTS);
        assert_eq!(of_price(100, 150), PRICE_POINTS / 2);
        assert_eq!((of_price(100, 200), of_price(0, 1)), (0, 0));
        assert_eq!(of_price(u64::MAX, u64::MAX), PRICE_POINTS);
        let same = likeness(true, Some((u64::MAX, u64::MAX)), (3, 3));
        assert_eq!(of_past(same), PAST_POINTS);
        assert_eq!(of_past(likeness(false, Some((1, 2)), (0, 4))), 22);
        assert_eq!(Score::default().total(), 0);
    }
}
