//! The feed of events: whoever dies, a consumer that comes back hears of everything.

use std::collections::{BTreeMap, BTreeSet};

use meridian_chaos::until;
use meridian_client::{CallError, Client};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, book_surely, is_of_document, stay, text};

/// Reads one region's feed, and remembers only what it would have written down.
struct Consumer {
    client: Client,
    cursor: Option<String>,
    /// Events in the order in which each listing's came, by listing.
    seen: BTreeMap<String, Vec<Value>>,
}

impl Consumer {
    fn new(client: Client) -> Self {
        Self {
            client,
            cursor: None,
            seen: BTreeMap::new(),
        }
    }

    /// One page; `None` if there is no answer. Answers how many events it had.
    async fn page(&mut self) -> Option<usize> {
        let answer = self.client.events(None, self.cursor.as_deref()).await;
        let body = answer.ok()?.body;
        let events = body["data"].as_array().expect("a list");
        for event in events {
            let listing = text(&event["data"]["listing_id"]);
            self.seen.entry(listing).or_default().push(event.clone());
        }
        self.cursor = Some(text(&body["next_cursor"]));
        Some(events.len())
    }

    /// Reads on until it has heard that a booking of a listing was confirmed.
    async fn hears_of(&mut self, listing: &str, booking: &str) {
        let heard = until(PATIENCE, format!("event of {booking}"), async || {
            self.page().await;
            let events = self.seen.get(listing)?;
            let mut subjects = events
                .iter()
                .filter(|event| event["type"] == "booking.confirmed");
            subjects
                .any(|event| event["subject"] == booking)
                .then_some(())
        });
        heard.await.expect("it is told");
    }

    fn of(&self, listing: &str, wanted: impl Fn(&Value) -> bool) -> impl Iterator<Item = &Value> {
        let seen = self.seen.get(listing).into_iter().flatten();
        seen.filter(move |event| wanted(event))
    }

    /// Reads on until it has heard that a listing was deleted.
    async fn hears_of_the_end(&mut self, listing: &str) {
        let heard = until(PATIENCE, format!("end of {listing}"), async || {
            self.page().await;
            let ended = |event: &Value| event["type"] == "listing.deleted";
            self.of(listing, ended).next().map(|_| ())
        });
        heard.await.expect("it is told");
    }

    /// What was told of a listing's document: each change the first time.
    fn changes(&self, listing: &str) -> Vec<Value> {
        let mut ids = BTreeSet::new();
        let changes = self.of(listing, is_of_document);
        let first = changes.filter(|event| ids.insert(text(&event["id"])));
        first.cloned().collect()
    }

    /// Every event of a listing by its number, each once: nothing is out of order.
    fn in_order(&self, listing: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        for event in self.of(listing, |event| !is_of_document(event)) {
            let number = event["data"]["number"].as_u64().expect("a number");
            let due = events.len() as u64 + 1;
            assert!(number <= due, "event {number} where {due} is due");
            if number == due {
                events.push(event.clone());
            } else {
                let place = usize::try_from(number).expect("small") - 1;
                assert_eq!(events[place], *event, "told differently the second time");
            }
        }
        events
    }
}

