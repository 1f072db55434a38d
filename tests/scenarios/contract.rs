//! The client contract, as an outsider would try it.

use meridian_chaos::until;
use meridian_client::CallError;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, draft, key, stay, text};

#[tokio::test(flavor = "multi_thread")]
async fn listings_follow_the_contract() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("eu-west").expect("a node");
    let url = format!("http://{}/v1/listings", node.api);
    let http = reqwest::Client::new();

    let made = http
        .post(&url)
        .json(&draft("Loft"))
        .send()
        .await
        .expect("sent");
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let etag = made.headers()["etag"].clone();
    for name in ["meridian-session", "meridian-served-by", "x-request-id"] {
        assert!(
            made.headers().contains_key(name),
            "{name} is on every answer"
        );
    }
    let one = format!("http://{}{location}", node.api);

    let cached = http
        .get(&one)
        .header("If-None-Match", &etag)
        .send()
        .await
        .expect("sent");
    assert_eq!(cached.status(), StatusCode::NOT_MODIFIED);
    let bounded = http
        .get(&one)
        .header("Meridian-Consistency", "bounded; max-staleness-ms=60000")
        .send()
        .await
        .expect("sent");
    assert_eq!(bounded.headers()["meridian-consistency"], "bounded");
    assert!(bounded.headers().contains_key("meridian-staleness-ms"));

    let patch = |etag: &reqwest::header::HeaderValue| {
        http.patch(&one)
            .header("If-Match", etag)
            .header("Content-Type", "application/merge-patch+json")
            .body(r#"{"title": "Sea view"}"#)
    };
    let patched = patch(&etag).send().await.expect("sent");
    assert_eq!(patched.status(), StatusCode::OK);
    let stale = patch(&etag).send().await.expect("sent");
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.headers()["content-type"], "application/problem+json");

    let gone = http.delete(&one).send().await.expect("sent");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let missing = http.get(&one).send().await.expect("sent");
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_precise_problems() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}", node.api);
    let http = reqwest::Client::new();
    let listing = scenario.listing(1).await;
    let holds = format!("{url}/v1/listings/{listing}/holds");
    let night = json!({"check_in": stay(5).check_in, "check_out": stay(5).check_out, "guests": 1});

    let cases = [
        (
            http.post(format!("{url}/v1/listings"))
                .json(&json!({"title": ""})),
            422,
            "validation",
        ),
        (
            http.post(format!("{url}/v1/listings"))
                .body("x".repeat(300 * 1024)),
            413,
            "payload-too-large",
        ),
        (
            http.get(format!("{url}/v1/listings/nonsense")),
            404,
            "not-found",
        ),
        (http.get(format!("{url}/v1/listings/%FF")), 404, "not-found"),
        (
            http.delete(format!("{url}/v1/listings/{listing}/blocks/%FF")),
            404,
            "not-found",
        ),
        (http.get(format!("{url}/v2/anything")), 404, "not-found"),
        (
            http.get(format!("{url}/v1/regions/nearest?lat=59.9")),
            422,
            "validation",
        ),
        (
            http.get(format!("{url}/v1/regions/nearest?lat=91&lon=0")),
            422,
            "validation",
        ),
        (
            http.put(format!("{url}/v1/regions")),
            405,
            "method-not-allowed",
        ),
        (
            http.post(&holds).json(&night),
            400,
            "idempotency-key-missing",
        ),
        (
            http.post(&holds)
                .header("Idempotency-Key", key())
                .json(&json!({"nights": 3})),
            422,
            "validation",
        ),
        (
            http.get(format!("{url}/v1/listings/{listing}"))
                .header("Meridian-Consistency", "strongest"),
            422,
            "validation",
        ),
    ];
    for (request, status, code) in cases {
        refused(request, status, code).await;
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_bodies_that_were_passed_over_get_precise_problems() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}", node.api);
    let http = reqwest::Client::new();
    let listing = scenario.listing(1).await;
    let broken_id = http.get(format!("{url}/v1/listings/%FF"));
    refused(broken_id, 404, "not-found").await;
    let broken_block = http.delete(format!("{url}/v1/listings/{listing}/blocks/%FF"));
    refused(broken_block, 404, "not-found").await;
    let mut hourly = draft("By the hour");
    hourly["slot"] = json!("hour");
    hourly["location"]["time_zone"] = json!("Europe/Nowhere");
    let hourly = http.post(format!("{url}/v1/listings")).json(&hourly);
    refused(hourly, 422, "validation").await;
    let hold = format!("{}_1", listing.replace("lst_", "hld_"));
    let quoted = http
        .post(format!("{url}/v1/bookings"))
        .header("Idempotency-Key", key())
        .json(&json!({"hold_id": hold, "quote": "q1_0", "payment_method": "card_ok"}));
    refused(quoted, 422, "validation").await;
    scenario.stop().await;
}

