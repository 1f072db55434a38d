//! Pulling from every other node what `sources` says, and telling those of which nothing is
//! asked how much of their logs has come by way of others: a node that has lost a part of
//! its log hears of it from whoever has more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{NodeId, Shards};
use meridian_replication_core::{LogFloor, PullFrame, PullRequest, VersionVector};
use meridian_storage::Durability;
use meridian_transport::{Channel, FrameReader, Mesh};
use tokio::sync::watch as mesh_watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backlog::BacklogStream;
use crate::chance;
use crate::error::PullError;
use crate::held_up::HeldUp;
use crate::left_behind;
use crate::replica::Replica;
use crate::returning::Stage;
use crate::server::is_full;
use crate::watch;

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
    for member in replica.inner().progress.others() {
        let puller = Puller {
            replica: replica.clone(),
            mesh: mesh.clone(),
            peer: member.node,
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
}

/// What may change which logs are to be asked for.
struct Turns {
    connectivity: mesh_watch::Receiver<u64>,
    connections: mesh_watch::Receiver<u64>,
    sources: watch::Receiver<u64>,
    returning: watch::Receiver<Stage>,
    /// Whether the peer has agreed to be asked: its connection stands.
    is_asked: bool,
}

impl Puller {
    async fn pull(self) {
        let inner = self.replica.inner();
        let mut turns = Turns {
            connectivity: self.mesh.connectivity(),
            connections: self.mesh.connections(self.peer),
            sources: inner.sources.version(),
            returning: inner.returning.watch(),
            is_asked: false,
        };
        let mut backoff = BACKOFF_MIN;
        loop {
            turns.connectivity.mark_unchanged();
            turns.connections.mark_unchanged();
            // Behind this node's greeting: after a healed link that is a round trip sooner.
            if !self.mesh.greets(self.peer) {
                inner.sources.hears_no_more(self.peer);
                if turns.connectivity.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let opened = Instant::now();
            // Otherwise it is being greeted, and may not let this node in.
            let stands = self.mesh.connected(self.peer) && !self.mesh.greets_anew(self.peer);
            turns.is_asked = false;
            // A defect in one entry's way is one stream's end, not this task's.
            let ended = contained(self.attend_here(&mut turns), PullError::Panicked).await;
            if opened.elapsed() >= HEALTHY_AFTER {
                backoff = BACKOFF_MIN;
            }
            match ended {
                // Other logs are to be asked for now: at once.
                Ok(()) => backoff = BACKOFF_MIN,
                // What its greeting came to, the mesh tells. The next one is not waited for longer.
                Err(cause) if !stands && !turns.is_asked => {
                    tracing::debug!(peer = %self.peer, %cause, "a peer has not let this node in");
                    tokio::time::sleep(chance::within(BACKOFF_MIN / 2..=BACKOFF_MIN)).await;
                }
                Err(cause) => {
                    tracing::warn!(peer = %self.peer, %cause, "pulling from a peer was interrupted");
                    let silent = matches!(cause, PullError::Silent(_));
                    inner.sources.failed(self.peer, silent);
                    if let PullError::Trimmed(floors) = cause {
                        backoff = self.catch_up(floors).await;
                    }
                    let pause = chance::within(backoff / 2..=backoff);
                    tokio::select! {
                        biased;
                        // What failed on the last one may go well on the next, at once.
                        Ok(()) = turns.connections.changed() => backoff = BACKOFF_MIN,
                        () = tokio::time::sleep(pause) => backoff = (backoff * 2).min(BACKOFF_MAX),
                    }
                }
            }
        }
    }

    /// Attends to the peer until it is greeted on another connection than the one that stands and is
    /// silent: what was asked there may not even have arrived, and is asked for here.
    async fn attend_here(&self, turns: &mut Turns) -> Result<(), PullError> {
        let greeted_anew = self.greeted_anew(turns.connectivity.clone());
        tokio::select! {
            biased;
            () = greeted_anew => Ok(()),
            ended = self.attend(turns) => ended,
        }
    }

    /// Waits until the peer is greeted on another connection than the silent one; if it is already, the
    /// next time.
    async fn greeted_anew(&self, mut connectivity: mesh_watch::Receiver<u64>) {
        for is_anew in [false, true] {
            while self.mesh.greets_anew(self.peer) != is_anew {
                if connectivity.changed().await.is_err() {
                    // There is nobody left to greet.
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Asks the peer for what is to be asked of it, until that is something else.
    async fn attend(&self, turns: &mut Turns) -> Result<(), PullError> {
        let asked = self.asked();
        if of(&asked, self.peer).is_none() {
            self.replica.inner().sources.hears_no_more(self.peer);
            self.replica.tell(&self.mesh, self.peer).await?;
        }
        if !asked.is_empty() {
            return self.stream(turns, asked).await;
        }
        // A peer that is reached anew is told anew: it may have lost something meanwhile.
        let (connectivity, connections) = (turns.connectivity.clone(), turns.connections.clone());
        tokio::select! {
            biased;
            () = self.is_lost_or_reached_anew(connectivity, connections) => {}
            () = self.turned(turns, &asked) => {}
        }
        Ok(())
    }

    /// Waits until the peer's connection is lost, or there is another one.
    async fn is_lost_or_reached_anew(
        &self,
        mut connectivity: mesh_watch::Receiver<u64>,
        connections: mesh_watch::Receiver<u64>,
    ) {
        while connectivity.changed().await.is_ok() {
            // Over links that do not count them, any change may be one.
            let is_another = connections.has_changed().unwrap_or(true);
            if is_another || !self.mesh.connected(self.peer) {
                return;
            }
        }
    }

    /// Comes back by the peer's documents. Answers how long to wait before it is asked again.
    async fn catch_up(&self, floors: Vec<LogFloor>) -> Duration {
        // Large, and seldom needed.
        let caught_up = Box::pin(self.replica.catch_up(&self.mesh, self.peer, floors));
        match contained(caught_up, PullError::Panicked).await {
            Ok(()) => BACKOFF_MIN,
            Err(cause) => {
                tracing::error!(peer = %self.peer, %cause, "this node stays left behind, and tries again");
                left_behind::AGAIN_AFTER
            }
        }
    }

    async fn request(&self, asked: &[(NodeId, Shards)]) -> Result<PullRequest, PullError> {
        // What other streams have submitted counts as had: a node that comes back without
        // its log goes by it.
        self.replica.barrier(Durability::Synced).await?;
        let inner = self.replica.inner();
        let (origins, shards): (Vec<_>, Vec<_>) = asked.iter().copied().unzip();
        Ok(PullRequest {
            have: only(&inner.progress.vector(), &origins),
            origins,
            shards,
            life: inner.told.life(),
            holdings: inner.neighbours.this,
            ..PullRequest::default()
        })
    }

    /// Applies what the peer sends, until other logs are to be asked for. A frame may be
    /// left half applied then: the next stream sends it again.
    async fn stream(
        &self,
        turns: &mut Turns,
        asked: Vec<(NodeId, Shards)>,
    ) -> Result<(), PullError> {
        let request = self.request(&asked).await?;
        let mut frames = self
            .mesh
            .open_stream(self.peer, Channel::Pull, request.encode().into())
            .await?;
        turns.is_asked = true;
        // What comes after this one is another.
        turns.connections.mark_unchanged();
        let mut turned = pin!(self.turned(turns, &asked));
        let mut backlog = self.replica.inner().backlog.stream();
        let mut held_up = HeldUp::default();
        loop {
            let frame = tokio::select! {
                biased;
                () = &mut turned => return Ok(()),
                () = held_up.is_over() => return held_up.end(),
                frame = self.next(&mut frames, &asked, &held_up) => frame?,
            };
            tokio::select! {
                biased;
                () = &mut turned => return Ok(()),
                applied = self.take(&frame, &asked, &mut held_up, &mut backlog) => applied?,
            }
        }
    }

    /// Waits until other logs are to be asked for, or nobody tells of changes any more.
    async fn turned(&self, turns: &mut Turns, asked: &[(NodeId, Shards)]) {
        loop {
            let more = tokio::select! {
                biased;
                more = turns.connectivity.changed() => more.is_ok(),
                more = turns.sources.changed() => more.is_ok(),
                more = turns.returning.changed() => more.is_ok(),
            };
            if !more || self.asked() != asked {
                return;
            }
        }
    }

    async fn take(
        &self,
        frame: &Bytes,
        asked: &[(NodeId, Shards)],
        held_up: &mut HeldUp,
        backlog: &mut BacklogStream,
    ) -> Result<(), PullError> {
        let inner = self.replica.inner();
        inner.followed.hear(frame, |origin, shard| {
            of(asked, origin).is_some_and(|shards| shards.contains(shard))
        });
        match PullFrame::decode_up_to(inner.formats.levels.latest(), frame)? {
            PullFrame::Entries(entries) => {
                let bytes = entries.iter().map(|entry| entry.as_bytes().len()).sum();
                let is_followed = is_full(entries.len(), bytes);
                if is_followed {
                    backlog.begins();
                }
                let wanted = entries.into_iter().filter(|entry| {
                    of(asked, entry.origin).is_some_and(|shards| shards.contains(entry.shard))
                });
                self.replica.apply_past(held_up, wanted.collect()).await?;
                if !is_followed {
                    backlog.ends();
                }
                Ok(())
            }
            PullFrame::Hears(heard) => {
                let sources = &self.replica.inner().sources;
                sources.claims(self.peer, heard.into_iter().collect());
                Ok(())
            }
            PullFrame::Trimmed(mut floors) => {
                floors.retain(|floor| {
                    of(asked, floor.origin).is_some_and(|shards| shards.contains(floor.shard))
                });
                Err(PullError::Trimmed(floors))
            }
            PullFrame::Watermark {
                origin,
                through,
                shards,
                whole,
            } => {
                backlog.ends();
                let shards = of(asked, origin).unwrap_or_default() & shards;
                let told = (shards - held_up.of(origin), whole - held_up.of(origin));
                Ok(self.replica.told((self.peer, origin), through, told)?)
            }
        }
    }

    /// The next frame. A peer that is asked for its own log has something to say all the
    /// while; of other logs nothing may be known to it.
    async fn next(
        &self,
        frames: &mut FrameReader,
        asked: &[(NodeId, Shards)],
        held_up: &HeldUp,
    ) -> Result<Bytes, PullError> {
        let Some(shards) = of(asked, self.peer) else {
            return frames.next().await?.ok_or(PullError::Ended);
        };
        let patience = self.replica.inner().pull_silence_max;
        let frame = timeout(patience, frames.next())
            .await
            .map_err(|_elapsed| PullError::Silent(patience))??
            .ok_or(PullError::Ended)?;
        // What is held up here does not come by this node: its neighbours ask for it elsewhere.
        let shards = shards - held_up.of(self.peer);
        self.replica.inner().sources.hears(self.peer, shards);
        Ok(frame)
    }

    /// The logs to ask the peer for; this node's own, too, if it has lost some of it.
    fn asked(&self) -> Vec<(NodeId, Shards)> {
        let inner = self.replica.inner();
        let mut asked = inner.sources.asked_of(self.peer, &inner.progress, |node| {
            self.mesh.connected(node) || (node == self.peer && self.mesh.greets(node))
        });
        if inner.returning.stage() == Stage::Own {
            // Also what it wrote in shards that it does not hold any more.
            asked.push((inner.this(), Shards::ALL));
        }
        asked
    }
}

/// What is asked of a log.
fn of(asked: &[(NodeId, Shards)], origin: NodeId) -> Option<Shards> {
    let asked = asked.iter().find(|(asked, _)| *asked == origin);
    asked.map(|(_, shards)| *shards)
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
