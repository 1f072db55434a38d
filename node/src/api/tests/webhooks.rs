//! Webhook endpoints on one node, which delivers to a receiver of the test.

use std::convert::Infallible;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;
use futures::stream;
use meridian_client::webhook;
use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Caller, booking};

/// Ample time for what should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bodies and signatures that a receiver was sent.
type Seen = Arc<Mutex<Vec<(Bytes, String)>>>;

async fn caller() -> Caller {
    Caller::start_with(|config| {
        config.events.allow_private_targets = true;
        config.events.attempt_deadline_ms = NonZeroU64::new(2_000).expect("not zero");
    })
    .await
}

/// A receiver that takes what comes, leads away, or talks for ever.
async fn receiver(caller: &Caller) -> (String, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let take = move |headers: HeaderMap, body: Bytes| {
        let signature = headers[webhook::SIGNATURE_HEADER].to_str().expect("text");
        assert_eq!(headers["content-type"], "application/cloudevents+json");
        kept.lock()
            .expect("sound")
            .push((body, signature.to_owned()));
        std::future::ready(StatusCode::NO_CONTENT)
    };
    let endless = async || {
        let chunks = std::iter::repeat(Ok::<_, Infallible>(Bytes::from_static(&[0; 4_096])));
        Body::from_stream(stream::iter(chunks)).into_response()
    };
    let routes = Router::new()
        .route("/take", post(take))
        .route("/away", post(async || Redirect::temporary("/take")))
        .route("/endless", post(endless));
    (caller.solo.serve(routes).await, seen)
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = meridian_chaos::until(PATIENCE, what, async || is_so().await.then_some(()));
    waited.await.expect("it comes");
}

#[tokio::test]
async fn endpoint_is_made_shown_without_its_secret_changed_and_forgotten() {
    let caller = caller().await;
    let body = json!({"url": "http://127.0.0.1:9/x", "types": ["booking.confirmed"]});
    let made = caller.post("/v1/webhook-endpoints", body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let secret = made.body["secret"].as_str().expect("shown once");
    assert!(
        secret.starts_with("whsec_") && secret.len() == 70,
        "{secret}"
    );
    assert_eq!(made.body["copies"], 1);
    let path = format!(
        "/v1/webhook-endpoints/{}",
        made.body["id"].as_str().expect("an id")
    );
    let shown = caller.get(&path).await.body;
    assert_eq!(shown["types"], json!(["booking.confirmed"]));
    assert_eq!(shown["secret"], Value::Null);
    assert!(!shown.to_string().contains(secret));

    let patch = Some(json!({"enabled": false, "types": []}));
    let changed = caller.send(Method::PATCH, &path, patch, None).await;
    assert_eq!(
        (changed.status, &changed.body["enabled"]),
        (200, &json!(false))
    );
    let listed = caller.get("/v1/webhook-endpoints").await.body;
    assert_eq!(listed["data"], json!([changed.body]));
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.get(&path).await.status, 404);
    let listed = caller.get("/v1/webhook-endpoints").await.body;
    assert_eq!(listed["data"], json!([]));
    caller.stop().await;
}

