//! Listings, and what a search has to find of them.

use std::collections::BTreeMap;
use std::path::Path;

use meridian_regions::{ListingId, NodeId, UnixNanos};
use meridian_replication_core::{ListingDocument, ListingDraft, ListingView};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option, sample};
use serde_json::{Value, json};

use crate::{Area, Indexer, Place, Prices, SearchIndex, SearchQuery, Sort, Words};

pub(super) const AMENITIES: [&str; 4] = ["wifi", "sauna", "parking", "hot tub"];
const ROOMS: [&str; 2] = ["Entire home/apt", "Private room"];
const WORDS: [&str; 6] = ["sea", "loft", "Oslo", "quiet", "garden", "sauna"];

/// A listing as a document with this id shows it.
pub(super) fn view(number: u64, body: Value) -> ListingView {
    let home = "eu-west".parse().expect("a region");
    let id = ListingId::generate(UnixNanos::from_millis(number), number.into(), home);
    let draft = ListingDraft::from_json(body).expect("a draft");
    let node = NodeId::new(1).expect("not zero");
    let draft = draft.validate().expect("valid");
    let (document, _) = ListingDocument::create(&id, node, UnixNanos::from_millis(1), &draft);
    document.view()
}

/// A listing of a few kinds, near the place where 180 degrees east and west meet.
pub(super) fn body() -> impl Strategy<Value = Value> {
    let text = || collection::vec(sample::select(&WORDS), 1..4).prop_map(|words| words.join(" "));
    let amenities = sample::subsequence(AMENITIES.to_vec(), 0..=4);
    let stay = (1_u32..5, 0_u32..10);
    let place = (
        -1.0..1.0_f64,
        prop_oneof![179.0..=180.0_f64, -180.0..-179.0_f64],
    );
    let price = (1_u64..5, sample::select(vec!["EUR", "NOK"]));
    let kinds = (
        option::of(sample::select(&ROOMS)),
        sample::select(vec!["night", "hour"]),
    );
    (
        text(),
        text(),
        amenities,
        stay,
        place,
        price,
        kinds,
        1_u32..5,
    )
        .prop_map(
            |(
                title,
                description,
                amenities,
                (min, more),
                (lat, lon),
                (amount, currency),
                kinds,
                capacity,
            )| {
                json!({
                    "title": title, "description": description, "amenities": amenities,
                    "min_stay": min, "max_stay": min + more, "capacity": capacity,
                    "location": {"lat": lat, "lon": lon, "city": "Oslo"},
                    "nightly_price": {"amount": amount, "currency": currency},
                    "room_type": kinds.0, "slot": kinds.1,
                })
            },
        )
}

/// What somebody may ask of them.
pub(super) fn query() -> impl Strategy<Value = SearchQuery> {
    let place = || {
        (
            -1.0..1.0_f64,
            prop_oneof![179.0..=180.0_f64, -180.0..-179.0_f64],
        )
    };
    let at = |(lat, lon)| Place::new(lat, lon).expect("on the map");
    let circle = (place(), 0.0..300.0_f64).prop_map(move |(centre, radius_km)| Area::Circle {
        centre: at(centre),
        radius_km,
    });
    let rectangle = (place(), place()).prop_map(move |(one, other)| Area::Rectangle {
        south_west: at((one.0.min(other.0), one.1)),
        north_east: at((one.0.max(other.0), other.1)),
    });
    let words = option::of(
        collection::vec(sample::select(&WORDS), 1..3)
            .prop_map(|words| Words::of(&words.join(" ")).expect("words")),
    );
    let currency = option::of(Just("EUR".parse().expect("a currency")));
    let prices = (option::of(1_u64..5), option::of(1_u64..5), currency)
        .prop_map(|(min, max, currency)| Prices { min, max, currency });
    let sort = sample::select(vec![Sort::Relevance, Sort::Price, Sort::Distance]);
    let many = (
        option::of(prop_oneof![circle, rectangle]),
        place(),
        option::of(1_u32..5),
        option::of(1_u32..12),
        sample::subsequence(AMENITIES.to_vec(), 0..=2),
        option::of(sample::select(&ROOMS)),
    );
    (words, many, prices, sort, any::<bool>()).prop_map(
        move |(words, (area, near, guests, nights, amenities, room), prices, sort, measured)| {
            SearchQuery {
                words,
                area,
                near: (measured || sort == Sort::Distance).then(|| at(near)),
                guests,
                nights,
                amenities: amenities.into_iter().map(str::to_owned).collect(),
                prices,
                room_type: room.map(str::to_owned),
                sort,
            }
        },
    )
}

