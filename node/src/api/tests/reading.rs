//! Reads of a listing that a client has seen before.

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::json;

use super::caller::Caller;

#[tokio::test(flavor = "multi_thread")]
async fn answer_of_a_seen_listing_has_no_body_and_is_about_this_request() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let first = caller.asking(Method::GET, &path).send().await;
    let first = first.expect("sent");
    let tag = first.headers()["etag"].to_str().expect("text").to_owned();

    for (named, status) in [
        (tag.clone(), StatusCode::NOT_MODIFIED),
        (format!("W/{tag}"), StatusCode::NOT_MODIFIED),
        (format!("\"other,\", {tag}"), StatusCode::NOT_MODIFIED),
        ("*".to_owned(), StatusCode::NOT_MODIFIED),
        ("\"other\"".to_owned(), StatusCode::OK),
        (tag.replace('"', ""), StatusCode::OK),
    ] {
        let request = caller.asking(Method::GET, &path);
        let request = request
            .header("If-None-Match", &named)
            .header("Meridian-Consistency", "bounded; max-staleness-ms=60000")
            .header("X-Request-Id", "of-this-request");
        let answer = request.send().await.expect("sent");
        assert_eq!(answer.status(), status, "{named}");
        // From the cache comes the body, and nothing else.
        let headers = answer.headers().clone();
        assert_eq!(headers["etag"], tag.as_str());
        assert_eq!(headers["meridian-consistency"], "bounded");
        assert_eq!(headers["x-request-id"], "of-this-request");
        for name in ["meridian-session", "meridian-staleness-ms"] {
            assert!(headers.contains_key(name), "{name}");
        }
        let body = answer.bytes().await.expect("whole");
        assert_eq!(body.is_empty(), status == StatusCode::NOT_MODIFIED);
    }
    assert_eq!(caller.solo.node.replica.stats().reads.loads, 0);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn write_names_what_it_overwrites_by_strong_tags() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let read = caller.asking(Method::GET, &path).send().await;
    let read = read.expect("sent");
    let tag = read.headers()["etag"].to_str().expect("text").to_owned();
    for (named, status) in [
        (format!("W/{tag}"), 412),
        ("\"other\"".to_owned(), 412),
        (tag.replace('"', ""), 422),
        (format!("\"other\", {tag}"), 200),
        (tag, 412),
        ("*".to_owned(), 200),
    ] {
        let request = caller.asking(Method::PATCH, &path);
        let patched = request
            .header("If-Match", &named)
            .header("Content-Type", "application/merge-patch+json")
            .body(json!({"title": named}).to_string())
            .send()
            .await
            .expect("sent");
        assert_eq!(patched.status().as_u16(), status, "{named}");
    }
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_reads_were_answered() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let nobody = caller.solo.genesis().listing;
    for (id, status) in [(&listing, 200), (&nobody, 404), (&nobody, 404)] {
        let answer = caller.get(&format!("/v1/listings/{id}")).await;
        assert_eq!(answer.status, status);
    }
    let node = &caller.solo.node;
    let text = node.metrics.render(node).expect("metrics");
    let text = String::from_utf8(text).expect("text");
    for line in [
        "meridian_listing_reads{found=\"hit\"} 2",
        "meridian_listing_reads{found=\"load\"} 1",
        "meridian_listing_reads{found=\"coalesced\"} 0",
        "meridian_listing_cache_evictions 0",
        "meridian_listing_watchers 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(!text.contains("meridian_listing_cache_bytes 0\n"));
    caller.stop().await;
}
