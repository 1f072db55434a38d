//! Searches in a region that spreads its listings: any node answers for all of them.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use meridian_chaos::until;
use meridian_regions::{ListingId, Shards};
use meridian_replication_core::SessionToken;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::region::{PATIENCE, Region, id};
use crate::config::Config;
use crate::relay::Outcome;
use crate::solo::Solo;

/// Listings that each node makes of its own.
const EACH: usize = 3;

/// Nothing is found before a session wants to see it.
fn by_sessions_alone(config: &mut Config) {
    config.search.commit_ms = NonZeroU64::new(3_600_000).expect("not zero");
}

fn by_two(config: &mut Config) {
    by_sessions_alone(config);
    config.listings.replicas_per_region = 2;
}

/// Some listings, of some price each, made at every node.
async fn stocked(settings: fn(&mut Config)) -> Region {
    let region = Region::start_with(settings).await;
    for node in 1..=3 {
        for number in 0..EACH {
            let price = json!({"amount": 10 * number + usize::try_from(node).expect("small"), "currency": "EUR"});
            let draft = json!({
                "title": format!("Loft {node}{number}"),
                "location": {"lat": 59.91, "lon": 10.75},
                "capacity": 4,
                "nightly_price": price,
                "room_type": if number == 0 { "Private room" } else { "Entire home/apt" },
                "survival": "zone",
            });
            let made = region.ask(node, Method::POST, "/v1/listings", Some(draft));
            assert_eq!(made.await.status(), 201);
        }
    }
    for node in 1..=3 {
        until(PATIENCE, "every holder has its listings", async || {
            let found = search(&region, node, "").await;
            (found["total"] == 3 * EACH).then_some(())
        })
        .await
        .expect("replicated");
    }
    region
}

async fn asked(region: &Region, node: u64, query: &str, level: &str) -> Response {
    let url = &region.urls[usize::try_from(node).expect("small") - 1];
    let request = region.http.get(format!("{url}/v1/listings?{query}"));
    let request = request.header("Meridian-Consistency", level);
    request.send().await.expect("an answer")
}

/// What a session finds at a node.
async fn search(region: &Region, node: u64, query: &str) -> Value {
    let answer = asked(region, node, query, "session").await;
    assert_eq!(answer.status(), 200, "{query}");
    assert_eq!(answer.headers()["meridian-consistency"], "session");
    assert!(answer.headers().contains_key("meridian-session"));
    let found: Value = answer.json().await.expect("an answer");
    assert_eq!(found["shards"], json!({"searched": 64, "of": 64}));
    found
}

