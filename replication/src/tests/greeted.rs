//! A peer that has been greeted and has not let this node in yet: before its first connection, and
//! beside one that is silent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{ListingId, NodeId};
use meridian_replication_core::PullRequest;
use meridian_transport::{
    CallError, Channel, FrameReader, FrameWriter, Mesh, MeshLinks, Refusal, ServiceFuture,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::setup::{PATIENCE, create, node, pair, title};
use crate::Replica;

/// What there is between node 1 and node 2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Node 2 is greeted, and answers what it was asked once it lets node 1 in.
    Greeted,
    Stands,
    /// It stands, and nothing comes back.
    Silent,
    /// It does so, and node 2 is greeted on another one.
    GreetedAnew,
}

/// Links of node 1.
#[derive(Clone)]
struct Links {
    other: Replica,
    line: watch::Sender<Line>,
    /// How often it was asked for its log.
    asked: watch::Sender<usize>,
    connectivity: watch::Sender<u64>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Links of node 1")
    }
}

impl Links {
    async fn open(self, request: Bytes) -> Result<FrameReader, CallError> {
        let tells_only = PullRequest::decode(&request).expect("a request").tells_only;
        self.asked
            .send_modify(|asked| *asked += usize::from(!tells_only));
        let mut line = self.line.subscribe();
        if *line.borrow() == Line::Silent {
            return std::future::pending().await;
        }
        let let_in = line.wait_for(|line| *line == Line::Stands).await;
        drop(let_in.expect("the sender is here"));
        let (out, mut sent) = mpsc::channel(4);
        let (arrives, frames) = mpsc::channel(4);
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            while let Some(frame) = sent.recv().await {
                if arrives.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
        });
        self.tracker.spawn(async move {
            let served = self
                .other
                .serve_pull(node(1), request, FrameWriter::over(out));
            cancel.run_until_cancelled(served).await;
        });
        Ok(FrameReader::over(frames))
    }
}

impl MeshLinks for Links {
    fn call(
        &self,
        _to: NodeId,
        _channel: Channel,
        _request: Bytes,
        _deadline: Duration,
    ) -> ServiceFuture<Result<Bytes, CallError>> {
        Box::pin(async { Err(Refusal::Unsupported.into()) })
    }

    fn open_stream(
        &self,
        to: NodeId,
        _channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<FrameReader, CallError>> {
        assert_eq!(to, node(2), "node 3 is away");
        Box::pin(self.clone().open(request))
    }

    fn connected(&self, peer: NodeId) -> bool {
        peer == node(2) && *self.line.borrow() != Line::Greeted
    }

    fn greets(&self, peer: NodeId) -> bool {
        peer == node(2)
    }

    fn greets_anew(&self, peer: NodeId) -> bool {
        peer == node(2) && *self.line.borrow() == Line::GreetedAnew
    }

    fn connectivity(&self) -> watch::Receiver<u64> {
        self.connectivity.subscribe()
    }
}

impl Links {
    fn to(other: &Replica, line: Line) -> Self {
        Self {
            other: other.clone(),
            line: watch::channel(line).0,
            asked: watch::channel(0).0,
            connectivity: watch::channel(0).0,
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
        }
    }

    /// Starts node 1 over them.
    fn start(&self, one: &Replica) {
        let mesh = Mesh::over(Arc::new(self.clone()));
        one.start(&mesh, &self.tracker, &self.cancel);
    }

    fn becomes(&self, line: Line) {
        self.line.send_replace(line);
        self.connectivity.send_modify(|version| *version += 1);
    }

    async fn until_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let asked = timeout(PATIENCE, asked.wait_for(|asked| *asked >= times)).await;
        drop(asked.expect("asked in time").expect("the sender is here"));
    }

    async fn end(self) {
        self.cancel.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.expect("ended");
    }
}

async fn until_here(one: &Replica, id: &ListingId) {
    timeout(PATIENCE, async {
        while title(one, id).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_asked_for_behind_the_greeting_and_not_again_once_that_is_answered() {
    let (_folders, one, two) = pair();
    let id = create(&two, 1).await;
    let links = Links::to(&two, Line::Greeted);
    links.start(&one);
    links.until_asked(1).await;
    links.becomes(Line::Stands);
    until_here(&one, &id).await;
    assert_eq!(*links.asked.borrow(), 1);
    links.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_was_asked_for_on_a_silent_line_is_asked_for_behind_the_next_greeting() {
    let (_folders, one, two) = pair();
    let id = create(&two, 1).await;
    let links = Links::to(&two, Line::Silent);
    links.start(&one);
    links.until_asked(1).await;
    links.becomes(Line::GreetedAnew);
    links.until_asked(2).await;
    // Whatever else changes, it is not asked again.
    links.becomes(Line::GreetedAnew);
    links.becomes(Line::Stands);
    until_here(&one, &id).await;
    assert_eq!(*links.asked.borrow(), 2);
    links.end().await;
}
