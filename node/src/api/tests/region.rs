//! A region of three nodes that spread their listings, in one process.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use meridian_chaos::until;
use meridian_regions::{ListingId, NodeId, Shards};
use meridian_transport::Mesh;
use meridian_transport::pki::Authority;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::config::Config;
use crate::solo::Solo;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const NODES: u64 = 3;

/// See the module.
pub(super) struct Region {
    pub(super) nodes: Vec<Solo>,
    pub(super) urls: Vec<String>,
    pub(super) http: Client,
}

pub(super) fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("bound")
}

pub(super) fn topology(ports: &[SocketAddr]) -> String {
    let head = "cluster = \"solo\"\nepoch = 1\n[[regions]]\nid = \"eu-west\"\nlatitude = 53.3\nlongitude = -6.3\n";
    let nodes = ports.iter().enumerate().map(|(place, port)| {
        let (id, zone) = (place + 1, ["a", "b", "c"][place]);
        format!(
            "[[nodes]]\nid = {id}\nregion = \"eu-west\"\nzone = \"eu-west-{zone}\"\npeer = \"{port}\"\napi = \"http://h\"\nadmin = \"http://h\"\n"
        )
    });
    nodes.fold(head.to_owned(), |text, node| text + &node)
}

pub(super) fn authority() -> Authority {
    Authority::create(&"solo".parse().expect("a name")).expect("an authority")
}

pub(super) fn id(number: u64) -> NodeId {
    NodeId::new(number).expect("not zero")
}

/// Node `number`, where each listing is held by one node.
pub(super) fn settings(config: &mut Config, number: u64, port: SocketAddr) {
    let place = usize::try_from(number).expect("small") - 1;
    config.node.id = id(number);
    config.node.zone = ["eu-west-a", "eu-west-b", "eu-west-c"][place]
        .parse()
        .expect("a zone");
    config.listen.peer = port;
    config.listings.replicas_per_region = 1;
}

impl Region {
    /// Where each listing is held by one node.
    pub(super) async fn start() -> Self {
        Self::start_with(|_config| ()).await
    }

    /// The same, with other settings.
    pub(super) async fn start_with(also: impl Fn(&mut Config)) -> Self {
        let ports: Vec<SocketAddr> = (0..NODES).map(|_| free_port()).collect();
        let (topology, authority) = (topology(&ports), authority());
        let nodes: Vec<Solo> = (1..=NODES)
            .zip(ports)
            .map(|(number, port)| {
                Solo::start_in(&topology, &authority, |config| {
                    settings(config, number, port);
                    also(config);
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
    pub(super) async fn ask(
        &self,
        node: u64,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
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
    pub(super) async fn asked(
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
    pub(super) async fn listing(&self, node: u64) -> ListingId {
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

    pub(super) async fn stop(self) {
        drop(self.http);
        for solo in self.nodes {
            solo.stop().await;
        }
    }
}