fn titles(found: &Value) -> Vec<String> {
    let listings = found["data"].as_array().expect("a list").iter();
    listings
        .map(|listing| listing["title"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_finds_the_listings_of_all_and_its_pages_go_on_at_another() {
    let region = stocked(by_sessions_alone).await;
    let expected = [
        "Loft 10", "Loft 20", "Loft 30", "Loft 11", "Loft 21", "Loft 31", "Loft 12", "Loft 22",
        "Loft 32",
    ];
    for node in 1..=3 {
        let found = search(&region, node, "sort=price&q=loft").await;
        assert_eq!(titles(&found), expected);
        assert_eq!(found["total"], 9);
        let kinds = json!({"Private room": 3, "Entire home/apt": 6});
        assert_eq!(found["facets"]["room_type"], kinds);
        assert!(found["as_of"].is_string());
        assert!(found["next_cursor"].is_null());
    }
    let (mut all, mut query) = (Vec::new(), "sort=price&q=loft&limit=2".to_owned());
    for node in [1, 2, 3, 1, 2] {
        let found = search(&region, node, &query).await;
        assert_eq!(found["total"], 9);
        all.extend(titles(&found));
        let cursor = found["next_cursor"].as_str().unwrap_or_default();
        query = format!("sort=price&q=loft&limit=2&cursor={cursor}");
    }
    assert_eq!(all, expected);
    assert_eq!(query, "sort=price&q=loft&limit=2&cursor=");
    let near = search(&region, 2, "near=59.91,10.75&sort=distance&limit=3").await;
    assert_eq!(near["data"][2]["distance_km"], 0.0);
    let parts = region.nodes[1].node.relay.counts().of(Outcome::Part);
    assert!(parts >= 8, "two others each time");
    region.stop().await;
}

fn token_of(header: &HeaderValue) -> SessionToken {
    let text = header.to_str().expect("text");
    SessionToken::decode(text).expect("a token")
}

/// Its index is being opened, or crowded: any other one has what it has.
#[tokio::test(flavor = "multi_thread")]
async fn node_whose_own_index_does_not_answer_asks_others_for_everything() {
    let region = stocked(by_two).await;
    let before = search(&region, 1, "sort=price").await;
    region.nodes[0].node.search.slots().close();
    // Also a session: it is for others to say what their indexes have.
    let found = search(&region, 1, "sort=price").await;
    assert_eq!(titles(&found), titles(&before));
    assert_eq!(found["total"], 9, "each listing once");
    region.stop().await;
}

/// What the session has seen at one node is found at another, or it is told to come back.
#[tokio::test(flavor = "multi_thread")]
async fn session_sees_at_once_at_any_node_what_it_has_written_at_another() {
    let region = stocked(by_sessions_alone).await;
    let found = search(&region, 1, "q=loft&sort=price&limit=1").await;
    let listing = found["data"][0]["id"].as_str().expect("an id");
    let path = format!("/v1/listings/{listing}");
    let listing: ListingId = listing.parse().expect("an id");
    let holds = |solo: &&Solo| solo.node.replica.serves(listing.shard());
    let holder = region.nodes.iter().find(holds).expect("one does");
    let holder = holder.node.identity.node;
    for (title, node) in [("Den", 2), ("Attic", 3), ("Mill", 1)] {
        let patched = region.ask(node, Method::PATCH, &path, Some(json!({"title": title})));
        let patched = patched.await;
        let token = patched.headers()["meridian-session"].clone();
        for reader in 1..=3 {
            // A session that has seen nothing is told what this answer has.
            let number = u64::try_from(reader).expect("small");
            let fresh = asked(&region, number, &format!("q={title}"), "session").await;
            let fresh = token_of(&fresh.headers()["meridian-session"]);
            assert!(fresh.demand(holder) >= token_of(&token).demand(holder));
            let url = &region.urls[reader - 1];
            let request = region.http.get(format!("{url}/v1/listings?q={title}"));
            let answer = request.header("Meridian-Session", token.clone()).send();
            let answer = answer.await.expect("an answer");
            assert_eq!(answer.headers()["meridian-consistency"], "session");
            // What is seen here is seen everywhere from now on.
            let seen = answer.headers()["meridian-session"].clone();
            let found: Value = answer.json().await.expect("an answer");
            assert_eq!(titles(&found), [title], "at node {reader}");
            let elsewhere = region
                .http
                .get(format!("{}{path}", region.urls[reader % 3]));
            let read = elsewhere.header("Meridian-Session", seen).send().await;
            let read: Value = read.expect("an answer").json().await.expect("a listing");
            assert_eq!(read["title"], title);
        }
    }
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_nobody_answers_for_are_said_and_a_session_is_told_to_come_back() {
    let mut region = stocked(by_sessions_alone).await;
    search(&region, 1, "").await;
    let gone = region.nodes.pop().expect("three");
    let held = gone.node.replica.held();
    gone.stop().await;
    let found = asked(&region, 1, "sort=price", "eventual").await;
    assert_eq!(found.headers()["meridian-consistency"], "eventual");
    let found: Value = found.json().await.expect("an answer");
    let searched = (Shards::ALL - held).len();
    assert_eq!(found["shards"], json!({"searched": searched, "of": 64}));
    let expected = [
        "Loft 10", "Loft 20", "Loft 11", "Loft 21", "Loft 12", "Loft 22",
    ];
    assert_eq!(titles(&found), expected);
    assert_eq!(found["total"], 6);
    // A bound is not kept where nobody has answered.
    let bounded = asked(&region, 1, "", "bounded; max-staleness-ms=3600000").await;
    assert_eq!(bounded.headers()["meridian-consistency"], "eventual");

    let refused = asked(&region, 1, "sort=price", "session").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let refused: Value = refused.json().await.expect("a problem");
    assert_eq!(
        (&refused["code"], &refused["retryable"]),
        (&json!("no-holder"), &json!(true))
    );
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_holder_is_replaced_by_the_other_one() {
    let mut region = stocked(by_two).await;
    let before = search(&region, 1, "sort=price").await;
    assert_eq!(before["total"], 9, "each listing once");
    region.nodes.pop().expect("three").stop().await;
    for node in 1..=2 {
        let found = search(&region, node, "sort=price").await;
        assert_eq!(titles(&found), titles(&before));
        assert_eq!(found["total"], 9);
    }
    region.stop().await;
}

/// Either of the others may be asked first: each is slow in its turn.
#[tokio::test(flavor = "multi_thread")]
async fn slow_holder_is_not_waited_for_where_another_has_the_same() {
    let region = stocked(by_two).await;
    let before = search(&region, 1, "sort=price").await;
    for slow in 1..=2 {
        let slots = region.nodes[slow].node.search.slots();
        let all = u32::try_from(slots.available_permits()).expect("few");
        let held = slots.acquire_many(all).await.expect("open");
        let started = Instant::now();
        let found = search(&region, 1, "sort=price").await;
        let elapsed = started.elapsed();
        drop(held);
        assert_eq!(titles(&found), titles(&before));
        assert_eq!(found["total"], 9, "each listing once");
        // It says so itself after a second.
        assert!(elapsed < Duration::from_millis(900), "{elapsed:?}");
    }
    region.stop().await;
}

/// Who is asked for some shards looks at those and no others.
#[tokio::test(flavor = "multi_thread")]
async fn node_is_never_asked_for_what_another_is_asked_for() {
    let region = stocked(by_two).await;
    let found = search(&region, 1, "").await;
    let ids: BTreeSet<&str> = found["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|listing| listing["id"].as_str().expect("text"))
        .collect();
    assert_eq!(ids.len(), 9);
    until(PATIENCE, "others are linked", async || {
        let mesh = &region.nodes[0].node.mesh;
        (mesh.connected(id(2)) && mesh.connected(id(3))).then_some(())
    })
    .await
    .expect("linked");
    let parts = || region.nodes[0].node.relay.counts().of(Outcome::Part);
    let before = parts();
    search(&region, 1, "").await;
    // Both others hold all that it does not: one of them is enough.
    assert_eq!(parts() - before, 1);
    region.stop().await;
}
