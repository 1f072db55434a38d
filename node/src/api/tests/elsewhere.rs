//! A region of three nodes, one of which holds each listing: whatever is asked of another
//! one is answered all the same, by that one.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_chaos::until;
use meridian_regions::{ListingId, NodeId, Shards, UnixNanos};
use meridian_transport::pki::Authority;
use meridian_transport::{
    CallError, Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress,
    Refusal, ServiceFuture, TlsMaterial,
};
use prost::Message;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::night;
use crate::config::Config;
use crate::relay::{Asked, of_listing, of_shard};
use crate::solo::Solo;

const PATIENCE: Duration = Duration::from_secs(30);
const NODES: u64 = 3;

/// See the module.
struct Region {
    nodes: Vec<Solo>,
    urls: Vec<String>,
    http: Client,
}

fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("bound")
}

fn topology(ports: &[SocketAddr]) -> String {
    let head = "cluster = \"solo\"\nepoch = 1\n[[regions]]\nid = \"eu-west\"\nlatitude = 53.3\nlongitude = -6.3\n";
    let nodes = ports.iter().enumerate().map(|(place, port)| {
        let (id, zone) = (place + 1, ["a", "b", "c"][place]);
        format!(
            "[[nodes]]\nid = {id}\nregion = \"eu-west\"\nzone = \"eu-west-{zone}\"\npeer = \"{port}\"\napi = \"http://h\"\nadmin = \"http://h\"\n"
        )
    });
    nodes.fold(head.to_owned(), |text, node| text + &node)
}

fn authority() -> Authority {
    Authority::create(&"solo".parse().expect("a name")).expect("an authority")
}

fn id(number: u64) -> NodeId {
    NodeId::new(number).expect("not zero")
}

/// Node `number`, where each listing is held by one node.
fn settings(config: &mut Config, number: u64, port: SocketAddr) {
    let place = usize::try_from(number).expect("small") - 1;
    config.node.id = id(number);
    config.node.zone = ["eu-west-a", "eu-west-b", "eu-west-c"][place]
        .parse()
        .expect("a zone");
    config.listen.peer = port;
    config.listings.replicas_per_region = 1;
}

impl Region {
    async fn start() -> Self {
        let ports: Vec<SocketAddr> = (0..NODES).map(|_| free_port()).collect();
        let (topology, authority) = (topology(&ports), authority());
        let nodes: Vec<Solo> = (1..=NODES)
            .zip(ports)
            .map(|(number, port)| {
                Solo::start_in(&topology, &authority, |config| {
                    settings(config, number, port)
                })
            })
            .collect();
        let mut urls = Vec::new();
        for solo in &nodes {
            urls.push(solo.serve(crate::api::router(Arc::clone(&solo.node))).await);
        }
        let http = Client::builder().no_proxy().build().expect("a client");
        let region = Self { nodes, urls, http };
        until(PATIENCE, "links between all", async || {
            let mut meshes = region.nodes.iter().map(|solo| &solo.node.mesh);
            let linked = |mesh: &Mesh| mesh.peers().iter().all(|peer| peer.connected);
            meshes.all(linked).then_some(())
        })
        .await
        .expect("they dial each other");
        until(PATIENCE, "every node serves what it holds", async || {
            let mut replicas = region.nodes.iter().map(|solo| &solo.node.replica);
            replicas
                .all(|replica| replica.serving() == replica.held() && replica.held() != Shards::ALL)
                .then_some(())
        })
        .await
        .expect("nothing is missing");
        region
    }

    /// Asks a node.
    async fn ask(&self, node: u64, method: Method, path: &str, body: Option<Value>) -> Response {
        let place = usize::try_from(node).expect("small") - 1;
        let request = self
            .http
            .request(method, format!("{}{path}", self.urls[place]));
        let request = request
            .header(
                "Idempotency-Key",
                format!("{:032x}", rand::random::<u128>()),
            )
            .header("If-Match", "*")
            .header("X-Request-Id", "told-by-the-client");
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    /// The same, of a node that is not the holder; told what was answered, by the holder.
    async fn asked(
        &self,
        to: (u64, u64),
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let (node, holder) = to;
        let answer = self.ask(node, method, path, body).await;
        assert_eq!(
            answer.headers()["meridian-served-by"],
            format!("eu-west/{holder}"),
            "{path}"
        );
        assert_eq!(answer.headers()["x-request-id"], "told-by-the-client");
        assert!(answer.headers().contains_key("meridian-session"));
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A listing that is made at, and so held by, a node.
    async fn listing(&self, node: u64) -> ListingId {
        let draft = json!({
            "title": "Loft",
            "location": {"lat": 59.91, "lon": 10.75},
            "capacity": 4,
            "nightly_price": {"amount": 12_900, "currency": "EUR"},
            "survival": "zone",
        });
        let made = self
            .ask(node, Method::POST, "/v1/listings", Some(draft))
            .await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.expect("a listing");
        let listing: ListingId = made["id"].as_str().expect("an id").parse().expect("an id");
        for (solo, number) in self.nodes.iter().zip(1..) {
            assert_eq!(solo.node.replica.serves(listing.shard()), number == node);
        }
        listing
    }

    async fn stop(self) {
        drop(self.http);
        for solo in self.nodes {
            solo.stop().await;
        }
    }
}

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
