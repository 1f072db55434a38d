//! Matches are what a look at every listing says, in its order, page by page.

use std::sync::Arc;

use meridian_replication_core::{ListingView, Slot};
use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, proptest};
use proptest::{collection, option, sample};
use serde_json::json;

use super::reference::{AMENITIES, body, index, view};
use crate::{Budget, MatchQuery, Near, PastStay, Place, Taste};

/// The day on which the first of a test's listings are made; the others follow by the day.
const DAY: u32 = 20_000;
const DAY_MS: u64 = 86_400_000;

/// What a look at one listing says: the points, or that it cannot be taken.
fn points(view: &ListingView, taste: &Taste, day: u32) -> Option<u64> {
    if taste.guests.is_some_and(|guests| view.capacity < guests) {
        return None;
    }
    if let Some(nights) = taste.nights
        && (view.slot != Slot::Night || !(view.min_stay..=view.max_stay).contains(&nights))
    {
        return None;
    }
    let mut points = 0;
    let price = view.nightly_price.expect("created with one");
    if let Some(near) = &taste.near {
        let there = Place::new(view.location.lat, view.location.lon).expect("on the map");
        let km = near.place.distance_km(there);
        if near.within_km.is_some_and(|within| km > within) {
            return None;
        }
        points += 350 * near.half_m / (near.half_m + crate::taste::metres(km));
    }
    if let Some(budget) = &taste.budget
        && budget.currency == price.currency
    {
        points += match price.amount {
            amount if amount <= budget.amount => 250,
            amount if amount >= 2 * budget.amount => 0,
            amount => 250 * (2 * budget.amount - amount) / budget.amount,
        };
    }
    let has = |amenity: &&String| view.amenities.contains(*amenity);
    if !taste.amenities.is_empty() {
        let count = taste.amenities.iter().filter(has).count() as u64;
        points += 150 * count / taste.amenities.len() as u64;
    }
    if taste.room_type.is_some() && taste.room_type == view.room_type {
        points += 100;
    }
    let past = taste.past.iter().map(|past| {
        let both = past.amenities.iter().filter(has).count();
        let either = past.amenities.len() + view.amenities.len() - both;
        let room = past.room_type.is_some() && past.room_type == view.room_type;
        let close = past.price.filter(|known| known.currency == price.currency);
        let close = close.map_or(0, |known| {
            300 * known.amount.min(price.amount) / known.amount.max(price.amount)
        });
        let amenities = (400 * both).checked_div(either).unwrap_or(0) as u64;
        u64::from(room) * 300 + close + amenities
    });
    points += 150 * past.max().unwrap_or(0) / 1_000;
    let made = u32::try_from(view.id.ulid().timestamp_ms() / DAY_MS).expect("near");
    if made <= day + 1 {
        points += u64::from(60_u32.saturating_sub(day.saturating_sub(made)));
    }
    Some(points)
}

fn past() -> impl Strategy<Value = PastStay> {
    let amenities = sample::subsequence(AMENITIES.to_vec(), 0..=3);
    let room = option::of(sample::select(vec!["Entire home/apt", "Shared room"]));
    (
        amenities,
        room,
        1_u64..6,
        sample::select(vec!["EUR", "NOK"]),
    )
        .prop_map(|(amenities, room, amount, currency)| PastStay {
            amenities: amenities.into_iter().map(str::to_owned).collect(),
            room_type: room.map(str::to_owned),
            price: Some(Budget {
                amount,
                currency: currency.parse().expect("a currency"),
            }),
        })
}

