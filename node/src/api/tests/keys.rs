//! What a key is told while its request is under way, at another listing, and by itself.

use meridian_chaos::until;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Duration;

use super::caller::{Answer, Caller, booking, night};

const PATIENCE: Duration = Duration::from_secs(30);

async fn book(caller: &Caller, body: &Value, key: &str) -> Answer {
    let body = Some(body.clone());
    caller
        .send(Method::POST, "/v1/bookings", body, Some(key))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn second_request_with_a_key_under_way_is_told_so_and_what_became_of_it_later() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let mut body = booking(&listing, 9);
    // Its client waits for a provider that never answers, until its deadline.
    body["payment_method"] = json!("card_timeout");
    let (one, other) = tokio::join!(book(&caller, &body, "k"), book(&caller, &body, "k"));
    let (begun, refused) = if one.status == 409 {
        (other, one)
    } else {
        (one, other)
    };
    assert_eq!(begun.status, 202, "{begun:?}");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.body["code"], "idempotency-in-flight");
    assert_eq!(refused.body["retryable"], true);
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    let again = book(&caller, &body, "k").await;
    assert_eq!((again.status, &again.body), (202, &begun.body));
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_a_client_that_has_gone_can_be_asked_for_again() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let mut body = booking(&listing, 9);
    body["payment_method"] = json!("card_timeout");
    let gone = book(&caller, &body, "k");
    let seen = until(PATIENCE, "the first is under way", async || {
        let driven = caller.solo.node.bookings.sagas();
        (!driven.is_empty()).then_some(())
    });
    tokio::select! {
        biased;
        answered = gone => panic!("{answered:?}"),
        seen = seen => seen.expect("it is begun"),
    }
    let again = until(PATIENCE, "an answer to its key", async || {
        let again = book(&caller, &body, "k").await;
        (again.status != 409).then_some(again)
    });
    assert_eq!(again.await.expect("answered").status, 202);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_another_listing_is_refused_and_one_that_came_to_nothing_is_not() {
    let caller = Caller::start().await;
    let one = caller.listing(json!({})).await;
    let other = caller.listing(json!({})).await;
    let hold = async |listing: &dyn std::fmt::Display, body: Value, key: &str| {
        let path = format!("/v1/listings/{listing}/holds");
        caller
            .send(Method::POST, &path, Some(body), Some(key))
            .await
    };
    assert_eq!(hold(&one, night(9), "used").await.status, 201);
    let refused = hold(&other, night(9), "used").await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.body["code"], "idempotency-mismatch");
    // Nothing was done: another has the night.
    assert_eq!(hold(&other, night(9), "fresh").await.status, 201);
    assert_eq!(hold(&one, night(9), "used").await.status, 201, "as before");

    let mut crowd = night(10);
    crowd["guests"] = json!(99);
    assert_eq!(hold(&one, crowd, "mended").await.status, 422);
    assert_eq!(hold(&other, night(10), "mended").await.status, 201);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_is_found_by_the_key_alone() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let sold = book(&caller, &booking(&listing, 9), "sold").await;
    assert_eq!(sold.status, 201, "{sold:?}");
    let taken = book(&caller, &booking(&listing, 9), "taken").await;
    assert_eq!(taken.status, 409, "{taken:?}");
    let found = caller.get("/v1/outcomes/sold").await;
    assert_eq!(found.body["outcome"], "committed");
    assert_eq!(found.body["answer"], sold.body);
    let found = caller.get("/v1/outcomes/taken").await;
    assert_eq!(found.body["problem"]["code"], "slot-taken");
    let never = caller.get("/v1/outcomes/never").await;
    assert_eq!(never.body["outcome"], "unknown");
    assert_eq!(never.body["waiting_for"], Value::Null);
    caller.stop().await;
}