#[tokio::test]
async fn endpoint_that_makes_no_sense_is_refused_with_the_field() {
    let strict = Caller::start().await;
    for (body, pointer) in [
        (json!({"url": "http://example.com/"}), "/url"),
        (json!({"url": "https://127.0.0.1/"}), "/url"),
        (json!({"url": "https://169.254.169.254/"}), "/url"),
        (
            json!({"url": "https://example.com/", "types": ["booking"]}),
            "/types",
        ),
        (
            json!({"url": "https://example.com/", "secret": "short"}),
            "/secret",
        ),
    ] {
        let refused = strict.post("/v1/webhook-endpoints", body.clone()).await;
        assert_eq!(refused.status, 422, "{body}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
    let unknown = json!({"url": "https://example.com/", "colour": "red"});
    assert_eq!(
        strict.post("/v1/webhook-endpoints", unknown).await.status,
        422
    );
    let nobody = format!("/v1/webhook-endpoints/whe_{}", "0".repeat(32));
    for path in [nobody.as_str(), "/v1/webhook-endpoints/lst_x"] {
        assert_eq!(strict.get(path).await.status, 404);
        let replay = strict
            .post(&format!("{path}/replay"), json!({"from": "parked"}))
            .await;
        assert_eq!(replay.status, 404);
    }
    strict.stop().await;
}

#[tokio::test]
async fn test_event_says_what_came_of_it_and_no_redirect_is_followed() {
    let caller = caller().await;
    let (url, seen) = receiver(&caller).await;
    for (path, delivered) in [
        ("take", true),
        ("away", false),
        ("endless", true),
        ("none", false),
    ] {
        let body = json!({"url": format!("{url}/{path}")});
        let made = caller.post("/v1/webhook-endpoints", body).await.body;
        let id = made["id"].as_str().expect("an id");
        let test = format!("/v1/webhook-endpoints/{id}/test");
        let tested = caller.post(&test, json!({})).await;
        assert_eq!(
            tested.body["delivered"], delivered,
            "{path}: {:?}",
            tested.body
        );
        let took_ms = tested.body["duration_ms"].as_u64().expect("a number");
        assert!(took_ms < 2_000, "{path} took {took_ms} ms");
        assert_eq!(
            caller
                .delete(&format!("/v1/webhook-endpoints/{id}"))
                .await
                .status,
            204
        );
    }
    assert_eq!(
        seen.lock().expect("sound").len(),
        1,
        "the redirect was not followed"
    );
    caller.stop().await;
}

#[tokio::test]
async fn bookings_are_told_signed_and_only_of_the_types_that_are_wanted() {
    let caller = caller().await;
    let (url, seen) = receiver(&caller).await;
    let secret = "a-secret-of-ones-own";
    let body = json!({
        "url": format!("{url}/take"), "types": ["booking.confirmed"], "secret": secret,
    });
    let made = caller.post("/v1/webhook-endpoints", body).await;
    assert_eq!(made.body["secret"], Value::Null, "it is known");
    let listing = caller.listing(json!({})).await;
    for days in [30, 31] {
        let booked = caller.post("/v1/bookings", booking(&listing, days)).await;
        assert_eq!(booked.status, 201, "{:?}", booked.body);
    }
    until("two events", async || {
        seen.lock().expect("sound").len() >= 2
    })
    .await;
    let told = seen.lock().expect("sound").clone();
    let now = caller.solo.node.clock.now().as_millis() / 1_000;
    let mut numbers = Vec::new();
    for (body, signature) in &told {
        let verified = webhook::verify(secret, signature, body, now, webhook::TOLERANCE);
        assert_eq!(verified, Ok(()));
        let event: Value = serde_json::from_slice(body).expect("JSON");
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["type"], "booking.confirmed");
        numbers.push(event["data"]["number"].as_u64().expect("a number"));
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    // What is asked for again comes again, and from the beginning.
    let id = made.body["id"].as_str().expect("an id");
    let replay = format!("/v1/webhook-endpoints/{id}/replay");
    let again = caller.post(&replay, json!({"from": "oldest"})).await;
    assert_eq!(again.status, 202);
    until("both again", async || {
        seen.lock().expect("sound").len() >= 4
    })
    .await;
    let (first, second) = {
        let seen = seen.lock().expect("sound");
        (seen[0].0.clone(), seen[2].0.clone())
    };
    assert_eq!(first, second, "the same event under the same id");
    let deliveries = format!("/v1/webhook-endpoints/{id}/deliveries");
    until("it is written down", async || {
        let shown = caller.get(&deliveries).await.body;
        shown["regions"][0]["delivered"] == 4 && shown["data"][0]["state"] == "delivered"
    })
    .await;
    caller.stop().await;
}
