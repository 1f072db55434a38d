//! Callers who send too much, and what operators do, on a node that counts and writes down.

use std::num::NonZeroU32;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use super::caller::Caller;
use crate::config::Config;
use crate::grpc::v1::regions_client::RegionsClient;
use crate::grpc::{self, v1};

/// Three at once and one a second, for each address that a proxy on this machine names.
fn one_a_second(config: &mut Config) {
    config.limits.caller_requests_per_second = 1;
    config.limits.caller_burst = NonZeroU32::new(3).expect("not zero");
    config.listen.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_who_sends_too_much_is_told_when_to_come_back_and_others_are_served() {
    let caller = Caller::start_with(one_a_second).await;
    let solo = &caller.solo;
    let routes = crate::api::router(Arc::clone(&solo.node));
    let url = solo.serve(routes).await;
    let from = async |address: &str| {
        let request = caller.asking_at(&url, Method::GET, "/v1/regions");
        let request = request.header("X-Forwarded-For", address);
        request.send().await.expect("an answer")
    };
    let first = from("192.0.2.1").await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["ratelimit-policy"], "\"caller\";q=3;w=3");
    assert_eq!(first.headers()["ratelimit"], "\"caller\";r=2;t=1");
    let mut refused = None;
    for _ in 0..1_000 {
        let answer = from("192.0.2.1").await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("more than one a second");
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["ratelimit"], "\"caller\";r=0;t=3");
    let problem: Value = refused.json().await.expect("a problem");
    assert_eq!(
        (&problem["code"], &problem["retryable"]),
        (&json!("rate-limited"), &json!(true))
    );
    assert_eq!(from("192.0.2.2").await.status(), 200);
    // Also what nothing answers is counted.
    let lost = caller.asking_at(&url, Method::GET, "/nowhere").send().await;
    assert!(lost.expect("an answer").headers().contains_key("ratelimit"));
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_bounds_nobody_says_nothing_of_it() {
    let caller = Caller::start().await;
    let answer = caller.asking(Method::GET, "/v1/regions").send().await;
    let answer = answer.expect("an answer");
    assert!(!answer.headers().contains_key("ratelimit"));
    assert!(!answer.headers().contains_key("ratelimit-policy"));
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_over_grpc_is_counted_as_over_rest_and_told_so() {
    let caller = Caller::start_with(one_a_second).await;
    let solo = &caller.solo;
    let routes = grpc::beside(crate::api::router(Arc::clone(&solo.node))).await;
    let channel = Channel::from_shared(solo.serve(routes).await).expect("a URL");
    let channel = channel.connect().await.expect("it is served");
    let mut regions = RegionsClient::new(channel);
    // Each proxy adds a value of its own.
    let mut from = async |name: &'static str, values: &[&str]| {
        let mut request = tonic::Request::new(v1::ListRegionsRequest {});
        for value in values {
            let value = value.parse().expect("plain text");
            request.metadata_mut().append(name, value);
        }
        regions.list_regions(request).await
    };
    let first = from("x-forwarded-for", &["192.0.2.9", "192.0.2.1"]).await;
    let first = first.expect("the first");
    assert_eq!(
        first.metadata().get("ratelimit").expect("told"),
        "\"caller\";r=2;t=1"
    );
    let mut refused = None;
    for _ in 0..1_000 {
        refused = from("x-forwarded-for", &["192.0.2.9", "192.0.2.1"])
            .await
            .err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("more than one a second");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    for (name, value) in [
        ("retry-after", "1"),
        ("ratelimit", "\"caller\";r=0;t=3"),
        ("ratelimit-policy", "\"caller\";q=3;w=3"),
    ] {
        assert_eq!(refused.metadata().get(name).expect(name), value);
    }
    // Whoever has nothing to do with it is served.
    from("x-forwarded-for", &["192.0.2.1", "192.0.2.9"])
        .await
        .expect("another");
    from("forwarded", &["for=192.0.2.1", "for=192.0.2.7"])
        .await
        .expect("a third");
    drop(regions);
    caller.stop().await;
}
