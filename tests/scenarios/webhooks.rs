//! Webhooks: a receiver that fails, is late and is mended, and nodes that die in between.

mod receiver;

use std::collections::{BTreeMap, BTreeSet};

use meridian_chaos::{WanPlan, until};
use meridian_client::{Client, ReplayFrom};
use serde_json::Value;

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, is_of_document, stay, text};
use receiver::{Mood, Receiver};

/// More than the open and the unwritten part of a pump: what one death may repeat.
const REPEATED_MAX: usize = 512;

async fn start(plan: WanPlan, attempts_max: u32) -> Scenario {
    let settings = [
        "events.allow_private_targets=true".to_owned(),
        "events.retry_first_ms=40".to_owned(),
        "events.retry_max_ms=400".to_owned(),
        "events.attempt_deadline_ms=700".to_owned(),
        format!("events.max_attempts={attempts_max}"),
    ];
    Scenario::start_with(plan, settings.into()).await
}

fn plan() -> WanPlan {
    WanPlan::scaled_down(LINK_DIVISOR)
}

async fn book(scenario: &Scenario, node: u64, listing: &str, days: i64) -> String {
    let booked = book_surely(&scenario.client(node), listing, &stay(days)).await;
    text(&booked.expect("booked").body["booking_id"])
}

/// Every event of a listing, as its ledger tells it.
async fn told(client: &Client, listing: &str) -> Vec<Value> {
    let read = until(PATIENCE, format!("events of {listing}"), async || {
        let answer = client.events(Some(listing), None).await.ok()?;
        answer.body["data"].as_array().cloned()
    });
    read.await.expect("told")
}

/// Waits until a receiver has every event that the ledgers tell, and checks each listing's
/// order. Of each listing it has heard before that, or then, that it was created.
async fn has_everything(receiver: &Receiver, client: &Client, listings: &[String]) {
    let mut expected = BTreeMap::new();
    for listing in listings {
        // The payment of the last booking goes on after its answer.
        let events = until(PATIENCE, format!("{listing} is settled"), async || {
            let events = told(client, listing).await;
            let open = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
            (open("booking.confirmed") == open("payment.captured")).then_some(events)
        });
        expected.insert(listing.clone(), events.await.expect("captured"));
    }
    let all = expected.values().map(Vec::len).sum::<usize>() + listings.len();
    until(
        PATIENCE,
        format!("{all} events are delivered"),
        async || (receiver.distinct() >= all).then_some(()),
    )
    .await
    .unwrap_or_else(|late| panic!("{late}: {} of {all}", receiver.distinct()));
    let taken = receiver.taken();
    for (listing, events) in &expected {
        let (documents, ledgers): (Vec<_>, Vec<_>) = first_deliveries(&taken, listing)
            .into_iter()
            .partition(is_of_document);
        assert_eq!(ledgers, *events, "{listing}");
        assert_eq!(documents.len(), 1, "{documents:?}");
        assert_eq!(documents[0]["type"], "listing.created");
    }
    let ids: BTreeSet<&str> = taken
        .iter()
        .filter_map(|event| event["id"].as_str())
        .collect();
    assert_eq!(ids.len(), all, "nothing that nobody tells");
}

