//! Pulling from every other node.
//!
//! From each peer this node asks for the peer's own log. Other logs it asks a peer
//! for only while it is not connected to their node, or hears nothing from it: so a change crosses each link
//! once, and still comes by way of a third node while a link is cut. The logs of nodes
//! that have been removed are asked for everywhere: they grow no more, and nobody knows
//! who has all of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use meridian_regions::NodeId;
use meridian_replication_core::{PullFrame, PullRequest, VersionVector};
use meridian_storage::Durability;
use meridian_transport::{Channel, FrameReader, Mesh};
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::PullError;
use crate::replica::Replica;
use crate::returning::Stage;

/// First pause after a stream has failed.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// A healed link is used again within this time.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// A stream that stood this long was healthy: what ends it is a new trouble, not one
/// more of the old.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// Starts one task for each other node.
pub(crate) fn start(
    replica: &Replica,
    mesh: &Mesh,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let silent = watch::Sender::new(BTreeSet::new());
    for member in replica.inner().progress.others() {
        let puller = Puller {
            replica: replica.clone(),
            mesh: mesh.clone(),
            peer: member.node,
            silent: silent.clone(),
        };
        let cancel = cancel.clone();
        tracker.spawn(async move {
            // Cancelled by the supervisor; a failed stream is opened again, never fatal.
            cancel.run_until_cancelled(puller.pull()).await;
        });
    }
}

struct Puller {
    replica: Replica,
    mesh: Mesh,
    peer: NodeId,
    /// Nodes that are connected and say nothing: others are asked for their logs.
    silent: watch::Sender<BTreeSet<NodeId>>,
}

impl Puller {
    async fn pull(self) {
        let mut connectivity = self.mesh.connectivity();
        let mut silent = self.silent.subscribe();
        let mut backoff = BACKOFF_MIN;
        loop {
            connectivity.mark_unchanged();
            silent.mark_unchanged();
            if !self.mesh.connected(self.peer) {
                if connectivity.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let opened = Instant::now();
            // A defect in one entry's way is one stream's end, not this task's.
            let ended = contained(
                self.stream(&mut connectivity, &mut silent),
                PullError::Panicked,
            )
            .await;
            if opened.elapsed() >= HEALTHY_AFTER {
                backoff = BACKOFF_MIN;
            }
            match ended {
                // Other logs are to be asked for now: at once.
                Ok(()) => backoff = BACKOFF_MIN,
                Err(cause) => {
                    tracing::warn!(peer = %self.peer, %cause, "pulling from a peer was interrupted");
                    self.heard(!matches!(cause, PullError::Silent(_)));
                    let pause = rand::rng().random_range(backoff / 2..=backoff);
                    tokio::time::sleep(pause).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// Applies what the peer sends, until other logs are to be asked for.
    async fn stream(
        &self,
        connectivity: &mut watch::Receiver<u64>,
        silent: &mut watch::Receiver<BTreeSet<NodeId>>,
    ) -> Result<(), PullError> {
        let origins = self.origins();
        let mut returning = self.replica.inner().returning.watch();
        // What other streams have submitted counts as had: a node that comes back without
        // its log goes by it.
        self.replica.barrier(Durability::Synced).await?;
        let have = self.replica.inner().progress.vector();
        let request = PullRequest {
            have: only(&have, &origins),
            origins: origins.clone(),
            // Every node holds every shard so far.
            shards: Vec::new(),
        };
        let mut frames = self
            .mesh
            .open_stream(self.peer, Channel::Pull, request.encode().into())
            .await?;
        loop {
            let mut next = pin!(self.apply_next(&mut frames, &origins));
            loop {
                tokio::select! {
                    biased;
                    changed = connectivity.changed() => {
                        // Leaves a frame half applied: the next stream sends it again.
                        if changed.is_err() || self.origins() != origins {
                            return Ok(());
                        }
                    }
                    // As above: its own log is whole now.
                    _ = returning.changed() => {
                        if self.origins() != origins {
                            return Ok(());
                        }
                    }
                    _ = silent.changed() => {
                        if self.origins() != origins {
                            return Ok(());
                        }
                    }
                    applied = &mut next => {
                        applied?;
                        break;
                    }
                }
            }
        }
    }

    /// Notes whether the peer speaks, and tells the other pullers if that is new.
    fn heard(&self, speaks: bool) {
        self.silent.send_if_modified(|silent| {
            if speaks {
                silent.remove(&self.peer)
            } else {
                silent.insert(self.peer)
            }
        });
    }

    async fn apply_next(
        &self,
        frames: &mut FrameReader,
        origins: &[NodeId],
    ) -> Result<(), PullError> {
        let patience = self.replica.inner().pull_silence_max;
        let frame = timeout(patience, frames.next())
            .await
            .map_err(|_elapsed| PullError::Silent(patience))??
            .ok_or(PullError::Ended)?;
        self.heard(true);
        match PullFrame::decode(&frame)? {
            PullFrame::Entries(entries) => {
                let asked = entries
                    .into_iter()
                    .filter(|entry| origins.contains(&entry.origin));
                self.replica.apply(asked.collect()).await
            }
            PullFrame::Watermark { origin, through } => {
                if origins.contains(&origin) {
                    self.replica.watermark(origin, through)?;
                }
                Ok(())
            }
        }
    }

    /// The peer's own log, and the logs of nodes that are out of reach, silent or gone;
    /// this node's own, too, if it has lost some of it.
    fn origins(&self) -> Vec<NodeId> {
        let silent = self.silent.borrow();
        let returns = self.replica.inner().returning.stage() == Stage::Own;
        let progress = &self.replica.inner().progress;
        progress
            .others()
            .iter()
            .map(|member| member.node)
            .filter(|node| {
                *node == self.peer || !self.mesh.connected(*node) || silent.contains(node)
            })
            .chain(progress.departed().iter().copied())
            .chain(returns.then_some(progress.this().node))
            .collect()
    }
}

fn only(have: &VersionVector, origins: &[NodeId]) -> VersionVector {
    have.iter()
        .filter(|(origin, _, _)| origins.contains(origin))
        .collect()
}

/// Runs `work`; a panic in it becomes the error `panicked`. Whatever it held is dropped,
/// documents that it left half-way are loaded again, and what it had not submitted comes
/// again.
pub(crate) async fn contained<E>(
    work: impl Future<Output = Result<(), E>>,
    panicked: E,
) -> Result<(), E> {
    let mut work = pin!(work);
    let mut panicked = Some(panicked);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))).unwrap_or_else(|_panic| {
            let panicked = panicked.take();
            Poll::Ready(Err(panicked.expect("polled no more after its end")))
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::contained;
    use crate::error::PullError;

    #[tokio::test]
    async fn panic_ends_a_stream_and_not_its_task() {
        let ended = contained(async { panic!("a defect") }, PullError::Panicked).await;
        assert!(matches!(ended, Err(PullError::Panicked)));
        assert!(
            contained(async { Ok(()) }, PullError::Panicked)
                .await
                .is_ok()
        );
    }
}
