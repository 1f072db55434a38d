//! A region of three nodes, one of which holds each listing: whatever is asked of another
//! one is answered all the same, by that one.

mod callers;

use std::sync::Arc;

use bytes::Bytes;
use meridian_chaos::until;
use meridian_regions::{ListingId, UnixNanos};
use meridian_transport::{
    CallError, Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress,
    Refusal, ServiceFuture, TlsMaterial,
};
use prost::Message;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::night;
use super::region::{PATIENCE, Region, authority, free_port, id, settings, topology};
use crate::relay::{Asked, of_listing, of_shard};
use crate::solo::Solo;

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_a_document_works_where_it_is_not_held() {
    let region = Region::start().await;
    let listing = region.listing(1).await;
    let path = format!("/v1/listings/{listing}");
    let to = (2, 1);
    let (status, shown) = region.asked(to, Method::GET, &path, None).await;
    assert_eq!((status, &shown["title"]), (200, &json!("Loft")));
    let patch = json!({"title": "Attic"});
    let (status, shown) = region.asked(to, Method::PATCH, &path, Some(patch)).await;
    assert_eq!((status, &shown["title"]), (200, &json!("Attic")));
    let ops = json!({"ops": [{"op": "add", "path": "/amenities", "value": "wifi"}]});
    let (status, shown) = region
        .asked(to, Method::POST, &format!("{path}/edits"), Some(ops))
        .await;
    assert_eq!((status, &shown["amenities"]), (200, &json!(["wifi"])));
    let (status, history) = region
        .asked(to, Method::GET, &format!("{path}/history"), None)
        .await;
    assert_eq!(status, 200);
    assert!(history["data"].as_array().is_some_and(|all| all.len() > 2));
    let (status, conflicts) = region
        .asked(to, Method::GET, &format!("{path}/conflicts"), None)
        .await;
    assert_eq!((status, &conflicts["data"]), (200, &json!([])));
    let chosen = json!({"field": "title", "choose": "00".repeat(32)});
    let (status, _) = region
        .asked(to, Method::POST, &format!("{path}/conflicts"), Some(chosen))
        .await;
    assert_eq!(status, 422, "there is no conflict");

    // Also what is refused, and what has not changed.
    let unheard = region
        .ask(2, Method::GET, &format!("{path}/nothing"), None)
        .await;
    assert_eq!(unheard.status(), 404);
    let known = region.ask(1, Method::GET, &path, None).await;
    let tag = known.headers()["etag"].clone();
    let request = region.http.get(format!("{}{path}", region.urls[1]));
    let unchanged = request
        .header("If-None-Match", tag)
        .send()
        .await
        .expect("an answer");
    assert_eq!(unchanged.status(), 304);
    let long = json!({"title": "x".repeat(300 * 1024)});
    let refused = region.ask(2, Method::PATCH, &path, Some(long)).await;
    assert_eq!(refused.status(), 413);

    // A session that has written at one node reads at the others.
    let written = region
        .ask(3, Method::PATCH, &path, Some(json!({"title": "Den"})))
        .await;
    let token = written.headers()["meridian-session"].clone();
    for url in &region.urls {
        let read = region.http.get(format!("{url}{path}"));
        let read = read.header("Meridian-Session", token.clone()).send().await;
        let read: Value = read.expect("an answer").json().await.expect("a listing");
        assert_eq!(read["title"], "Den");
    }
    let (status, _) = region.asked(to, Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    let (status, _) = region.asked(to, Method::GET, &path, None).await;
    assert_eq!(status, 404);
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_are_made_and_read_where_the_listing_is_not_held() {
    let region = Region::start().await;
    let listing = region.listing(1).await;
    let path = format!("/v1/listings/{listing}");
    let to = (3, 1);
    let dates = night(10);
    let (from, until) = (&dates["check_in"], &dates["check_out"]);
    let (from, until) = (
        from.as_str().expect("a date"),
        until.as_str().expect("a date"),
    );
    let span = format!("{path}/availability?from={from}&to={until}&fresh=true");
    let (status, free) = region.asked(to, Method::GET, &span, None).await;
    assert_eq!((status, &free["nights"][0]["free"]), (200, &json!(1)));

    let (status, hold) = region
        .asked(to, Method::POST, &format!("{path}/holds"), Some(night(10)))
        .await;
    assert_eq!(status, 201);
    let pay = json!({"hold_id": hold["hold_id"], "payment_method": "card_ok"});
    let (status, booked) = region
        .asked(to, Method::POST, "/v1/bookings", Some(pay))
        .await;
    assert_eq!(status, 201);
    let booking = booked["booking_id"].as_str().expect("an id");
    let mut at_once = night(20);
    at_once["listing_id"] = json!(listing);
    at_once["payment_method"] = json!("card_ok");
    let (status, _) = region
        .asked(to, Method::POST, "/v1/bookings", Some(at_once))
        .await;
    assert_eq!(status, 201);
    let (status, read) = region
        .asked(to, Method::GET, &format!("/v1/bookings/{booking}"), None)
        .await;
    assert_eq!((status, &read["state"]), (200, &json!("confirmed")));
    let (status, all) = region
        .asked(to, Method::GET, &format!("{path}/bookings"), None)
        .await;
    assert_eq!(
        (status, all["data"].as_array().map(Vec::len)),
        (200, Some(2))
    );
    let cancel = format!("/v1/bookings/{booking}/cancel");
    let (status, _) = region.asked(to, Method::POST, &cancel, None).await;
    assert_eq!(status, 200);
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_and_closed_and_told_goes_where_the_listing_is_held() {
    let region = Region::start().await;
    let listing = region.listing(1).await;
    let path = format!("/v1/listings/{listing}");
    let to = (3, 1);
    let (status, hold) = region
        .asked(to, Method::POST, &format!("{path}/holds"), Some(night(30)))
        .await;
    assert_eq!(status, 201);
    let hold = format!("/v1/holds/{}", hold["hold_id"].as_str().expect("an id"));
    assert_eq!(region.asked(to, Method::DELETE, &hold, None).await.0, 204);
    let dates = night(40);
    let block = json!({"from": dates["check_in"], "until": dates["check_out"]});
    let (status, block) = region
        .asked(to, Method::POST, &format!("{path}/blocks"), Some(block))
        .await;
    assert_eq!(status, 201);
    let block = format!(
        "{path}/blocks/{}",
        block["block_id"].as_str().expect("an id")
    );
    assert_eq!(region.asked(to, Method::DELETE, &block, None).await.0, 204);
    let outcome = format!("/v1/outcomes/nobody?listing_id={listing}");
    let (status, outcome) = region.asked(to, Method::GET, &outcome, None).await;
    assert_eq!((status, &outcome["outcome"]), (200, &json!("unknown")));
    let (status, _) = region
        .asked(
            to,
            Method::GET,
            &format!("/v1/events?listing_id={listing}"),
            None,
        )
        .await;
    assert_eq!(status, 200);

    // What names no listing is refused where it is asked.
    let nothing = region
        .ask(3, Method::POST, "/v1/bookings", Some(json!({})))
        .await;
    assert_eq!(nothing.status(), 422);
    assert_eq!(nothing.headers()["meridian-served-by"], "eu-west/3");
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_is_watched_where_it_is_not_held_until_its_holder_goes() {
    let mut region = Region::start().await;
    let listing = region.listing(1).await;
    let path = format!("/v1/listings/{listing}");
    let mut stream = region
        .ask(2, Method::GET, &format!("{path}/watch"), None)
        .await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["meridian-served-by"], "eu-west/1");
    let mut text = String::new();
    let mut heard = async |what: &str| {
        while !text.contains(what) {
            let piece = stream.chunk().await.expect("open").expect("not ended");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    heard("\"Loft\"").await;
    region
        .ask(3, Method::PATCH, &path, Some(json!({"title": "Attic"})))
        .await;
    heard("\"Attic\"").await;
    let unknown = ListingId::generate(UnixNanos::from_millis(1), 7, listing.home().clone());
    let unknown = region
        .ask(
            2,
            Method::GET,
            &format!("/v1/listings/{unknown}/watch"),
            None,
        )
        .await;
    assert_eq!(unknown.status(), 404);
    region.nodes.remove(0).stop().await;
    heard("event: watch.ended").await;

    // Who holds it is gone: that is said, and nothing else.
    let gone = region.ask(2, Method::GET, &path, None).await;
    assert_eq!(gone.status(), 503);
    assert!(gone.headers().contains_key("retry-after"));
    let gone: Value = gone.json().await.expect("a problem");
    assert_eq!(
        (&gone["code"], &gone["retryable"]),
        (&json!("no-holder"), &json!(true))
    );
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_was_passed_on_is_not_passed_on_again() {
    let region = Region::start().await;
    let listing = region.listing(1).await;
    let (parts, ()) = axum::http::Request::get(format!("/v1/listings/{listing}"))
        .body(())
        .expect("a request")
        .into_parts();
    let mut asked = Asked::of(&parts, Bytes::new(), 0);
    asked.give(PATIENCE);
    let asked: Bytes = asked.encode_to_vec().into();
    let mesh = &region.nodes[1].node.mesh;
    until(PATIENCE, "links to both", async || {
        let linked = mesh.connected(id(1)) && mesh.connected(id(3));
        linked.then_some(())
    })
    .await
    .expect("they dial each other");
    let refused = mesh
        .call(id(3), Channel::Requests, asked.clone(), PATIENCE)
        .await;
    assert_eq!(refused, Err(CallError::Refused(Refusal::Unavailable)));
    let served = mesh.call(id(1), Channel::Requests, asked, PATIENCE).await;
    served.expect("it is held there");
    region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_founded_a_listing_is_known_where_it_is_not_held() {
    let region = Region::start().await;
    let listing = region.listing(1).await;
    let founded = region.nodes[0]
        .node
        .replica
        .genesis(&listing)
        .expect("readable");
    assert!(founded.is_some());
    let node = &region.nodes[1].node;
    let told = of_listing(&node.replica, &node.relay, &listing).await;
    assert_eq!(told.expect("told"), founded);
    let told = of_shard(&node.replica, &node.relay, listing.shard()).await;
    assert_eq!(told.expect("told"), [founded.expect("founded")]);
    let mut ids = (1..).map(|number| {
        ListingId::generate(UnixNanos::from_millis(1), number, listing.home().clone())
    });
    let unknown = ids.find(|id| id.shard() == listing.shard());
    let unknown = unknown.expect("without end");
    let told = of_listing(&node.replica, &node.relay, &unknown).await;
    assert_eq!(told.expect("told"), None);
    region.stop().await;
}

/// A node that takes every request and answers none.
struct Mute;

impl MeshService for Mute {
    fn call(&self, _: NodeIdentity, _: Channel, _: Bytes) -> ServiceFuture<Result<Bytes, Refusal>> {
        Box::pin(std::future::pending())
    }

    fn stream(
        &self,
        _: NodeIdentity,
        _: Channel,
        _: Bytes,
        replies: FrameWriter,
    ) -> ServiceFuture<()> {
        Box::pin(async move {
            let _kept = replies;
            std::future::pending().await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn write_that_a_holder_has_taken_and_not_answered_is_unknown_and_never_failed() {
    let ports = [free_port(), free_port()];
    let (topology, authority) = (topology(&ports), authority());
    let solo = Solo::start_in(&topology, &authority, |config| {
        settings(config, 1, ports[0]);
        config.bookings.deadline_ms = 1_000.try_into().expect("not zero");
    });
    let url = solo.serve(crate::api::router(Arc::clone(&solo.node))).await;
    let (folder, tracker, cancel) = (
        TempDir::new().expect("a folder"),
        TaskTracker::new(),
        CancellationToken::new(),
    );
    let identity = NodeIdentity {
        cluster: "solo".parse().expect("a name"),
        region: "eu-west".parse().expect("a region"),
        node: id(2),
    };
    authority.save(folder.path()).expect("saved");
    authority
        .issue(&identity)
        .expect("issued")
        .save(folder.path(), "node")
        .expect("saved");
    let file = |name: &str| folder.path().join(name);
    let tls = TlsMaterial::load(&file("ca.pem"), &file("node.pem"), &file("node.key"));
    let mut options = MeshOptions::new(ports[1], identity, tls.expect("loaded"));
    options.peers = vec![PeerAddress {
        node: id(1),
        region: "eu-west".parse().expect("a region"),
        address: ports[0].to_string(),
    }];
    let _mesh = Mesh::start(options, Arc::new(Mute), &tracker, &cancel).expect("started");
    until(PATIENCE, "the node is reached", async || {
        solo.node.mesh.connected(id(2)).then_some(())
    })
    .await
    .expect("reached");

    let held = solo.node.replica.held();
    let home = &solo.node.identity.region;
    let mut ids =
        (1..).map(|number| ListingId::generate(UnixNanos::from_millis(1), number, home.clone()));
    let elsewhere = ids
        .find(|id| !held.contains(id.shard()))
        .expect("without end");
    let http = Client::builder().no_proxy().build().expect("a client");
    let path = format!("{url}/v1/listings/{elsewhere}");
    let patch = http
        .patch(&path)
        .json(&json!({"title": "Attic"}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(patch.status(), 504);
    let patch: Value = patch.json().await.expect("a problem");
    assert_eq!(patch["code"], "outcome-unknown");
    let read = http.get(&path).send().await.expect("an answer");
    assert_eq!(read.status(), 503);
    let read: Value = read.json().await.expect("a problem");
    assert_eq!(read["code"], "no-holder", "it has no effect");
    cancel.cancel();
    drop(http);
    solo.stop().await;
}
