//! The clock of a node of its own, set by its operator.

use std::sync::Arc;

use meridian_chaos::until;
use meridian_client::{AdminClient, CallError};
use serde_json::Value;

use crate::admin;
use crate::clock;
use crate::solo::Solo;

const HOUR_MS: i64 = 3_600_000;
/// Longer than a test lasts.
const LONG_MS: i64 = HOUR_MS / 2;

async fn admin_of(solo: &Solo) -> AdminClient {
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    AdminClient::new(url).expect("a client")
}

fn settable() -> Solo {
    Solo::start_with(|config| config.chaos.enabled = true)
}

/// How far ahead a node's clock is of this machine's, by its status, in milliseconds.
async fn ahead_ms(admin: &AdminClient, which: &str) -> i64 {
    let status = admin.status().await.expect("its status");
    let shown_us = status["clock"][which].as_i64().expect("a time");
    let now_ms = i64::try_from(clock::now().as_millis()).expect("small");
    shown_us / 1_000 - now_ms
}

fn fields(refused: Result<Value, CallError>) -> Vec<(String, String)> {
    let Err(CallError::Problem(problem)) = refused else {
        panic!("not refused: {refused:?}");
    };
    assert_eq!(problem.code, "validation");
    let errors = problem.errors.into_iter();
    errors.map(|error| (error.pointer, error.detail)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_is_set_wrong_and_right_again_and_hybrid_time_stays_ahead() {
    let solo = settable();
    let admin = admin_of(&solo).await;
    let set = admin.set_clock(HOUR_MS, 0).await.expect("it may be set");
    assert_eq!(
        (&set["offset_ms"], &set["rate_ppm"]),
        (&HOUR_MS.into(), &0.into())
    );
    assert!(ahead_ms(&admin, "wall_us").await > LONG_MS);

    // A write takes hybrid time along, which never goes back.
    let (genesis, draft) = (solo.genesis(), draft());
    let made = solo
        .node
        .replica
        .create(&genesis.listing, &draft, genesis.clone());
    made.await.expect("created");
    let right = admin.set_clock_right().await.expect("it may be set");
    assert_eq!(
        (&right["offset_ms"], &right["rate_ppm"]),
        (&0.into(), &0.into())
    );
    assert!(ahead_ms(&admin, "wall_us").await.abs() < LONG_MS);
    assert!(ahead_ms(&admin, "hybrid_us").await > LONG_MS);
    drop(admin);
    solo.stop().await;
}

fn draft() -> meridian_replication_core::ValidDraft {
    let draft = serde_json::json!({
        "title": "Loft",
        "location": {"lat": 59.91, "lon": 10.75},
        "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"},
    });
    let draft = meridian_replication_core::ListingDraft::from_json(draft);
    draft.and_then(|draft| draft.validate()).expect("valid")
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_goes_too_fast_gains_time() {
    let solo = settable();
    let admin = admin_of(&solo).await;
    let set = admin.set_clock(0, 500_000).await.expect("it may be set");
    assert_eq!(set["rate_ppm"], 500_000);
    let patience = std::time::Duration::from_secs(30);
    until(patience, "a tenth of a second gained", async || {
        let shown = admin.clock().await.expect("shown");
        let gained_ms = shown["offset_ms"].as_i64().expect("a number");
        (gained_ms >= 100).then_some(())
    })
    .await
    .expect("it gains");
    drop(admin);
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_beyond_its_bounds_is_refused_and_stays_as_it_was() {
    let solo = settable();
    let admin = admin_of(&solo).await;
    admin.set_clock(1_000, 0).await.expect("it may be set");
    let told = fields(admin.set_clock(86_400_001, -500_001).await);
    let expected = [
        (
            "/offset_ms",
            "milliseconds from -86400000 to 86400000, not 86400001",
        ),
        (
            "/rate_ppm",
            "millionths from -500000 to 500000, not -500001",
        ),
    ];
    let expected = expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned()));
    assert_eq!(told, expected);
    let shown = admin.clock().await.expect("shown");
    assert_eq!(
        (&shown["offset_ms"], &shown["rate_ppm"]),
        (&1_000.into(), &0.into())
    );

    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let path = format!("{url}/admin/v1/chaos/clock");
    let nothing = http
        .put(&path)
        .json(&serde_json::json!({}))
        .send()
        .await
        .expect("sent");
    assert_eq!(nothing.status(), 422);
    let problem: Value = nothing.json().await.expect("a problem");
    let detail = problem["errors"][0]["detail"].as_str().expect("text");
    assert!(detail.contains("offset_ms, rate_ppm or both"), "{detail}");
    drop((admin, http));
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_not_started_for_it_has_no_clock_to_be_set() {
    let solo = Solo::start();
    let admin = admin_of(&solo).await;
    for answer in [
        admin.clock().await,
        admin.set_clock(1_000, 0).await,
        admin.set_clock_right().await,
    ] {
        let refused = answer.expect_err("refused");
        assert_eq!(refused.code(), Some("not-found"));
        assert!(refused.to_string().contains("chaos.enabled"), "{refused}");
    }
    assert!(ahead_ms(&admin, "wall_us").await.abs() < LONG_MS);
    drop(admin);
    solo.stop().await;
}