/// An index of these listings, committed in two parts.
pub(super) fn index(folder: &Path, views: &[ListingView]) -> (SearchIndex, Indexer) {
    let (index, _) = SearchIndex::open(folder).expect("a folder");
    let mut indexer = Indexer::new(&index).expect("the only one");
    for part in views.chunks(views.len().div_ceil(2).max(1)) {
        for view in part {
            indexer.put(view, &[7; 32]).expect("room");
        }
        indexer.commit().expect("room");
    }
    (index, indexer)
}

/// What a search has to find, in order.
pub(super) fn found(views: &[ListingView], query: &SearchQuery) -> Vec<ListingId> {
    let mut found: Vec<(&ListingView, f64, u32)> = views
        .iter()
        .filter(|view| fits(view, query))
        .filter_map(|view| {
            let distance = query.near.map_or(0.0, |near| near.distance_km(place(view)));
            Some((view, distance, worth(view, query)?))
        })
        .collect();
    found.sort_by(|one, other| {
        let by_sort = match query.sort {
            Sort::Relevance => other.2.cmp(&one.2),
            Sort::Price => amount(one.0).cmp(&amount(other.0)),
            Sort::Distance => one.1.total_cmp(&other.1),
        };
        by_sort.then_with(|| other.0.id.ulid().cmp(&one.0.id.ulid()))
    });
    found
        .into_iter()
        .map(|(view, ..)| view.id.clone())
        .collect()
}

/// How many of these listings are of each kind of room.
pub(super) fn room_types(views: &[ListingView], found: &[ListingId]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for view in views.iter().filter(|view| found.contains(&view.id)) {
        if let Some(room) = &view.room_type {
            *counts.entry(room.clone()).or_default() += 1;
        }
    }
    counts
}

fn fits(view: &ListingView, query: &SearchQuery) -> bool {
    let prices = &query.prices;
    let currency = view.nightly_price.map(|price| price.currency);
    query.area.is_none_or(|area| area.contains(place(view)))
        && query.guests.is_none_or(|guests| view.capacity >= guests)
        && query.nights.is_none_or(|nights| {
            view.slot == meridian_replication_core::Slot::Night
                && (view.min_stay..=view.max_stay).contains(&nights)
        })
        && query
            .amenities
            .iter()
            .all(|wanted| view.amenities.contains(wanted))
        && query
            .room_type
            .as_ref()
            .is_none_or(|room| view.room_type.as_ref() == Some(room))
        && prices
            .currency
            .is_none_or(|wanted| currency == Some(wanted))
        && prices.min.is_none_or(|min| amount(view) >= min)
        && prices.max.is_none_or(|max| amount(view) <= max)
}

/// What a listing's words are worth; `None` if one is missing.
fn worth(view: &ListingView, query: &SearchQuery) -> Option<u32> {
    let words = query.words.as_ref().map(|words| &words.0);
    let has = |text: &str, word: &String| Words::of(text).is_ok_and(|words| words.0.contains(word));
    let of_word = |word: &String| {
        let features = view.amenities.iter().chain(&view.room_type);
        let worths = [
            (has(&view.title, word), 8),
            (view.location.city.iter().any(|city| has(city, word)), 4),
            (features.into_iter().any(|feature| has(feature, word)), 2),
            (has(&view.description, word), 1),
        ];
        worths
            .into_iter()
            .find(|(is_there, _)| *is_there)
            .map(|(_, worth)| worth)
    };
    words.into_iter().flatten().map(of_word).sum()
}

fn amount(view: &ListingView) -> u64 {
    view.nightly_price.expect("created with one").amount
}

fn place(view: &ListingView) -> Place {
    Place::new(view.location.lat, view.location.lon).expect("on the map")
}
