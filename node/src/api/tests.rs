//! The envelope around every handler, on a node of its own.

mod authorization;
mod caller;
mod clock;
mod conflicts;
mod deletion;
mod elsewhere;
mod guests;
mod hours;
mod keys;
mod limits;
mod numbers;
mod quotes;
mod reading;
mod region;
mod scattering;
mod searching;
mod watching;
mod webhooks;
mod yielding;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use reqwest::StatusCode;
use serde_json::Value;

use super::enveloped;
use crate::admission::Door;
use crate::solo::Solo;

async fn broken() -> &'static str {
    panic!("a bug in a handler")
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_of_a_handler_is_a_problem_and_the_next_request_is_served() {
    let solo = Solo::start();
    let routes = Router::new()
        .route("/broken", get(broken))
        .route("/sound", get(async || "served"));
    let url = solo
        .serve(enveloped(
            routes,
            Arc::clone(&solo.node),
            1_024,
            Door::Clients,
        ))
        .await;
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a client");
    let answer = http
        .get(format!("{url}/broken"))
        .header("X-Request-Id", "told-to-the-operator")
        .send()
        .await
        .expect("an answer, not a closed connection");
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["x-request-id"], "told-to-the-operator");
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], "internal");
    assert_eq!(problem["request_id"], "told-to-the-operator");

    let next = http.get(format!("{url}/sound")).send().await;
    assert_eq!(next.expect("served").status(), StatusCode::OK);
    drop(http);
    solo.stop().await;
}