async fn book(scenario: &Scenario, node: u64, listing: &str, days: i64) -> String {
    let booked = book_surely(&scenario.client(node), listing, &stay(days)).await;
    text(&booked.expect("booked").body["booking_id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_and_node_that_die_miss_no_event_and_hear_each_in_order_with_one_id() {
    let mut scenario = Scenario::start().await;
    let listings = [scenario.listing(1).await, scenario.listing(2).await];
    let mut consumer = Consumer::new(scenario.client(3));
    for listing in &listings {
        let first = book(&scenario, 1, listing, 30).await;
        consumer.hears_of(listing, &first).await;
    }
    // The consumer dies with what it has read after its last note.
    let (noted, seen) = (consumer.cursor.clone(), consumer.seen.clone());
    let second = book(&scenario, 2, &listings[0], 31).await;
    consumer.hears_of(&listings[0], &second).await;
    let mut consumer = Consumer {
        client: scenario.client(3),
        cursor: noted,
        seen,
    };
    consumer.hears_of(&listings[0], &second).await;
    // Its node dies, and the bookings go on without it.
    scenario.cluster.kill(3).await.expect("it ran");
    let mut last = Vec::new();
    for listing in &listings {
        last.push(book(&scenario, 1, listing, 32).await);
    }
    scenario.cluster.restart(3).await.expect("it starts again");
    for (listing, booking) in listings.iter().zip(&last) {
        consumer.hears_of(listing, booking).await;
    }
    // Another region tells the same events, under the same ids.
    let mut elsewhere = Consumer::new(scenario.client(1));
    for (listing, booking) in listings.iter().zip(&last) {
        elsewhere.hears_of(listing, booking).await;
        let (here, there) = (consumer.in_order(listing), elsewhere.in_order(listing));
        let both = here.len().min(there.len());
        assert_eq!(here[..both], there[..both]);
        let types: Vec<&str> = here
            .iter()
            .filter_map(|event| event["type"].as_str())
            .collect();
        assert_eq!(types[..2], ["booking.held", "payment.pending"]);
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursor_of_one_region_is_sent_home_by_another_and_a_listings_is_good_everywhere() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let booking = book(&scenario, 1, &listing, 30).await;
    let mut consumer = Consumer::new(scenario.client(2));
    consumer.hears_of(&listing, &booking).await;
    let refused = scenario
        .client(1)
        .events(None, consumer.cursor.as_deref())
        .await;
    match refused {
        Err(CallError::Problem(problem)) => assert_eq!(problem.code, "cursor-elsewhere"),
        other => panic!("{other:?}"),
    }
    let first = scenario
        .client(1)
        .events(Some(&listing), Some("l1~1"))
        .await;
    let first = first.expect("told").body["data"][0].clone();
    assert_eq!(first["data"]["number"], 2);
    let same = until(PATIENCE, "the same event elsewhere", async || {
        let told = scenario
            .client(3)
            .events(Some(&listing), Some("l1~1"))
            .await;
        let told = told.ok()?.body["data"][0].clone();
        (!told.is_null()).then_some(told)
    });
    assert_eq!(same.await.expect("told"), first);
    let nonsense = scenario.client(1).events(None, Some("nonsense")).await;
    assert!(
        matches!(nonsense, Err(CallError::Problem(_))),
        "{nonsense:?}"
    );
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_listing_is_told_in_every_region_once_and_behind_what_it_builds_on() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let mut consumers = [1, 2, 3].map(|node| Consumer::new(scenario.client(node)));
    for node in [2, 1, 3, 2] {
        let title = json!({"title": format!("Loft, as node {node} has it")});
        let patched = scenario
            .client(node)
            .patch_listing(&listing, title, None)
            .await;
        patched.expect("written");
    }
    // A node dies and comes back: what it had told is not told anew, and the rest comes.
    consumers[2].page().await.expect("answered");
    scenario.cluster.kill(3).await.expect("it ran");
    let title = json!({"title": "Loft without a node"});
    let patched = scenario
        .client(1)
        .patch_listing(&listing, title, None)
        .await;
    patched.expect("written");
    scenario.cluster.restart(3).await.expect("it starts again");
    // Whoever deletes it has seen all of that.
    scenario.converged().await;
    let history = scenario.client(2).history(&listing, None).await;
    let history = history.expect("readable").body["data"].clone();
    let history: Vec<Value> = history.as_array().expect("a list").clone();
    let deleted = scenario.client(2).delete_listing(&listing).await;
    deleted.expect("deleted");
    let mut told: Option<BTreeSet<String>> = None;
    for consumer in &mut consumers {
        consumer.hears_of_the_end(&listing).await;
        let changes = consumer.changes(&listing);
        assert_eq!(changes[0]["type"], "listing.created");
        let place = |hash: &Value| {
            let mut changes = changes.iter();
            changes.position(|event| event["data"]["change"] == *hash)
        };
        for change in history.iter().filter(|change| !change["actor"].is_null()) {
            let here = place(&change["hash"]);
            let here = here.unwrap_or_else(|| panic!("{change} is not told"));
            for parent in change["parents"].as_array().expect("a list") {
                // The genesis is nobody's doing.
                assert!(place(parent).is_none_or(|parent| parent < here));
            }
        }
        let ids: BTreeSet<String> = changes.iter().map(|event| text(&event["id"])).collect();
        assert_eq!(*told.get_or_insert_with(|| ids.clone()), ids);
    }
    scenario.stop().await;
}