/// Sends a request that must be refused with a problem of this kind.
async fn refused(request: reqwest::RequestBuilder, status: u16, code: &str) {
    let answer = request.send().await.expect("sent");
    assert_eq!(answer.status().as_u16(), status, "{code}");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], code);
    assert_eq!(problem["type"], format!("/problems/{code}"));
    assert_eq!(problem["request_id"], id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn stay_goes_from_hold_to_cancellation() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(3);
    let night = stay(40);
    let held = client.hold(&listing, &night, &key()).await.expect("held");
    let hold = text(&held.body["hold_id"]);
    let shown = client
        .fresh_availability(&listing, &night.check_in, &night.check_out)
        .await
        .expect("a quorum");
    assert_eq!(shown.body["nights"][0]["free"], 0);
    assert_eq!(shown.consistency.as_deref(), Some("linearizable"));
    let booked = client
        .confirm(&hold, "card_ok", &key())
        .await
        .expect("sold");
    let booking = text(&booked.body["booking_id"]);
    let refused = scenario.client(1).delete_listing(&listing).await;
    assert_eq!(
        refused.err().as_ref().and_then(CallError::code),
        Some("has-bookings")
    );
    let read = client.booking(&booking).await.expect("there");
    assert_eq!(read.body["state"], "confirmed");
    assert_eq!(read.consistency.as_deref(), Some("linearizable"));
    for _ in 0..2 {
        let cancelled = client.cancel(&booking, &key()).await.expect("cancelled");
        assert_eq!(cancelled.body["state"], "cancelled");
    }
    let free = client
        .fresh_availability(&listing, &night.check_in, &night.check_out)
        .await
        .expect("a quorum");
    assert_eq!(free.body["nights"][0]["free"], 1);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_health_metrics_and_links() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let (admin, api) = (
        format!("http://{}", node.admin),
        format!("http://{}", node.api),
    );
    let http = reqwest::Client::new();
    for (url, expected) in [
        (format!("{admin}/livez"), "ok"),
        (format!("{admin}/readyz"), "ok"),
        (format!("{admin}/readyz?verbose"), "\"ready\":true"),
        (format!("{admin}/metrics"), "meridian_peers_connected 2"),
        (format!("{api}/v1/regions"), "\"health\":\"healthy\""),
        (
            format!("{api}/v1/regions/nearest?lat=-37.8&lon=144.9"),
            "ap-southeast",
        ),
    ] {
        let told = until(PATIENCE, format!("{url}: {expected}"), async || {
            let answer = http.get(&url).send().await.expect("sent");
            assert_eq!(answer.status(), StatusCode::OK, "{url}");
            let body = answer.text().await.expect("text");
            body.contains(expected).then_some(())
        });
        told.await.expect("a cluster in order");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_are_ordered_by_what_the_asked_node_measures_if_nobody_says_where_he_is() {
    let scenario = Scenario::start().await;
    for node in scenario.cluster.nodes() {
        let url = format!("http://{}/v1/regions/nearest", node.api);
        // One that was held up for long is silent for a while.
        let measured = until(PATIENCE, "a round trip to all", async || {
            let answer = reqwest::get(&url).await.expect("sent");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer["basis"], "round-trip");
            let regions = answer["data"].as_array().expect("a list");
            assert_eq!(regions.len(), 3);
            assert_eq!(regions[0]["id"], node.region);
            assert_eq!(regions[0]["rtt_ms"], 0.0);
            let measured = regions.iter().map(|region| region["rtt_ms"].as_f64());
            measured.collect::<Option<Vec<f64>>>()
        });
        let measured = measured.await.expect("all are connected");
        assert!(measured.is_sorted(), "{measured:?}");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_of_a_caller_are_shown_to_nobody_without_credentials() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("eu-west").expect("a node");
    let url = format!("http://{}/v1/me/bookings", node.api);
    let answer = reqwest::get(&url).await.expect("sent");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "unauthenticated");
}
