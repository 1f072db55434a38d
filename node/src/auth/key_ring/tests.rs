//! Keys that change, and a place that cannot always be asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use meridian_chaos::until;
use meridian_transport::Trust;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Found, KeyRing, Pace};
use crate::auth::jwk::{Algorithm, KeySet};
use crate::auth::mint::{Issuer, key_set};
use crate::auth::source::KeySource;

const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(3_600);

/// A place that says what it is told to, and counts who asks.
struct Place {
    says: Arc<Mutex<Result<String, StatusCode>>>,
    asked: Arc<AtomicUsize>,
    url: String,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Place {
    async fn open(first: Result<String, StatusCode>) -> Self {
        let says = Arc::new(Mutex::new(first));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (Arc::clone(&says), Arc::clone(&asked));
        let answer = async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            told.lock().expect("not poisoned").clone()
        };
        let routes = Router::new().route("/keys", get(answer));
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/keys", port.local_addr().expect("bound"));
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let until = stopping.clone().cancelled_owned();
        tracker.spawn(async move {
            axum::serve(port, routes)
                .with_graceful_shutdown(until)
                .await
        });
        Self {
            says,
            asked,
            url,
            tracker,
            stopping,
        }
    }

    fn says(&self, keys: Result<String, StatusCode>) {
        *self.says.lock().expect("not poisoned") = keys;
    }

    fn ring(&self, refresh: Duration, retry: Duration) -> KeyRing {
        let url = self.url.parse().expect("a URL");
        let source = KeySource::url(url, Trust::Nobody).expect("nobody to read");
        let pace = Pace { refresh, retry };
        KeyRing::start(source, None, pace, &self.tracker, &self.stopping)
    }

    async fn close(self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn has(ring: &KeyRing, id: &str) -> bool {
    matches!(ring.find(Some(id), Algorithm::EdDsa).await, Found::Key(_))
}

#[tokio::test]
async fn key_that_is_new_is_fetched_when_a_token_names_it_and_unknown_ones_cost_one_question() {
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("new"));
    let place = Place::open(Ok(key_set(&[&old]))).await;
    let ring = place.ring(NEVER, Duration::ZERO);
    assert!(has(&ring, "old").await);
    place.says(Ok(key_set(&[&old, &new])));
    assert!(has(&ring, "new").await, "it is asked for at once");
    assert!(has(&ring, "old").await);

    let patient = place.ring(NEVER, NEVER);
    assert!(has(&patient, "new").await);
    let before = place.asked.load(Ordering::SeqCst);
    for number in 0..100 {
        assert!(!has(&patient, &format!("unknown-{number}")).await);
    }
    assert_eq!(place.asked.load(Ordering::SeqCst), before);
    place.close().await;
}

#[tokio::test]
async fn keys_outlive_their_place_and_go_with_its_word() {
    let (one, other) = (Issuer::ed25519("one"), Issuer::ed25519("other"));
    let place = Place::open(Ok(key_set(&[&one]))).await;
    let ring = place.ring(Duration::from_millis(20), Duration::from_millis(10));
    assert!(has(&ring, "one").await);
    let asked_often = async |since: usize| {
        until(PATIENCE, "it is asked again", async || {
            (place.asked.load(Ordering::SeqCst) > since + 2).then_some(())
        })
        .await
        .expect("in time");
    };
    for nonsense in [
        Err(StatusCode::SERVICE_UNAVAILABLE),
        Ok("<html>".to_owned()),
        Ok("{\"keys\": []}".to_owned()),
        Ok("x".repeat(1 << 20)),
    ] {
        place.says(nonsense);
        asked_often(place.asked.load(Ordering::SeqCst)).await;
        assert!(has(&ring, "one").await);
    }
    // Withdrawn by its place.
    place.says(Ok(key_set(&[&other])));
    until(PATIENCE, "the key has gone", async || {
        (!has(&ring, "one").await).then_some(())
    })
    .await
    .expect("in time");
    assert!(has(&ring, "other").await);
    place.close().await;
}

#[tokio::test]
async fn place_that_has_never_answered_is_told_from_one_that_knows_no_such_key() {
    let place = Place::open(Err(StatusCode::NOT_FOUND)).await;
    let ring = place.ring(NEVER, Duration::from_millis(10));
    let found = ring.find(Some("k"), Algorithm::EdDsa).await;
    assert_eq!(found, Found::NoKeysYet);
    assert_eq!(ring.len(), None);
    let issuer = Issuer::ed25519("k");
    place.says(Ok(key_set(&[&issuer])));
    until(PATIENCE, "it is asked again soon", async || {
        has(&ring, "k").await.then_some(())
    })
    .await
    .expect("in time");
    let found = ring.find(Some("other"), Algorithm::EdDsa).await;
    assert_eq!(found, Found::Unknown);
    place.close().await;
}

#[tokio::test]
async fn file_is_read_again_when_it_changes() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keys.json");
    let (one, other) = (Issuer::ed25519("one"), Issuer::ed25519("other"));
    std::fs::write(&path, key_set(&[&one])).expect("written");
    let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
    let keys = KeySet::parse(key_set(&[&one]).as_bytes()).expect("a set");
    let pace = Pace {
        refresh: Duration::from_millis(10),
        retry: NEVER,
    };
    let source = KeySource::file(&path);
    let ring = KeyRing::start(source, Some(keys), pace, &tracker, &stopping);
    assert!(has(&ring, "one").await);
    std::fs::write(&path, key_set(&[&other])).expect("written");
    until(PATIENCE, "the file is read again", async || {
        has(&ring, "other").await.then_some(())
    })
    .await
    .expect("in time");
    assert!(!has(&ring, "one").await);
    stopping.cancel();
    tracker.close();
    tracker.wait().await;
}
