//! What the console shows is what the APIs say.

use meridian_consensus::Electorate;
use meridian_regions::{Goal, NodeId, Survival};
use serde_json::{Value, json};

use super::super::snapshot::PARTS;
use super::{EVIL, PATIENCE, Visitor};

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_array().expect("a list").iter();
    counts.map(|count| count.as_u64().expect("a count")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_other_apis() {
    let visitor = Visitor::start().await;
    let listing = visitor.listing("Loft").await;
    assert_eq!(visitor.book(&listing, "first").await, 201);
    let whole = visitor.json("/console/data/snapshot").await;
    let status = visitor.json("/admin/v1/status").await;
    let figures = &whole["nodes"][0]["figures"];
    for name in [
        "version",
        "listings",
        "documents_hot",
        "groups_awake",
        "payments_stuck",
        "writes_queued",
    ] {
        assert_eq!(figures[name], status[name], "{name}");
    }
    assert_eq!(figures["listings"], 1);
    assert_eq!(
        whole["groups"]["by_leader"],
        json!([{"region": "eu-west", "led": 1, "at_home": 1, "misplaced": 0, "by_home": {"eu-west": 1}}])
    );
    let regions = visitor.http.get(format!("{}/v1/regions", visitor.api));
    let regions: Value = regions
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("JSON");
    assert_eq!(whole["regions"], regions["data"]);
    let told = visitor.http.get(format!("{}/v1/events", visitor.api));
    let told: Value = told.send().await.expect("sent").json().await.expect("JSON");
    let mut told = told["data"].as_array().expect("a list").clone();
    let shown = visitor.json("/console/data/events").await;
    let mut shown = shown["data"].as_array().expect("a list").clone();
    let sequence = |event: &Value| event["sequence"].as_str().map(str::to_owned);
    told.sort_by_key(sequence);
    shown.sort_by_key(sequence);
    // The payment goes on meanwhile: what was shown first has been told by now.
    assert!(
        !told.is_empty() && shown.starts_with(&told),
        "{told:?} {shown:?}"
    );
    for part in PARTS {
        let one = visitor.json(&format!("/console/data/{part}")).await;
        assert!(!one["data"].is_null(), "{part}");
    }
    assert_eq!(visitor.visit("/console/data/other").await.status(), 404);
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_and_conflicts_are_counted_once() {
    let visitor = Visitor::start().await;
    let listing = visitor.listing("Loft").await;
    assert_eq!(visitor.book(&listing, "first").await, 201);
    assert_eq!(visitor.book(&listing, "first").await, 201, "told again");
    assert_eq!(visitor.book(&listing, "second").await, 409);
    let series = visitor.json("/console/data/series").await;
    let counted = ["booked", "taken", "held", "cancelled", "unanswered"];
    let counted = counted.map(|kind| sum(&series["data"][kind]));
    assert_eq!(counted, [1, 1, 0, 0, 0]);
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_is_shown_with_its_changes_and_the_log_index_of_its_ledger() {
    let visitor = Visitor::start().await;
    let listing = visitor.listing(EVIL).await;
    let path = format!("/console/data/listings/{listing}");
    let before = visitor.json(&path).await;
    assert_eq!(before["ledger"], Value::Null, "nothing was booked");
    assert_eq!(visitor.book(&listing, "first").await, 201);
    let answer = visitor.visit(&path).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let shown: Value = answer.json().await.expect("JSON");
    assert_eq!(shown["document"]["title"], EVIL, "as it was written");
    let history = format!("{}/v1/listings/{listing}/history?limit=100", visitor.api);
    let history = visitor.http.get(history).send().await.expect("sent");
    let history: Value = history.json().await.expect("JSON");
    assert_eq!(shown["document"]["changes"], history["data"]);
    let last = history["data"].as_array().and_then(|all| all.last());
    let last = last.expect("it was created");
    let standing = &shown["nodes"][0]["standing"];
    assert_eq!(standing["heads"], json!([last["hash"]]));
    assert_eq!(standing["serves"], true);
    let sold = &shown["ledger"]["reservations"][0];
    assert_eq!(sold["number"], 1);
    assert_eq!(sold["state"], "confirmed");
    let index = shown["ledger"]["log_index"].as_u64().expect("applied");
    let group = visitor.json(&format!("/admin/v1/groups/{listing}")).await;
    assert!(index > 0 && index <= group["applied_index"].as_u64().expect("applied"));
    assert_eq!(standing["role"], group["role"]);
    let nobodys = visitor.solo.genesis().listing;
    let unknown = visitor
        .visit(&format!("/console/data/listings/{nobodys}"))
        .await;
    assert_eq!(unknown.status(), 404);
    let none = visitor.visit("/console/data/listings/none").await;
    assert_eq!(none.status(), 404);
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_has_gone_to_another_home_is_shown_at_home_there() {
    let visitor = Visitor::start().await;
    let listing = visitor.listing("Loft").await;
    let path = format!("/console/data/listings/{listing}");
    assert_eq!(visitor.json(&path).await["home"], "eu-west");
    let node = &visitor.solo.node;
    let genesis = node.replica.genesis(&listing).expect("read");
    let genesis = genesis.expect("it was founded");
    let elsewhere = Electorate {
        term: 2,
        index: 5,
        learners: Vec::new(),
        voters: vec![NodeId::new(2).expect("not zero")],
        goal: Some(Goal {
            home: "us-east".parse().expect("a region"),
            survival: Survival::Region,
            revision: 1,
        }),
    };
    let this = [node.identity.node];
    let told = node.groups.tell(&genesis, &elsewhere, &this, PATIENCE);
    assert_eq!(told.await, this);
    assert_eq!(visitor.json(&path).await["home"], "us-east");
    visitor.stop().await;
}
