//! What becomes of calls and streams.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, Running, node};
use super::raw::{endpoint_with, knock, say};
use crate::wire::{Expected, Purpose, Status};
use crate::{CallError, Channel, FRAME_BYTES_MAX, Refusal, StreamError};

async fn call(from: &Running, channel: Channel, request: &'static str) -> Result<Bytes, CallError> {
    let to = from.mesh.peers()[0].node;
    from.mesh.call(to, channel, request.into(), DEADLINE).await
}

fn is_unknown(outcome: &Result<Bytes, CallError>) -> bool {
    matches!(outcome, Err(CallError::Unknown(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_call_each_other_and_know_who_calls() {
    let (_cluster, one, two) = Cluster::start().await;
    let answer = call(&one, Channel::Raft, "who").await;
    assert_eq!(answer, Ok("node 1 of eu-west in cluster demo".into()));
    let answer = call(&two, Channel::Forward, "x").await;
    assert_eq!(answer, Ok("x".into()));
    assert!(one.mesh.peers()[0].rtt.is_some());
    assert_eq!(one.mesh.peers()[0].last_error, None);
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_a_connection_is_surely_not_sent_and_never_waits() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    for stranger in [2, 9] {
        let call = one
            .mesh
            .call(node(stranger), Channel::Raft, "x".into(), DEADLINE);
        let outcome = call.now_or_never().expect("at once");
        assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");
    }
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_is_unknown() {
    let (_cluster, one, two) = Cluster::start().await;
    let deadline = Duration::from_millis(100);
    let silence = one
        .mesh
        .call(node(2), Channel::Forward, "silence".into(), deadline);
    assert!(is_unknown(&silence.await));

    // And so is one whose peer goes away while it is under way.
    let pending = call(&one, Channel::Forward, "silence");
    let (outcome, ()) = tokio::join!(pending, two.stop());
    assert!(is_unknown(&outcome), "{outcome:?}");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_or_impossible_answer_is_unknown_and_the_connection_stands() {
    let (_cluster, one, two) = Cluster::start().await;
    for request in ["panic", "panic at once", "too long"] {
        let outcome = call(&one, Channel::Forward, request).await;
        assert!(is_unknown(&outcome), "{request}: {outcome:?}");
    }
    let version = *one.mesh.connectivity().borrow();
    let answer = call(&one, Channel::Forward, "still there").await;
    assert_eq!(answer, Ok("still there".into()));
    assert_eq!(*one.mesh.connectivity().borrow(), version);
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_of_the_service_reaches_the_caller() {
    let (_cluster, one, two) = Cluster::start().await;
    let refused = call(&one, Channel::Control, "x").await;
    assert_eq!(refused, Err(CallError::Refused(Refusal::Unsupported)));
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn longest_frame_passes_and_a_longer_one_is_refused_here() {
    let (_cluster, one, two) = Cluster::start().await;
    let longest = Bytes::from(vec![1; FRAME_BYTES_MAX]);
    let answer = one
        .mesh
        .call(node(2), Channel::Forward, longest.clone(), DEADLINE);
    assert_eq!(answer.await, Ok(longest));
    let longer = Bytes::from(vec![1; FRAME_BYTES_MAX + 1]);
    let answer = one.mesh.call(node(2), Channel::Forward, longer, DEADLINE);
    let refused = answer.now_or_never().expect("at once");
    assert!(matches!(refused, Err(CallError::TooLarge { .. })));
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_against_the_rules_are_refused_there_and_the_connection_stands() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let connection = knock(&cluster, &endpoint).await.expect("a peer");
    let purpose = Purpose::Request {
        channel: Channel::Raft,
        expected: Expected::Answer,
    };
    let head = purpose.head(0).expect("short");
    let head = &head[..head.len() - 4];
    let announcing = |bytes: u32| [head, &bytes.to_be_bytes(), b"a few bytes"].concat();
    let too_long = u32::try_from(FRAME_BYTES_MAX).expect("fits") + 1;

    let refused = say(&connection, announcing(too_long)).await;
    assert_eq!(refused, Some(Status::TooLarge));
    let cut_short = say(&connection, announcing(500)).await;
    assert_eq!(cut_short, None, "there is nothing to answer");
    let huge_head = say(&connection, vec![0, 0, 0x10, 0, 1, 2, 3]).await;
    assert_eq!(huge_head, Some(Status::Refused(Refusal::Unsupported)));
    // Channel 99: of a version that this one does not know.
    let unheard = say(&connection, vec![0, 0, 0, 4, 0x08, 99, 0x10, 1, 0, 0, 0, 0]).await;
    assert_eq!(unheard, Some(Status::Refused(Refusal::Unsupported)));

    let whole = [&announcing(11)[..]].concat();
    assert_eq!(say(&connection, whole).await, Some(Status::Accepted));
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_where_its_service_ends_it() {
    let (_cluster, one, two) = Cluster::start().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "three".into());
    let mut stream = opened.await.expect("opened");
    for word in ["one", "two", "three"] {
        assert_eq!(stream.next().await, Ok(Some(word.into())));
    }
    assert_eq!(stream.next().await, Ok(None));
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_service_that_panics_is_not_taken_for_finished() {
    let (_cluster, one, two) = Cluster::start().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "panic".into());
    let mut stream = opened.await.expect("opened");
    assert_eq!(stream.next().await, Ok(Some("first".into())));
    two.script.trigger.cancel();
    let broken = stream.next().await;
    assert!(matches!(broken, Err(StreamError::Broken(_))), "{broken:?}");
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_node_that_stops_is_not_taken_for_finished() {
    let (_cluster, one, two) = Cluster::start().await;
    let mut streams = Vec::new();
    for request in ["idle", "idle", "idle", "idle", "endless"] {
        let opened = one.mesh.open_stream(node(2), Channel::Pull, request.into());
        let mut stream = opened.await.expect("opened");
        assert!(matches!(stream.next().await, Ok(Some(_))));
        streams.push(stream);
    }
    two.cancel();
    for mut stream in streams {
        let broken = loop {
            match timeout(DEADLINE, stream.next()).await.expect("ended") {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(matches!(broken, Err(StreamError::Broken(_))), "{broken:?}");
    }
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_mesh_ends_its_tasks_without_being_cancelled() {
    let (_cluster, one, two) = Cluster::start().await;
    let silence = call(&two, Channel::Forward, "silence");
    let (outcome, ()) = tokio::join!(silence, one.mesh.close(DEADLINE));
    assert!(is_unknown(&outcome), "{outcome:?}");
    one.until_idle().await;
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_read_loses_nothing() {
    let (_cluster, one, two) = Cluster::start().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "three".into());
    let mut stream = opened.await.expect("opened");
    let mut words = Vec::new();
    let read = async {
        while words.len() < 3 {
            // Polled once and dropped, over and over.
            match stream.next().now_or_never() {
                Some(word) => words.push(word.expect("it stands").expect("three words")),
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(DEADLINE, read).await.expect("read in time");
    assert_eq!(words, ["one", "two", "three"]);
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn service_of_a_stream_that_nobody_reads_any_more_is_dropped() {
    let (_cluster, one, two) = Cluster::start().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "idle".into());
    let mut stream = opened.await.expect("opened");
    assert_eq!(stream.next().await, Ok(Some("started".into())));
    drop(stream);
    let dropped = timeout(DEADLINE, two.script.abandoned.cancelled());
    dropped.await.expect("dropped in time");
    tokio::join!(one.stop(), two.stop());
}