/// What was taken of a listing, without what had been taken before.
fn first_deliveries(taken: &[Value], listing: &str) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    taken
        .iter()
        .filter(|event| event["data"]["listing_id"] == listing)
        .filter(|event| seen.insert(text(&event["id"])))
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_delivered_in_order_whoever_fails_and_whoever_dies() {
    let mut scenario = start(plan().with_node(4, "ap-southeast"), 50).await;
    let receiver = Receiver::start().await;
    let made = scenario.client(2).add_webhook(&receiver.url(), &[]).await;
    let made = made.expect("registered").body;
    receiver.verify_with(&text(&made["secret"]));
    for node in scenario.cluster.ids() {
        until(PATIENCE, format!("node {node} has it"), async || {
            scenario.client(node).webhook(&text(&made["id"])).await.ok()
        })
        .await
        .expect("every node has every endpoint");
    }
    receiver.set(Mood::Moody);
    let mut listings = Vec::new();
    for home in 1..=4 {
        listings.push(scenario.listing_at_home(home).await);
    }
    for (days, dead) in [(30, 4), (31, 3), (32, 1)] {
        for listing in &listings {
            book(&scenario, 2, listing, days).await;
        }
        scenario.cluster.kill(dead).await.expect("it ran");
        for listing in &listings {
            book(&scenario, 2, listing, days + 10).await;
        }
        scenario
            .cluster
            .restart(dead)
            .await
            .expect("it starts again");
    }
    receiver.set(Mood::Well);
    has_everything(&receiver, &scenario.client(2), &listings).await;
    let repeated = receiver.taken().len() - receiver.distinct();
    assert!(repeated <= 3 * REPEATED_MAX, "{repeated} events came again");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn event_that_is_refused_is_parked_holds_back_its_own_listing_and_is_replayed() {
    let scenario = start(plan(), 3).await;
    let receiver = Receiver::start().await;
    let made = scenario.client(1).add_webhook(&receiver.url(), &[]).await;
    let made = made.expect("registered").body;
    receiver.verify_with(&text(&made["secret"]));
    let id = text(&made["id"]);
    let (bad, good) = (
        scenario.listing_at_home(1).await,
        scenario.listing_at_home(1).await,
    );
    receiver.set(Mood::Refuses(bad.clone()));
    book(&scenario, 1, &bad, 30).await;
    book(&scenario, 1, &good, 30).await;
    // The other listing's events are not held back.
    has_everything(&receiver, &scenario.client(1), std::slice::from_ref(&good)).await;
    let expected = told(&scenario.client(1), &bad).await.len();
    // Any region says what is parked.
    let parked = until(PATIENCE, "everything is parked", async || {
        let answer = scenario.client(3).webhook_deliveries(&id).await.ok()?.body;
        let data = answer["data"].as_array()?.clone();
        let parked = data.iter().take_while(|one| one["state"] == "parked");
        let parked: Vec<Value> = parked.cloned().collect();
        let of_ledgers = parked.iter().filter(|event| !is_of_document(event));
        (of_ledgers.count() == expected).then_some(parked)
    });
    for parked in parked.await.expect("parked") {
        assert_eq!(
            (&parked["attempts"], &parked["listing_id"]),
            (&3.into(), &bad.as_str().into())
        );
        assert!(text(&parked["error"]).contains("500"), "{parked}");
    }
    receiver.set(Mood::Well);
    let replayed = scenario
        .client(2)
        .replay_webhook(&id, ReplayFrom::Parked)
        .await;
    replayed.expect("accepted");
    has_everything(&receiver, &scenario.client(1), &[bad, good]).await;
    let empty = until(PATIENCE, "nothing is parked", async || {
        let answer = scenario.client(1).webhook_deliveries(&id).await.ok()?.body;
        (answer["data"][0]["state"] == "delivered").then_some(())
    });
    empty.await.expect("delivered");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_endpoint_is_told_later_and_a_booking_never_waits_for_a_receiver() {
    let scenario = start(plan(), 50).await;
    let receiver = Receiver::start().await;
    let made = scenario.client(1).add_webhook(&receiver.url(), &[]).await;
    let made = made.expect("registered").body;
    receiver.verify_with(&text(&made["secret"]));
    let id = text(&made["id"]);
    // Nothing that is sent is ever answered.
    receiver.set(Mood::Silent);
    let listing = scenario.listing_at_home(1).await;
    book(&scenario, 1, &listing, 30).await;
    until(PATIENCE, "a delivery hangs", async || {
        (receiver.asked() > 0).then_some(())
    })
    .await
    .expect("tried");
    for days in 31..36 {
        let began = std::time::Instant::now();
        book(&scenario, 1, &listing, days).await;
        assert!(began.elapsed() < PATIENCE / 10, "{:?}", began.elapsed());
    }
    let off = serde_json::json!({"enabled": false});
    scenario
        .client(2)
        .change_webhook(&id, off)
        .await
        .expect("changed");
    book(&scenario, 3, &listing, 40).await;
    receiver.set(Mood::Well);
    let on = serde_json::json!({"enabled": true});
    scenario
        .client(3)
        .change_webhook(&id, on)
        .await
        .expect("changed");
    has_everything(&receiver, &scenario.client(1), &[listing]).await;
    scenario.stop().await;
}
