//! Nodes that answer as they are told to: no more of a node than a run asks for.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use meridian_chaos::until;
use meridian_client::AdminClient;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a node answers about a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Done,
    /// Never, as one whose group has no quorum.
    Never,
    /// Once it has been let through.
    Gated,
    Overloaded,
    /// At node 1, which does not reach whom it needs; others do.
    Alone,
}

/// What the nodes of a cluster say, and what they were asked.
pub(super) struct Stage {
    pub(super) lists: BTreeMap<u64, Vec<Value>>,
    pub(super) answers: BTreeMap<String, Answers>,
    pub(super) nodes: Mutex<Vec<Value>>,
    pub(super) asked: Mutex<Vec<(u64, String)>>,
    /// The revisions that were named, in the same order.
    pub(super) revisions: Mutex<Vec<Value>>,
    pub(super) gate: Semaphore,
    pub(super) begun: Semaphore,
    /// Pages that are refused before one is given.
    pub(super) stumbles: AtomicU32,
}

type At = State<(Arc<Stage>, u64)>;

async fn set_goal(
    State((stage, node)): At,
    Path(listing): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let answers = stage.answers.get(&listing).copied();
    let revision = body["revision"].clone();
    stage.revisions.lock().expect("sound").push(revision);
    stage.asked.lock().expect("sound").push((node, listing));
    stage.begun.add_permits(1);
    match answers.unwrap_or(Answers::Done) {
        Answers::Done => {}
        Answers::Never => std::future::pending().await,
        Answers::Gated => stage.gate.acquire().await.expect("open").forget(),
        Answers::Overloaded => return refusal("overloaded"),
        Answers::Alone if node == 1 => return refusal("no-quorum"),
        Answers::Alone => {}
    }
    let answer =
        json!({"before": {"revision": 0}, "after": {"revision": 1}, "leave": [], "come": []});
    Json(answer).into_response()
}

async fn groups(State((stage, node)): At) -> Response {
    let less = |left: u32| left.checked_sub(1);
    let order = Ordering::Relaxed;
    if stage.stumbles.fetch_update(order, order, less).is_ok() {
        return refusal("no-holder");
    }
    Json(json!({"data": stage.lists[&node], "next_cursor": null})).into_response()
}

fn refusal(code: &str) -> Response {
    let problem = json!({"status": 503, "code": code, "title": code, "retryable": true});
    (StatusCode::SERVICE_UNAVAILABLE, Json(problem)).into_response()
}

async fn nodes(State((stage, node)): At) -> Json<Value> {
    let mut nodes = stage.nodes.lock().expect("sound").clone();
    for known in &mut nodes {
        let is_this = known["node"] == json!(node);
        known["standing"] = json!(if is_this { "this" } else { "up" });
    }
    Json(json!({"data": nodes}))
}

/// A cluster of pretence, and a client of its first node.
pub(super) struct Cluster {
    pub(super) stage: Arc<Stage>,
    pub(super) admin: AdminClient,
    tracker: TaskTracker,
    /// Where nodes are, and what ends them.
    running: BTreeMap<u64, (SocketAddr, CancellationToken)>,
}

/// Serves a node until the token is cancelled.
fn serve(tracker: &TaskTracker, port: TcpListener, state: (Arc<Stage>, u64)) -> CancellationToken {
    let routes = Router::new()
        .route("/admin/v1/nodes", get(nodes))
        .route("/admin/v1/groups", get(groups))
        .route("/admin/v1/groups/{id}/goal", post(set_goal))
        .with_state(state);
    let ending = CancellationToken::new();
    let ended = ending.clone().cancelled_owned();
    tracker.spawn(async move {
        let served = axum::serve(port, routes).with_graceful_shutdown(ended);
        served.await.expect("served");
    });
    ending
}

const REGIONS: [&str; 3] = ["eu-west", "us-east", "ap-southeast"];

impl Cluster {
    /// A node for each list, each in a region of its own; one more that is dead.
    pub(super) async fn start(lists: &[Vec<Value>], answers: &[(&str, Answers)]) -> Self {
        let numbered = (1..).zip(lists.iter().cloned());
        let answers = answers.iter().map(|(id, answers)| (listing(id), *answers));
        let stage = Arc::new(Stage {
            lists: numbered.collect(),
            answers: answers.collect(),
            nodes: Mutex::default(),
            asked: Mutex::default(),
            revisions: Mutex::default(),
            gate: Semaphore::new(0),
            begun: Semaphore::new(0),
            stumbles: AtomicU32::new(0),
        });
        let (tracker, mut running) = (TaskTracker::new(), BTreeMap::new());
        let mut urls = Vec::new();
        for node in stage.lists.keys() {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let port = port.expect("a free port");
            let address = port.local_addr().expect("it is bound");
            urls.push(format!("http://{address}"));
            let ending = serve(&tracker, port, (Arc::clone(&stage), *node));
            running.insert(*node, (address, ending));
        }
        let admin = AdminClient::new(urls[0].clone()).expect("an address");
        // Nobody listens where it did.
        let dead = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let dead = dead.expect("a free port").local_addr().expect("bound");
        urls.push(format!("http://{dead}"));
        let known = (1..)
            .zip(REGIONS)
            .zip(&urls)
            .map(|((node, region), url)| json!({"node": node, "region": region, "admin": url}));
        *stage.nodes.lock().expect("sound") = known.collect();
        Self {
            stage,
            admin,
            tracker,
            running,
        }
    }

    /// Has a node take no connection any more; what is under way there comes to its end.
    pub(super) async fn stop(&self, node: u64) {
        let (address, ending) = &self.running[&node];
        ending.cancel();
        until(Duration::from_secs(60), "nobody to listen", async || {
            TcpStream::connect(address).await.err()
        })
        .await
        .expect("it stops");
    }

    /// The same node, on the same port.
    pub(super) async fn restart(&mut self, node: u64) {
        let (address, _) = self.running[&node];
        let port = TcpListener::bind(address).await.expect("its own port");
        let ending = serve(&self.tracker, port, (Arc::clone(&self.stage), node));
        self.running.insert(node, (address, ending));
    }

    pub(super) fn asked(&self) -> Vec<(u64, String)> {
        self.stage.asked.lock().expect("sound").clone()
    }

    /// Times that a node was asked about a listing.
    pub(super) fn asked_about(&self, id: &str) -> usize {
        let (asked, id) = (self.asked(), listing(id));
        asked.iter().filter(|(_, listing)| *listing == id).count()
    }
}

pub(super) fn listing(id: &str) -> String {
    format!("lst_01jd00000000000000000000{id}_eu-west")
}

pub(super) fn line(id: &str, (home, revision): (&str, u64)) -> Value {
    json!({
        "listing_id": listing(id), "home_region": home, "survival": "region",
        "goal_revision": revision, "misplaced": null,
    })
}

pub(super) fn at_home(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| line(id, ("eu-west", 0))).collect()
}
