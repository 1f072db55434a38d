//! How good the order is, on real listings: normalised discounted cumulative gain against labels
//! by a stated rule (ADR 50). Loudly skipped where the files are not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meridian_regions::Shards;

use meridian_replication_core::ListingView;
use serde_json::json;

use super::reference::{index, view};
use crate::{Budget, MatchQuery, Near, Place, SearchQuery, Sort, Taste};

/// Where the files are, if not here.
const VARIABLE: &str = "MERIDIAN_LISTINGS";
const FILES: [&str; 3] = ["oslo.csv", "asheville.csv", "melbourne.csv"];
/// Guests of each file, and results that they look at.
const GUESTS: usize = 60;
const DEPTH: usize = 20;
/// What the order has to reach, and by how much it has to be better than a plain one.
const LEAST: f64 = 0.80;
const AHEAD: f64 = 0.30;

struct Guest {
    taste: Taste,
    /// The listing that they have in mind, and never state.
    ideal: ListingView,
}

/// A place as (degrees north, degrees east) in one number for a generator of our own.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        // xorshift64: the same guests everywhere.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// Between -1 and 1.
    fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next(2_001)).expect("small")) / 1_000.0 - 1.0
    }
}

fn place(view: &ListingView) -> Place {
    Place::new(view.location.lat, view.location.lon).expect("on the map")
}

fn amount(view: &ListingView) -> u64 {
    view.nightly_price.expect("with a price").amount
}

/// How well a listing is what a guest has in mind, from 0 to 3: within one, two or four
/// kilometres of it, of its kind of room, and up to a tenth, a quarter or a half dearer.
fn label(guest: &Guest, view: &ListingView) -> u32 {
    let km = place(&guest.ideal).distance_km(place(view));
    let (price, wanted) = (amount(view) * 100, amount(&guest.ideal));
    let same_room = view.room_type == guest.ideal.room_type;
    match () {
        () if !same_room => 0,
        () if km <= 1.0 && price <= wanted * 110 => 3,
        () if km <= 2.0 && price <= wanted * 125 => 2,
        () if km <= 4.0 && price <= wanted * 150 => 1,
        () => 0,
    }
}

/// Of labels in the order in which they are shown, against the best order of all of them.
fn ndcg(shown: &[u32], mut all: Vec<u32>) -> Option<f64> {
    let gain = |labels: &[u32]| -> f64 {
        let gains = labels
            .iter()
            .take(DEPTH)
            .zip(2_u32..)
            .map(|(label, place)| (f64::from(2_u32.pow(*label)) - 1.0) / f64::from(place).log2());
        gains.sum()
    };
    all.sort_unstable_by(|one, other| other.cmp(one));
    let best = gain(&all);
    (best > 0.0).then(|| gain(shown) / best)
}

fn listings(path: &Path) -> Option<Vec<ListingView>> {
    let mut file = csv::Reader::from_path(path).ok()?;
    let header = file.headers().ok()?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|column| column == name)
            .expect("a column")
    };
    let columns = ["latitude", "longitude", "room_type", "price"].map(column);
    let rows = file.records().filter_map(Result::ok).filter_map(|row| {
        let [lat, lon, room, price] = columns.map(|at| row.get(at).unwrap_or_default());
        let price: u64 = price.parse().ok().filter(|price| *price > 0)?;
        Some(json!({
            "title": "A listing", "capacity": 2, "room_type": room,
            "location": {"lat": lat.parse::<f64>().ok()?, "lon": lon.parse::<f64>().ok()?},
            "nightly_price": {"amount": price * 100, "currency": "EUR"},
        }))
    });
    // All are old: the start of new ones is judged elsewhere.
    Some(
        (1..)
            .zip(rows)
            .map(|(number, row)| view(number, row))
            .collect(),
    )
}

/// States where the ideal is, give or take a kilometre, what it costs, give or take a tenth, and
/// of which kind it is.
fn guest(views: &[ListingView], chance: &mut Chance) -> Guest {
    let among = u64::try_from(views.len()).expect("few");
    let ideal = views[usize::try_from(chance.next(among)).expect("few")].clone();
    let (north, east) = (chance.unit() / 111.2, chance.unit() / 70.0);
    let near = Place::new(ideal.location.lat + north, ideal.location.lon + east);
    let budget = amount(&ideal) * (1_000 + chance.next(201)) / 1_000;
    Guest {
        taste: Taste {
            near: Some(Near {
                place: near.expect("on the map"),
                half_m: 2_000,
                within_km: None,
            }),
            budget: Some(Budget {
                amount: budget,
                currency: "EUR".parse().expect("a currency"),
            }),
            room_type: ideal.room_type.clone(),
            ..Taste::default()
        },
        ideal,
    }
}

#[test]
fn order_is_good_on_real_listings_and_better_than_plain_ones() {
    let folder = std::env::var_os(VARIABLE).map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let mut chance = Chance(0x5eed);
    let (mut ours, mut cheapest, mut newest) = (Vec::new(), Vec::new(), Vec::new());
    for file in FILES {
        let Some(views) = listings(&folder.join(file)) else {
            eprintln!("SKIPPED: no {file} in {}: set {VARIABLE}", folder.display());
            return;
        };
        let temporary = tempfile::tempdir().expect("a folder");
        let (index, _) = index(temporary.path(), &views);
        let by_id: std::collections::HashMap<_, _> =
            views.iter().map(|view| (view.id.clone(), view)).collect();
        for _ in 0..GUESTS {
            let guest = guest(&views, &mut chance);
            let all: Vec<u32> = views.iter().map(|view| label(&guest, view)).collect();
            let labelled = |ids: Vec<_>| -> Vec<u32> {
                ids.iter().map(|id| label(&guest, by_id[id])).collect()
            };
            let query = Arc::new(MatchQuery::new(guest.taste.clone(), 20_000));
            let matches = index
                .matches(&query, None, DEPTH)
                .expect("an index")
                .matches;
            let matched = labelled(matches.into_iter().map(|one| one.listing).collect());
            ours.extend(ndcg(&matched, all.clone()));
            for (sort, into) in [(Sort::Price, &mut cheapest), (Sort::Relevance, &mut newest)] {
                let query = Arc::new(SearchQuery {
                    sort,
                    ..SearchQuery::default()
                });
                let hits = index
                    .search(&query, Shards::ALL, None, DEPTH)
                    .expect("an index")
                    .hits;
                let found = labelled(hits.into_iter().map(|hit| hit.listing).collect());
                into.extend(ndcg(&found, all.clone()));
            }
        }
    }
    let mean =
        |all: &[f64]| all.iter().sum::<f64>() / f64::from(u32::try_from(all.len()).expect("few"));
    let (ours, cheapest, newest) = (mean(&ours), mean(&cheapest), mean(&newest));
    eprintln!(
        "NDCG@{DEPTH}: matches {ours:.3}, cheapest first {cheapest:.3}, newest first {newest:.3}"
    );
    assert!(ours >= LEAST, "{ours:.3}");
    assert!(
        ours >= cheapest.max(newest) + AHEAD,
        "{ours:.3} {cheapest:.3} {newest:.3}"
    );
}
