//! A peer that has been greeted and has not let this node in yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
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

/// Links of node 1: node 2 is greeted, and answers what it was asked once it lets node 1 in.
#[derive(Clone)]
struct Links {
    other: Replica,
    is_let_in: watch::Sender<bool>,
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
        let mut is_let_in = self.is_let_in.subscribe();
        let let_in = is_let_in.wait_for(|is_let_in| *is_let_in).await;
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
        peer == node(2) && *self.is_let_in.borrow()
    }

    fn greets(&self, peer: NodeId) -> bool {
        peer == node(2)
    }

    fn connectivity(&self) -> watch::Receiver<u64> {
        self.connectivity.subscribe()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_asked_for_behind_the_greeting_and_not_again_once_that_is_answered() {
    let (_folders, one, two) = pair();
    let id = create(&two, 1).await;
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let links = Links {
        other: two.clone(),
        is_let_in: watch::channel(false).0,
        asked: watch::channel(0).0,
        connectivity: watch::channel(0).0,
        tracker: tracker.clone(),
        cancel: cancel.clone(),
    };
    one.start(&Mesh::over(Arc::new(links.clone())), &tracker, &cancel);
    let mut asked = links.asked.subscribe();
    let early = timeout(PATIENCE, asked.wait_for(|asked| *asked > 0)).await;
    drop(
        early
            .expect("asked before it is let in")
            .expect("the sender is here"),
    );
    links.is_let_in.send_replace(true);
    links.connectivity.send_modify(|version| *version += 1);
    timeout(PATIENCE, async {
        while title(&one, &id).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is answered");
    assert_eq!(*links.asked.borrow(), 1);
    cancel.cancel();
    tracker.close();
    timeout(PATIENCE, tracker.wait()).await.expect("ended");
}
