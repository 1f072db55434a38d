//! What can be followed: a listing's changes, and a request through the cluster.

use futures::TryStreamExt;
use meridian_chaos::until;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, book_surely, key, stay};

#[tokio::test(flavor = "multi_thread")]
async fn history_pages_through_every_change_with_its_author() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    for node in [2, 3] {
        let client = scenario.client(node);
        let patch = json!({"capacity": node});
        let patched = client.patch_listing(&listing, patch, None).await;
        patched.expect("accepted");
        scenario.converged().await;
    }
    let api = scenario.cluster.node_in("eu-west").expect("a node").api;
    let url = format!("http://{api}/v1/listings/{listing}/history");
    let http = reqwest::Client::new();
    let page = async |query: String| {
        let answer = http.get(format!("{url}?{query}")).send().await;
        let answer = answer.expect("sent");
        assert_eq!(answer.headers()["meridian-consistency"], "eventual");
        answer.json::<Value>().await.expect("a page")
    };
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = page(query).await;
        seen.extend(page["data"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("limit=2&cursor={next}");
    }
    let told: Vec<Value> = seen
        .iter()
        .map(|one| json!([one["message"], one["actor"], one["region"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["genesis", null, null]),
            json!(["genesis", null, null]),
            json!(["create", 1, "us-east"]),
            json!(["patch", 2, "eu-west"]),
            json!(["patch", 3, "ap-southeast"]),
        ]
    );
    assert_eq!(seen[4]["parents"], json!([seen[3]["hash"]]));
    let unknown = http.get(format!("{url}?cursor=00")).send().await;
    assert_eq!(unknown.expect("sent").status().as_u16(), 422);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_of_availability() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(1);
    let mut events = client.watch(&listing).await.expect("a stream");
    let mut heard = Vec::new();
    until(PATIENCE, "the revision before any booking", async || {
        let event = events.try_next().await.expect("open").expect("more");
        let is_first = event.data == json!({"revision": 0});
        heard.push(event.event);
        is_first.then_some(())
    })
    .await
    .expect("told");
    assert!(heard.iter().any(|event| event == "listing.updated"));
    // Sold by another region; heard where it is applied.
    book_surely(&scenario.client(3), &listing, &stay(3))
        .await
        .expect("sold");
    heard.clear();
    until(PATIENCE, "the booking is heard of", async || {
        let event = events.try_next().await.expect("open").expect("more");
        heard.push(event.event);
        let last = heard.last()?;
        (last == "availability.changed").then_some(())
    })
    .await
    .expect("told");
    assert!(!heard.iter().any(|event| event == "listing.updated"));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_is_in_the_log_of_the_node_that_leads() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    // Its home elects itself before anybody else is asked.
    book_surely(&scenario.client(2), &listing, &stay(2))
        .await
        .expect("sold");
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let night = stay(4);
    let pending = reqwest::Client::new()
        .post(format!("http://{api}/v1/bookings"))
        .header("Idempotency-Key", key())
        .header("X-Request-Id", "followed-across-regions")
        .json(&json!({
            "listing_id": listing,
            "check_in": night.check_in,
            "check_out": night.check_out,
            "guests": 1,
            // The leader warns that it has left the payment pending.
            "payment_method": "card_unavailable",
        }))
        .send()
        .await
        .expect("sent");
    assert_eq!(pending.status(), StatusCode::ACCEPTED);
    assert!(scenario.log(2).contains("followed-across-regions"));
    scenario.stop().await;
}
