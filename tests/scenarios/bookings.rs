//! The booking plane: a night is sold once, or not at all.

use std::time::{Duration, Instant};

use futures::future::join_all;
use meridian_chaos::until;
use meridian_client::CallError;
use meridian_node::Config;

use crate::harness::{PATIENCE, Scenario, book_surely, key, sold, stay};

/// Clients in the race.
const RACERS: usize = 100;
/// What an answer may take beyond the node's own deadline, for the way.
const ON_THE_WAY: Duration = Duration::from_millis(500);
/// How long the mesh takes to notice a cut: `MeshOptions::silence_max`, and some.
const CUT_NOTICED: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn hundred_clients_race_for_one_night_and_one_wins() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let night = stay(30);
    let attempts = (0..RACERS).map(|racer| {
        let client = scenario.client(racer as u64 % 3 + 1);
        let (listing, night) = (listing.clone(), night.clone());
        async move { book_surely(&client, &listing, &night).await }
    });
    let outcomes = join_all(attempts).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1);
    for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(lost.code(), Some("slot-taken"), "{lost}");
    }
    let sold = sold(&scenario.client(1), &listing).await;
    assert_eq!(sold.get(&night.check_in).map(Vec::len), Some(1));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_minority_says_no_quorum_within_its_deadline() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    // The cut-off region leads nothing here, and then leads a group of its own.
    let at_home = {
        let mut draft = crate::harness::draft("At home in Sydney");
        draft["home_region"] = serde_json::json!("ap-southeast");
        let made = scenario
            .client(3)
            .create_listing(draft)
            .await
            .expect("created");
        crate::harness::text(&made.body["id"])
    };
    scenario.everywhere(&at_home).await;
    for listing in [&listing, &at_home] {
        book_surely(&scenario.client(3), listing, &stay(10))
            .await
            .expect("sold");
    }
    scenario.cluster.wan().isolate("ap-southeast");
    let cut = Instant::now();
    // Both at once: one that came second would find the cut noticed already.
    join_all([&listing, &at_home].map(|listing| minority_says_no_quorum(&scenario, listing, cut)))
        .await;
    // The majority goes on, also with the listing whose leader was cut off.
    book_surely(&scenario.client(1), &at_home, &stay(12))
        .await
        .expect("sold");
    scenario.cluster.wan().heal();
    book_surely(&scenario.client(3), &at_home, &stay(13))
        .await
        .expect("sold");
    let sold = sold(&scenario.client(3), &at_home).await;
    assert!(
        sold.values().all(|bookings| bookings.len() == 1),
        "{sold:?}"
    );
    scenario.stop().await;
}

/// Every call is answered within the deadline that the node is configured with, and
/// `no-quorum` comes within one deadline of the moment at which the cut is noticed.
async fn minority_says_no_quorum(scenario: &Scenario, listing: &str, cut: Instant) {
    let deadline = Config::reference().booking_deadline();
    let cut_off = scenario.client(3);
    until(PATIENCE, "a minority says no-quorum", async || {
        let started = Instant::now();
        let answer = cut_off.book(listing, &stay(11), "card_ok", &key()).await;
        let took = started.elapsed();
        assert!(took <= deadline + ON_THE_WAY, "after {took:?}: {answer:?}");
        let error = answer.expect_err("nothing is sold by a minority");
        // Until the cut is noticed, the honest answer is that nobody knows.
        assert!(
            matches!(error.code(), Some("no-quorum" | "outcome-unknown")),
            "{error}"
        );
        (error.code() == Some("no-quorum")).then_some(())
    })
    .await
    .expect("it says so");
    let took = cut.elapsed();
    assert!(took <= CUT_NOTICED + deadline, "no-quorum after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_key_answers_the_same_through_any_region_and_after_failover() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let (night, key) = (stay(20), key());
    let first = scenario
        .client(1)
        .book(&listing, &night, "card_ok", &key)
        .await;
    let first = first.expect("sold");
    let again = scenario
        .client(3)
        .book(&listing, &night, "card_ok", &key)
        .await;
    let again = again.expect("the same");
    assert_eq!(again.body["booking_id"], first.body["booking_id"]);
    assert!(again.replayed);
    let other = scenario
        .client(1)
        .book(&listing, &stay(21), "card_ok", &key)
        .await;
    assert_eq!(
        other.err().as_ref().and_then(CallError::code),
        Some("idempotency-mismatch")
    );
    // Its home, and so its leader, dies.
    scenario.cluster.kill(2).await.expect("it ran");
    let survivor = scenario.client(1);
    let replayed = until(PATIENCE, "an answer after failover", async || {
        survivor.book(&listing, &night, "card_ok", &key).await.ok()
    });
    let replayed = replayed.await.expect("the same");
    assert_eq!(replayed.body["booking_id"], first.body["booking_id"]);
    scenario.cluster.restart(2).await.expect("it starts again");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declined_payment_frees_the_night() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let client = scenario.client(1);
    let night = stay(15);
    let declined = client.book(&listing, &night, "card_declined", &key()).await;
    assert_eq!(
        declined.err().as_ref().and_then(CallError::code),
        Some("payment-declined")
    );
    book_surely(&client, &listing, &night)
        .await
        .expect("free again");
    scenario.stop().await;
}
