//! Streams of a listing: taken up again, refused, ended by either side.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use meridian_chaos::until;
use meridian_regions::ListingId;
use meridian_replication::Precondition;
use meridian_replication_core::ListingPatch;
use reqwest::{Method, Response};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::caller::Caller;

const PATIENCE: Duration = Duration::from_secs(30);

/// A stream, and what of it has been heard and not been asked for.
struct Heard {
    stream: Response,
    text: String,
}

impl Heard {
    async fn watch(caller: &Caller, listing: &ListingId, seen: Option<&str>) -> Self {
        let path = format!("/v1/listings/{listing}/watch");
        let request = caller.asking(Method::GET, &path);
        let request = match seen {
            Some(seen) => request.header("Last-Event-ID", seen),
            None => request,
        };
        let stream = request.send().await.expect("sent");
        assert_eq!(stream.status(), 200);
        Self {
            stream,
            text: String::new(),
        }
    }

    /// The next event that is of a kind; others are passed over. `None` at the end.
    async fn next(&mut self, kind: &str) -> Option<String> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.contains(&format!("event: {kind}")) {
                    return Some(event);
                }
            }
            let chunk = self.stream.chunk().await.expect("open")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

fn id(event: &str) -> &str {
    let line = event.lines().find_map(|line| line.strip_prefix("id: "));
    line.expect("an id")
}

async fn retitle(caller: &Caller, listing: &ListingId, title: &str) {
    let patch = ListingPatch::from_json(json!({"title": title})).expect("valid");
    let replica = &caller.solo.node.replica;
    let patched = replica.patch(listing, &patch, Precondition::None).await;
    patched.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_goes_on_behind_what_the_client_has_seen() {
    const UPDATED: &str = "listing.updated";
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let mut heard = Heard::watch(&caller, &listing, None).await;
    let first = heard.next(UPDATED).await.expect("the present state");
    let revision = heard
        .next("availability.changed")
        .await
        .expect("its ledger");
    drop(heard);
    retitle(&caller, &listing, "Missed").await;
    retitle(&caller, &listing, "Latest").await;

    // From the document alone the ledger is still to be told.
    let mut again = Heard::watch(&caller, &listing, Some(id(&first))).await;
    let missed = again.next("").await.expect("what has changed");
    assert!(missed.contains("Latest"), "{missed}");
    let ledger = again.next("").await.expect("not seen by that id");
    assert!(ledger.contains("availability.changed"), "{ledger}");
    drop(again);

    let mut again = Heard::watch(&caller, &listing, Some(id(&revision))).await;
    let latest = again.next("").await.expect("what has changed");
    assert!(latest.contains("Latest"), "{latest}");
    // Nothing is told twice: what comes next is a new change.
    retitle(&caller, &listing, "New").await;
    let next = again.next("").await.expect("the change");
    assert!(next.contains("New"), "{next}");
    drop(again);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_stops_says_so_to_those_who_watch() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let mut heard = Heard::watch(&caller, &listing, None).await;
    heard.next("listing.updated").await.expect("open");
    caller.solo.node.stopping.cancel();
    let last = heard.next("watch.ended").await.expect("a reason");
    assert!(last.contains(r#""reason":"stopping""#), "{last}");
    assert!(!last.contains("id: "), "{last}");
    assert_eq!(heard.next("").await, None);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_takes_nothing_is_cut_off_and_its_place_is_free() {
    let caller = Caller::start_with(|config| {
        config.limits.watchers = NonZeroUsize::MIN;
        config.limits.stall_ms = NonZeroU64::new(200).expect("not zero");
    })
    .await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}/watch");
    let mut deaf = TcpStream::connect(caller.address()).await.expect("there");
    let request = format!("GET {path} HTTP/1.1\r\nHost: meridian\r\n\r\n");
    deaf.write_all(request.as_bytes()).await.expect("sent");
    let node = Arc::clone(&caller.solo.node);
    until(PATIENCE, "the place is taken", async || {
        (node.watchers.available_permits() == 0).then_some(())
    })
    .await
    .expect("taken");
    let refused = caller.get(&path).await;
    assert_eq!(refused.status, 503);
    assert!(refused.retry_after.is_some());
    // More than the system takes in for a client that does not read.
    until(PATIENCE, "the place is free", async || {
        let rules = format!("{:>5000}", rand::random::<u64>());
        let patch = ListingPatch::from_json(json!({"house_rules": rules})).expect("valid");
        let patched = node.replica.patch(&listing, &patch, Precondition::None);
        patched.await.expect("written");
        (node.watchers.available_permits() == 1).then_some(())
    })
    .await
    .expect("free");
    drop((deaf, node));
    caller.stop().await;
}
