//! The stream: one sampler for all who watch, and none when nobody does.

use meridian_chaos::until;
use reqwest::Response;
use serde_json::Value;

use super::super::live::VIEWERS_MAX;
use super::{PATIENCE, Visitor};

/// A stream, and what of it has been heard and not been asked for.
struct Heard {
    stream: Response,
    text: String,
}

impl Heard {
    async fn watch(visitor: &Visitor) -> Self {
        let stream = visitor.visit("/console/live").await;
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let text = String::new();
        Self { stream, text }
    }

    /// The data of the next event of a kind; `None` at the end.
    async fn next(&mut self, kind: &str) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let wanted = event.strip_prefix(&format!("event: {kind}\ndata: "));
                let data = wanted.map(|data| serde_json::from_str(data).expect("JSON"));
                self.text = rest.to_owned();
                if data.is_some() {
                    return data;
                }
            }
            let chunk = self.stream.chunk().await.expect("open")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_watch_are_shown_the_same_and_nothing_is_taken_when_nobody_does() {
    let visitor = Visitor::start().await;
    let live = &visitor.solo.node.console.live;
    assert!(!live.is_sampling(), "nobody has come yet");
    let (mut one, mut other) = (Heard::watch(&visitor).await, Heard::watch(&visitor).await);
    let first = one.next("snapshot").await.expect("one a second");
    assert_eq!(first["scope"], "cluster");
    let wanted = one.next("snapshot").await.expect("one a second");
    assert_ne!(first["at_ms"], wanted["at_ms"]);
    let mut same = other.next("snapshot").await.expect("one a second");
    while same["at_ms"] != wanted["at_ms"] {
        same = other.next("snapshot").await.expect("one a second");
    }
    assert_eq!(same, wanted, "taken once for both");
    drop(one);
    other.next("snapshot").await.expect("it goes on");
    assert!(live.is_sampling());
    drop(other);
    until(PATIENCE, "the sampler to end", async || {
        (!live.is_sampling()).then_some(())
    })
    .await
    .expect("nobody watches");
    assert!(
        live.latest().is_none(),
        "who comes next is shown nothing old"
    );
    let mut again = Heard::watch(&visitor).await;
    again.next("snapshot").await.expect("it begins anew");
    drop(again);
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_viewer_too_many_is_refused_and_a_seat_is_free_again() {
    let visitor = Visitor::start().await;
    let mut watching = Vec::new();
    for _ in 0..VIEWERS_MAX {
        watching.push(Heard::watch(&visitor).await);
    }
    let refused = visitor.visit("/console/live").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.expect("a problem");
    assert_eq!(problem["code"], "overloaded");
    watching.pop();
    until(PATIENCE, "a free seat", async || {
        let answer = visitor.visit("/console/live").await;
        (answer.status() == 200).then_some(())
    })
    .await
    .expect("it was given back");
    drop(watching);
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_stops_says_so_and_ends_the_stream() {
    let visitor = Visitor::start().await;
    let mut heard = Heard::watch(&visitor).await;
    heard.next("snapshot").await.expect("one a second");
    visitor.solo.node.stopping.cancel();
    let ended = heard.next("ended").await.expect("said");
    assert_eq!(ended["reason"], "stopping");
    assert_eq!(heard.next("snapshot").await, None, "the end");
    visitor.stop().await;
}
