//! What a wall clock that was set does to bookings.

use reqwest::Method;
use serde_json::json;

use super::caller::{Caller, night};
use crate::clock::Skew;

const MINUTE_MS: i64 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn hold_lapses_by_the_clock_of_its_node() {
    let caller = Caller::start_with(|config| config.chaos.enabled = true).await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}/holds");
    let hold = async |key: &str| {
        let mut body = night(9);
        body["ttl_seconds"] = json!(60);
        caller
            .send(Method::POST, &path, Some(body), Some(key))
            .await
    };
    assert_eq!(hold("first").await.status, 201);
    let taken = hold("second").await;
    assert_eq!(
        (taken.status, &taken.body["code"]),
        (409, &json!("slot-taken"))
    );
    let clock = &caller.solo.node.clock;
    clock.set(Skew::new(2 * MINUTE_MS, 0));
    assert_eq!(hold("third").await.status, 201, "the first has lapsed");
    // Time in a ledger never goes back.
    clock.set(Skew::new(0, 0));
    assert_eq!(hold("fourth").await.status, 409);
    caller.stop().await;
}
