//! The index lets a backlog of other nodes' changes go first, but no session wait.

use std::num::NonZeroU64;

use meridian_chaos::until;
use reqwest::Method;
use serde_json::{Value, json};

use super::caller::Caller;
use super::region::PATIENCE;
use crate::search::Indexed;

/// A node whose index is brought up to date often, or after a backlog of so long at most.
async fn started(yield_ms_max: u64) -> Caller {
    let caller = Caller::start_with(|config| {
        config.search.commit_ms = NonZeroU64::new(20).expect("not zero");
        config.search.yield_ms_max = yield_ms_max;
    });
    let caller = caller.await;
    assert_eq!(found(&caller, "session", "barn").await, 0);
    caller
}

/// How many listings a search finds.
async fn found(caller: &Caller, level: &str, word: &str) -> Value {
    let request = caller.asking(Method::GET, &format!("/v1/listings?q={word}"));
    let request = request.header("Meridian-Consistency", level);
    let answer = request.send().await.expect("sent");
    assert_eq!(answer.status(), 200, "{level}");
    let body: Value = answer.json().await.expect("an answer");
    body["total"].clone()
}

fn indexed(caller: &Caller) -> Indexed {
    caller.solo.node.search.indexed()
}

/// Waits until a round has been put off, and none is under way that began before the backlog.
/// Listings are written meanwhile: such a round may take the first ones.
async fn until_one_is_put_off(caller: &Caller) -> Indexed {
    let before = indexed(caller).put_off;
    let put_off = until(PATIENCE, "a round is put off", async || {
        caller.listing(json!({"title": "Shed"})).await;
        let now = indexed(caller);
        (now.put_off > before).then_some(now)
    });
    put_off.await.expect("a backlog comes in")
}

/// Waits until so many more rounds have been put off.
async fn until_put_off(caller: &Caller, rounds: u64) -> Indexed {
    let before = indexed(caller).put_off;
    let put_off = until(PATIENCE, "rounds are put off", async || {
        let now = indexed(caller);
        (now.put_off >= before + rounds).then_some(now)
    });
    put_off.await.expect("a backlog comes in")
}

async fn until_found(caller: &Caller, word: &str) {
    until(PATIENCE, "found without a session", async || {
        (found(caller, "eventual", word).await == 1).then_some(())
    })
    .await
    .expect("it is indexed");
}

#[tokio::test(flavor = "multi_thread")]
async fn index_lets_a_backlog_go_first_and_no_session_wait() {
    let caller = started(3_600_000).await;
    let mut stream = caller.solo.node.replica.backlog().stream();
    stream.begins();
    let before = until_one_is_put_off(&caller).await;
    caller.listing(json!({"title": "Barn"})).await;
    let after = until_put_off(&caller, 3).await;
    assert_eq!(after.commits, before.commits);
    assert_eq!(
        after.as_of, before.as_of,
        "it does not say that it has more"
    );
    assert_eq!(found(&caller, "eventual", "barn").await, 0);
    assert_eq!(found(&caller, "session", "barn").await, 1);

    caller.listing(json!({"title": "Attic"})).await;
    until_put_off(&caller, 3).await;
    assert_eq!(found(&caller, "eventual", "attic").await, 0);
    let bounded = "bounded; max-staleness-ms=20";
    assert_eq!(found(&caller, bounded, "attic").await, 1);

    caller.listing(json!({"title": "Cellar"})).await;
    stream.ends();
    until_found(&caller, "cellar").await;
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backlog_without_an_end_puts_the_index_off_for_so_long_and_no_longer() {
    let caller = started(200).await;
    let mut stream = caller.solo.node.replica.backlog().stream();
    stream.begins();
    until_one_is_put_off(&caller).await;
    caller.listing(json!({"title": "Barn"})).await;
    until_found(&caller, "barn").await;
    caller.stop().await;
}
