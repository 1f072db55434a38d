//! A receiver of webhooks that can be told how to behave.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use meridian_client::webhook;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::harness::text;

/// How it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes everything.
    Well,
    /// Fails each event at first, one way or another, and takes it the next time.
    Moody,
    /// Fails everything of a listing.
    Refuses(String),
    /// Answers nobody.
    Silent,
}

#[derive(Debug)]
struct Desk {
    mood: Mood,
    secret: String,
    /// How often each event was tried.
    asked: HashMap<String, usize>,
    taken: Vec<Value>,
}

type Shared = Arc<Mutex<Desk>>;

/// Runs until it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    desk: Shared,
    _running: DropGuard,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = port.expect("a free port");
        let address = port.local_addr().expect("it is bound");
        let desk = Arc::new(Mutex::new(Desk {
            mood: Mood::Well,
            secret: String::new(),
            asked: HashMap::new(),
            taken: Vec::new(),
        }));
        let routes = Router::new().route("/hook", post(take));
        let routes = routes.with_state(Arc::clone(&desk));
        let running = CancellationToken::new();
        let ended = running.clone();
        TaskTracker::new().spawn(async move {
            let served = axum::serve(port, routes);
            ended.run_until_cancelled(served.into_future()).await
        });
        Self {
            address,
            desk,
            _running: running.drop_guard(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on every signature is checked.
    pub(crate) fn verify_with(&self, secret: &str) {
        desk(&self.desk).secret = secret.to_owned();
    }

    pub(crate) fn set(&self, mood: Mood) {
        desk(&self.desk).mood = mood;
    }

    /// Events that were answered with success, in that order.
    pub(crate) fn taken(&self) -> Vec<Value> {
        desk(&self.desk).taken.clone()
    }

    /// Events of these, each counted once.
    pub(crate) fn distinct(&self) -> usize {
        let desk = desk(&self.desk);
        let ids = desk.taken.iter().filter_map(|event| event["id"].as_str());
        ids.collect::<BTreeSet<_>>().len()
    }

    /// Attempts so far.
    pub(crate) fn asked(&self) -> usize {
        desk(&self.desk).asked.values().sum()
    }
}

fn desk(desk: &Shared) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    let id = text(&event["id"]);
    let answer = {
        let mut desk = desk(&shared);
        let signature = headers[webhook::SIGNATURE_HEADER].to_str().expect("text");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let (secret, now) = (desk.secret.clone(), now.as_secs());
        let verified = webhook::verify(&secret, signature, &body, now, webhook::TOLERANCE);
        if verified.is_err() {
            return StatusCode::UNAUTHORIZED;
        }
        let asked = desk.asked.entry(id.clone()).or_default();
        *asked += 1;
        let attempt = *asked;
        let answer = match &desk.mood {
            Mood::Moody if attempt == 1 => match id.bytes().map(usize::from).sum::<usize>() % 3 {
                0 => Some(StatusCode::INTERNAL_SERVER_ERROR),
                1 => None,
                _ => Some(StatusCode::OK),
            },
            Mood::Refuses(listing) if event["data"]["listing_id"] == listing.as_str() => {
                Some(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Mood::Silent => None,
            Mood::Well | Mood::Moody | Mood::Refuses(_) => Some(StatusCode::OK),
        };
        if answer == Some(StatusCode::OK) {
            desk.taken.push(event);
        }
        answer
    };
    match answer {
        Some(status) => status,
        // Until whoever asks gives up.
        None => std::future::pending().await,
    }
}
