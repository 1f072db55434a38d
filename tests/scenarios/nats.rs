//! A JetStream stream is given exactly the events, in the order of each listing, whoever is
//! killed.

mod accounts;
mod credentials;
mod server;

use std::collections::BTreeMap;
use std::time::Instant;

use meridian_chaos::{WanPlan, until};
use serde_json::Value;

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, is_of_document, stay, text};
use server::Server;

const STREAM: &str = "BOOKINGS";

#[tokio::test(flavor = "multi_thread")]
async fn stream_has_exactly_the_events_in_order_whichever_side_is_killed() {
    if !Server::is_there() {
        return;
    }
    let mut server = Server::start().await;
    let settings = [
        format!("nats.url={}", server.url()),
        format!("nats.stream={STREAM}"),
        "events.attempt_deadline_ms=2000".to_owned(),
    ];
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let mut scenario = Scenario::start_with(plan, settings.into()).await;
    let mut listings = Vec::new();
    for home in 1..=3 {
        listings.push(scenario.listing_at_home(home).await);
    }
    for (round, dead) in [(0, 3), (1, 1), (2, 3)] {
        let days = 30 + round * 10;
        book_all(&scenario, &listings, days).await;
        // It takes everything and acknowledges nothing; then it is gone. Bookings go on.
        server.signal(crate::signals::Signal::STOP);
        book_at_once(&scenario, &listings, days + 1).await;
        server.kill().await;
        book_at_once(&scenario, &listings, days + 2).await;
        shows(&scenario, "a stream that is away", |lag, failed| {
            lag > 0.0 && failed > 0.0
        })
        .await;
        scenario.cluster.kill(dead).await.expect("it ran");
        book_all(&scenario, &listings, days + 3).await;
        server.run().await;
        scenario
            .cluster
            .restart(dead)
            .await
            .expect("it starts again");
    }
    let expected = all_in_the_stream(&scenario, &server, &listings).await;
    let (found, mut created) = found(&server).await;
    assert_eq!(
        found, expected,
        "the same set, in the same order, each once"
    );
    created.sort_unstable();
    listings.sort_unstable();
    assert_eq!(created, listings);
    shows(&scenario, "a stream that has everything", |lag, _| {
        lag <= 0.0
    })
    .await;
    scenario.stop().await;
}

/// What the ledgers have told into the stream, by listing, and the listings that were created.
async fn found(server: &Server) -> (BTreeMap<String, Vec<Value>>, Vec<String>) {
    let (mut booked, mut created) = (BTreeMap::<String, Vec<Value>>::new(), Vec::new());
    for (id, subject, event) in server.messages(STREAM).await {
        assert_eq!(event["id"], id.as_str());
        let kind = event["type"].as_str().expect("a type");
        assert_eq!(subject, format!("meridian.events.{kind}"));
        let listing = text(&event["data"]["listing_id"]);
        if is_of_document(&event) {
            assert_eq!(kind, "listing.created");
            created.push(listing);
        } else {
            booked.entry(listing).or_default().push(event);
        }
    }
    (booked, created)
}

/// Waits until the stream has as many events as these listings have told, and answers which.
async fn all_in_the_stream(
    scenario: &Scenario,
    server: &Server,
    listings: &[String],
) -> BTreeMap<String, Vec<Value>> {
    let mut expected = BTreeMap::new();
    for listing in listings {
        expected.insert(listing.clone(), told(scenario, listing).await);
    }
    let booked: u64 = expected.values().map(|events| events.len() as u64).sum();
    // And of each listing that it was created.
    let all = booked + listings.len() as u64;
    until(
        PATIENCE,
        format!("{all} events are in the stream"),
        async || {
            let count = server.count(STREAM).await?;
            (count >= all).then_some(())
        },
    )
    .await
    .expect("they come");
    expected
}

/// Waits until the metrics of node 2, which is never killed, say so of its stream.
async fn shows(scenario: &Scenario, what: &str, is_so: impl Fn(f64, f64) -> bool) {
    let admin = scenario.cluster.node_in("eu-west").expect("a node").admin;
    let url = format!("http://{admin}/metrics");
    let shown = until(PATIENCE, what, async || {
        let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
        let value = |series: &str| -> Option<f64> {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
        };
        let lag = value("meridian_stream_lag_seconds ")?;
        let failed = value("meridian_stream_events{outcome=\"failed\"} ")?;
        is_so(lag, failed).then_some(())
    });
    shown.await.expect("shown");
}

/// Bookings, none of which waits for a stream.
async fn book_at_once(scenario: &Scenario, listings: &[String], days: i64) {
    let began = Instant::now();
    book_all(scenario, listings, days).await;
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
}

async fn book_all(scenario: &Scenario, listings: &[String], days: i64) {
    for listing in listings {
        let booked = book_surely(&scenario.client(2), listing, &stay(days)).await;
        booked.expect("booked");
    }
}

/// Every event of a listing, once its payments are through.
async fn told(scenario: &Scenario, listing: &str) -> Vec<Value> {
    let settled = until(PATIENCE, format!("{listing} is settled"), async || {
        let answer = scenario.client(2).events(Some(listing), None).await.ok()?;
        let events = answer.body["data"].as_array()?.clone();
        let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        (count("booking.confirmed") == count("payment.captured")).then_some(events)
    });
    settled.await.expect("settled")
}
