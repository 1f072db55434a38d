//! What one channel does to another when there is too much of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{FutureExt, poll};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::cluster::{BULK_FRAME_BYTES, Cluster, DEADLINE, Running, node};
use super::raw::{endpoint_with, knock, say};
use crate::budget::{outgoing, served};
use crate::endpoint::STREAM_WINDOW_BYTES;
use crate::wire::{Expected, Purpose, Status};
use crate::{CallError, Channel, Refusal};

/// Heartbeats of a few hundred groups, one after another.
const BEATS: usize = 300;

async fn beat(one: &Running) {
    let answer = one
        .mesh
        .call(node(2), Channel::Raft, "beat".into(), DEADLINE);
    assert_eq!(answer.await, Ok("beat".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_stream_that_fills_the_link_does_not_starve_raft() {
    let (_cluster, one, two) = Cluster::start().await;
    let opened = one
        .mesh
        .open_stream(node(2), Channel::Pull, "endless".into());
    let mut bulk = opened.await.expect("opened");
    let frames = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&frames);
    let (reader, stop) = (
        TaskTracker::new(),
        tokio_util::sync::CancellationToken::new(),
    );
    let until = stop.clone();
    reader.spawn(async move {
        let reading = async {
            while let Ok(Some(frame)) = bulk.next().await {
                assert_eq!(frame.len(), BULK_FRAME_BYTES);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        until.run_until_cancelled(reading).await;
    });
    let progressed = async |past: usize| {
        let arrived = async {
            while frames.load(Ordering::Relaxed) <= past {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, arrived).await.expect("bulk goes on");
    };
    progressed(0).await;
    for _ in 0..BEATS {
        beat(&one).await;
    }
    // Raft did not wait for the end of the stream, nor did the stream wait for Raft.
    progressed(frames.load(Ordering::Relaxed)).await;
    stop.cancel();
    reader.close();
    reader.wait().await;
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_streams_that_nobody_reads_leave_room_for_raft() {
    let (_cluster, one, two) = Cluster::start().await;
    let mut unread = Vec::new();
    for _ in 0..outgoing(Channel::Pull).requests {
        let opened = one
            .mesh
            .open_stream(node(2), Channel::Pull, "endless".into());
        unread.push(opened.await.expect("opened"));
    }
    let another = one
        .mesh
        .open_stream(node(2), Channel::Pull, "endless".into());
    let refused = another.await.expect_err("the channel is full");
    assert_eq!(refused, CallError::Refused(Refusal::Overloaded));

    let full = unread.len() as u64 * u64::from(STREAM_WINDOW_BYTES);
    let filled = async {
        while one.connection().stats().udp_rx.bytes < full {
            beat(&one).await;
        }
    };
    timeout(DEADLINE, filled).await.expect("every window fills");
    for _ in 0..BEATS {
        beat(&one).await;
    }
    // And a long answer of another channel still finds room.
    let long = Bytes::from(vec![1; crate::FRAME_BYTES_MAX]);
    let answer = one
        .mesh
        .call(node(2), Channel::Forward, long.clone(), DEADLINE);
    assert_eq!(answer.await, Ok(long));

    // What is given up makes room again.
    drop(unread);
    let again = one.mesh.open_stream(node(2), Channel::Pull, "three".into());
    assert!(again.await.is_ok());
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_forwards_is_refused_here_and_leaves_raft_alone() {
    let (_cluster, one, two) = Cluster::start().await;
    let silence = || {
        Box::pin(
            one.mesh
                .call(node(2), Channel::Forward, "silence".into(), DEADLINE),
        )
    };
    let mut flood = Vec::new();
    for _ in 0..outgoing(Channel::Forward).requests {
        let mut call = silence();
        assert!(poll!(call.as_mut()).is_pending());
        flood.push(call);
    }
    let refused = silence().now_or_never().expect("at once");
    assert_eq!(refused, Err(CallError::Refused(Refusal::Overloaded)));
    for _ in 0..BEATS {
        beat(&one).await;
    }
    // A call that its caller gives up makes room again.
    flood.pop();
    assert!(poll!(silence()).is_pending());
    drop(flood);
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_keeps_no_budget_is_refused_there_and_only_on_that_channel() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let connection = knock(&cluster, &endpoint).await.expect("a peer");
    let request = |channel, text: &str| {
        let expected = Expected::Answer;
        let head = Purpose::Request { channel, expected }.head(text.len());
        [&head.expect("short")[..], text.as_bytes()].concat()
    };
    let mut unanswered = Vec::new();
    for _ in 0..served(Channel::Forward).requests {
        let (mut send, receive) = connection.open_bi().await.expect("a free stream");
        let silence = request(Channel::Forward, "silence");
        send.write_all(&silence).await.expect("written");
        unanswered.push((send, receive));
    }
    let refused = async {
        // Streams are served side by side: the last ones may yet be on their way in.
        loop {
            match say(&connection, request(Channel::Forward, "x")).await {
                Some(Status::Accepted) => tokio::task::yield_now().await,
                other => break other,
            }
        }
    };
    let refused = timeout(DEADLINE, refused).await.expect("refused in time");
    assert_eq!(refused, Some(Status::Refused(Refusal::Overloaded)));
    let raft = say(&connection, request(Channel::Raft, "x")).await;
    assert_eq!(raft, Some(Status::Accepted));
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}