fn taste() -> impl Strategy<Value = Taste> {
    let near = (
        -1.0..1.0_f64,
        179.0..=180.0_f64,
        1_u64..100_000,
        option::of(1.0..200.0_f64),
    );
    let near = near.prop_map(|(lat, lon, half_m, within_km)| Near {
        place: Place::new(lat, lon).expect("on the map"),
        half_m,
        within_km,
    });
    let budget = (1_u64..6, sample::select(vec!["EUR", "NOK", "USD"]));
    let budget = budget.prop_map(|(amount, currency)| Budget {
        amount,
        currency: currency.parse().expect("a currency"),
    });
    (
        option::of(near),
        option::of(budget),
        sample::subsequence(AMENITIES.to_vec(), 0..=3),
        option::of(sample::select(vec!["Private room", "Castle"])),
        (option::of(1_u32..4), option::of(1_u32..9)),
        collection::vec(past(), 0..3),
    )
        .prop_map(
            |(near, budget, amenities, room, (guests, nights), past)| Taste {
                near,
                budget,
                amenities: amenities.into_iter().map(str::to_owned).collect(),
                room_type: room.map(str::to_owned),
                guests,
                nights,
                past,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_of_matches_are_what_a_look_at_every_listing_says(
        bodies in collection::vec(body(), 0..40),
        tastes in collection::vec(taste(), 6),
        limit in 1_usize..9,
        later in 0_u32..90,
    ) {
        let made = |number: u64| (u64::from(DAY) + number) * DAY_MS;
        let views: Vec<_> = (0..).zip(bodies).map(|(number, body)| view(made(number), body)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let (index, _) = index(folder.path(), &views);
        for taste in tastes {
            let day = DAY + later;
            let mut expected: Vec<_> = views
                .iter()
                .filter_map(|view| Some((points(view, &taste, day)?, view.id.clone())))
                .collect();
            expected.sort_by(|one, other| other.0.cmp(&one.0).then(other.1.ulid().cmp(&one.1.ulid())));
            let (mut query, mut after) = (MatchQuery::new(taste.clone(), day), None);
            let mut all = Vec::new();
            loop {
                let page = index.matches(&Arc::new(query), after.as_ref(), limit).expect("an index");
                prop_assert_eq!(page.matches.len() <= limit, true);
                all.extend(page.matches.iter().map(|one| (one.score.total(), one.listing.clone())));
                let last = page.matches.last().map(|one| one.cursor.encode());
                let Some(last) = last.filter(|_| page.more) else { break };
                let (same, cursor) = MatchQuery::resume(taste.clone(), &last).expect("its own");
                (query, after) = (same, Some(cursor));
            }
            prop_assert_eq!(all, expected, "{:?}", taste);
        }
    }
}

fn loft(made_ms: u64, amount: u64, km: f64) -> ListingView {
    let location = json!({"lat": 59.9 + km / 111.2, "lon": 10.7});
    let price = json!({"amount": amount, "currency": "EUR"});
    let body =
        json!({"title": "Loft", "location": location, "capacity": 2, "nightly_price": price});
    view(made_ms, body)
}

/// What a guest wants who would be near to the middle of Oslo and has 100 EUR.
fn guest() -> Taste {
    Taste {
        near: Some(Near {
            place: Place::new(59.9, 10.7).expect("on the map"),
            half_m: 3_000,
            within_km: None,
        }),
        budget: Some(Budget {
            amount: 100,
            currency: "EUR".parse().expect("a currency"),
        }),
        ..Taste::default()
    }
}

#[test]
fn new_listing_goes_before_its_equals_but_not_before_one_that_fits_clearly_better() {
    let day = u64::from(DAY);
    let old = loft((day - 300) * DAY_MS, 100, 1.0);
    let new = loft(day * DAY_MS, 100, 1.0);
    let better = loft((day - 300) * DAY_MS + 1, 100, 0.1);
    let folder = tempfile::tempdir().expect("a folder");
    let (index, _) = index(folder.path(), &[old.clone(), new.clone(), better.clone()]);
    let order = |day: u32| -> Vec<_> {
        let query = Arc::new(MatchQuery::new(guest(), day));
        let page = index.matches(&query, None, 9).expect("an index");
        page.matches.into_iter().map(|one| one.listing).collect()
    };
    assert_eq!(
        order(DAY),
        [&better, &new, &old].map(|view| view.id.clone())
    );
    let query = Arc::new(MatchQuery::new(guest(), DAY + 60));
    let page = index.matches(&query, None, 9).expect("an index");
    assert!(
        page.matches.iter().all(|one| one.score.start == 0),
        "it fades"
    );
}
