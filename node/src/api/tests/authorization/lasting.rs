//! Streams of somebody who could not open them any more.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use meridian_chaos::until;
use meridian_replication::Precondition;
use meridian_replication_core::ListingPatch;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::Request;

use super::browsed::basic;
use super::over_grpc::{channel, from};
use super::world::World;
use crate::auth::mint::{Issuer, key_set};
use crate::grpc::v1;
use crate::grpc::v1::listings_client::ListingsClient;

/// Ample: a file of keys is read every five seconds, twice, and streams are looked at as often.
const PATIENCE: Duration = Duration::from_secs(60);

const CONSOLE: &str = "/console/live";
const ENDED_CONSOLE: &str = "event: ended\ndata: {\"reason\":\"unauthenticated\"}\n\n";

async fn open(world: &World, shown: Option<String>, path: &str) -> Response {
    let request = world.asking(None, Method::GET, path);
    let request = match shown {
        Some(shown) => request.header(AUTHORIZATION, shown),
        None => request,
    };
    let stream = request.send().await.expect("an answer");
    assert_eq!(stream.status(), 200, "{path}");
    stream
}

/// All that a stream still says.
async fn rest(mut stream: Response) -> String {
    let mut text = String::new();
    let hear = async {
        while let Some(piece) = stream.chunk().await.expect("it does not break") {
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    timeout(PATIENCE, hear).await.expect("it ends");
    text
}

/// Reads until something is said.
async fn hear(stream: &mut Response, what: &str) {
    let mut text = String::new();
    let hear = async {
        while !text.contains(what) {
            let piece = stream.chunk().await.expect("it does not break");
            text.push_str(&String::from_utf8_lossy(&piece.expect("it goes on")));
        }
    };
    timeout(PATIENCE, hear).await.expect("it is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_once_its_key_is_taken_out_or_may_do_less_and_no_other_does() {
    let world = World::start(|_, _| ()).await;
    let listing = world.bare().await.listing;
    let watch = format!("/v1/listings/{listing}/watch");
    let key = |name: &str| Some(format!("ApiKey {}", world.key(name)));
    let browsed = Some(basic("olga", world.key("olga")));
    let consoles = [
        open(&world, browsed, CONSOLE).await,
        open(&world, key("olga"), CONSOLE).await,
    ];
    let watched = open(&world, key("ann"), &watch).await;
    let mut listings = ListingsClient::new(channel(&world).await);
    let asked = v1::WatchListingRequest {
        listing_id: listing.to_string(),
        last_event_id: None,
    };
    let asked: Request<_> = from(&world, &["ann"], asked);
    let mut called = listings.watch_listing(asked).await.expect("opened");
    let mut kept = [
        open(&world, key("ben"), &watch).await,
        open(&world, None, &watch).await,
    ];

    world.withdraw("ann", "olga");
    for console in consoles {
        let said = rest(console).await;
        assert!(said.ends_with(ENDED_CONSOLE), "{said}");
    }
    let said = rest(watched).await;
    let last = said.rsplit("event: ").next().unwrap_or_default();
    assert!(last.starts_with("watch.ended\n"), "{said}");
    assert!(last.contains(r#""reason":"unauthenticated""#), "{said}");
    let mut last = None;
    let hear_all = async {
        while let Some(event) = called.get_mut().message().await.expect("no break") {
            last = Some(event);
        }
    };
    timeout(PATIENCE, hear_all).await.expect("it ends");
    let last = last.expect("a last word");
    assert_eq!(last.r#type, "watch.ended");
    let said: Value = serde_json::from_str(&last.data).expect("JSON");
    assert_eq!(said["reason"], "unauthenticated", "{said}");

    // What they took is free again, and whoever is known still hears.
    let node = Arc::clone(&world.caller.solo.node);
    let watchers = node.config.limits.watchers.get();
    until(PATIENCE, "the places are free", async || {
        (node.watchers.available_permits() == watchers - kept.len()).then_some(())
    })
    .await
    .expect("given back");
    let patch = ListingPatch::from_json(json!({"title": "Attic"})).expect("valid");
    let patched = node.replica.patch(&listing, &patch, Precondition::None);
    patched.await.expect("written");
    for stream in &mut kept {
        hear(stream, "Attic").await;
    }
    drop((kept, called, listings, node));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_when_its_token_has_run_out() {
    let issuer = Issuer::ed25519("k");
    let world = World::start(|config, auth| {
        let path = config.node.data_dir.with_file_name("jwks.json");
        std::fs::write(&path, key_set(&[&issuer])).expect("a writable folder");
        auth.jwks_file = path;
        auth.leeway_seconds = 0;
    })
    .await;
    // Short, and long enough to be shown in time.
    let opened = until(PATIENCE, "the stream is opened in time", async || {
        let now = world.caller.solo.node.clock.now().as_millis() / 1_000;
        let claims = json!({"sub": "otto", "roles": ["operator"], "exp": now + 6});
        let request = world.asking(None, Method::GET, CONSOLE);
        let shown = format!("Bearer {}", issuer.token(&claims));
        let answer = request.header(AUTHORIZATION, shown).send().await;
        Some(answer.expect("an answer")).filter(|answer| answer.status() == 200)
    });
    let said = rest(opened.await.expect("opened")).await;
    assert!(said.contains("event: snapshot"), "{said}");
    assert!(said.ends_with(ENDED_CONSOLE), "{said}");
    world.stop().await;
}
