//! Searches over many listings, one after the other, as guests ask.

use std::time::Instant;

use meridian_chaos::until;
use meridian_client::Find;
use serde_json::{Value, json};

use crate::cluster::{Cluster, PATIENCE};
use crate::latency::Latencies;
use crate::report::{Finding, Goal};

/// Searches of each kind.
const SEARCHES: usize = 200;
const GOAL_P99_MS: f64 = 50.0;
/// Degrees around Oslo over which listings are spread, and cells of a grid in it.
const SPREAD: f64 = 1.0;
const GRID: usize = 400;
const TITLES: [&str; 8] = [
    "Loft",
    "Barn",
    "Cabin",
    "Studio",
    "Villa",
    "Houseboat",
    "Attic",
    "Cottage",
];
const AMENITIES: [&str; 6] = ["wifi", "sauna", "parking", "hot tub", "kitchen", "garden"];

/// A listing that differs from the others in what searches look at.
pub(crate) fn draft(number: usize) -> Value {
    let (lat, lon) = place(number);
    let amenities = AMENITIES.iter().enumerate();
    let amenities = amenities.filter(|(place, _)| (number / 7) >> place & 1 == 1);
    let amenities: Vec<&str> = amenities.map(|(_, amenity)| *amenity).collect();
    json!({
        "title": format!("{} {number}", TITLES[number % TITLES.len()]),
        "location": {"lat": lat, "lon": lon, "city": "Oslo"},
        "capacity": 1 + number % 8,
        "amenities": amenities,
        "room_type": if number.is_multiple_of(3) { "Private room" } else { "Entire home/apt" },
        "nightly_price": {"amount": 5_000 + number * 7_919 % 40_000, "currency": "EUR"},
        "description": "Bright, quiet, and close to everything that one comes for.",
    })
}

fn place(number: usize) -> (f64, f64) {
    let along = |step: usize| {
        #[expect(clippy::cast_precision_loss, reason = "below a thousand")]
        let part = (step % GRID) as f64 / GRID as f64;
        SPREAD * (part - 0.5)
    };
    (59.91 + along(number * 31), 10.75 + along(number * 17 / 5))
}

/// What a kind of search is called, and how the so manieth of it asks.
type Kind = (&'static str, fn(usize) -> Find);

/// How long searches take at one node that holds so many listings.
pub(crate) async fn measure(cluster: &Cluster, listings: usize) -> anyhow::Result<Vec<Finding>> {
    let client = cluster.local.client(cluster.local.ids()[0])?;
    let everything = Find::default();
    until(PATIENCE, "every listing is found", async || {
        let found = client.find(&everything, None).await.ok()?;
        (found.body["total"].as_u64()? == u64::try_from(listings).ok()?).then_some(())
    })
    .await?;
    let kinds: [Kind; 4] = [
        ("words", |number| Find {
            q: Some(format!("{} oslo quiet", TITLES[number % TITLES.len()])),
            ..Find::default()
        }),
        ("5 km, by distance", |number| Find {
            near: Some(near(number)),
            radius_km: Some(5.0),
            sort: Some("distance".to_owned()),
            ..Find::default()
        }),
        ("filters, by price", |number| Find {
            guests: Some(1 + u32::try_from(number % 6).unwrap_or(0)),
            amenities: Some(AMENITIES[number % AMENITIES.len()].to_owned()),
            price_max: Some(30_000),
            sort: Some("price".to_owned()),
            ..Find::default()
        }),
        ("everything", |_| Find::default()),
    ];
    let mut findings = Vec::new();
    for (kind, find) in kinds {
        let mut latencies = Latencies::new();
        let mut matched = 0;
        for number in 0..SEARCHES {
            let asked = find(number);
            let started = Instant::now();
            let answer = client.find(&asked, None).await?;
            latencies.record(started.elapsed());
            matched += answer.body["total"].as_u64().unwrap_or(0);
        }
        let p99 = latencies.quantile_ms(0.99);
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let matched = matched as f64 / SEARCHES as f64;
        let finding = Finding::new("stock", format!("searched, {listings} listings, {kind}"))
            .value("p50_ms", latencies.quantile_ms(0.5))
            .value("p99_ms", p99)
            .value("matched", matched)
            .goal(Goal::at_most("p99_ms", GOAL_P99_MS, p99));
        findings.push(finding);
    }
    Ok(findings)
}

fn near(number: usize) -> String {
    let (lat, lon) = place(number * 101);
    format!("{lat:.4},{lon:.4}")
}
