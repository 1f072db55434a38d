//! Requests about listings that this node does not serve, taken to one that does.
//!
//! Where a region spreads its listings over nodes, a client may ask any of them all the
//! same. Before a handler has any effect, a request about a listing that is not served here
//! goes whole to a holder: the nearest of this region that is healthy, else one elsewhere.
//! The answer comes back as it is. Who gets such a request serves it or refuses it, and
//! never passes it on.
//!
//! What may be concluded from a lost answer is as everywhere: a request that was surely not
//! executed, or that only reads, is tried at the next holder; any other is *unknown*
//! (invariant 3).

mod counts;
mod founders;
#[cfg(test)]
mod fuzz;
mod serve;
mod standings;
mod watched;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::response::Response;
use meridian_regions::{Holdings, NodeId, RegionId, ShardId, Shards};
use meridian_trace::{Kind, Trace};
use meridian_transport::{CallError, Channel, FRAME_BYTES_MAX, Mesh, NodeIdentity, PeerStatus};
use prost::Message;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use counts::{Outcome, RelayCounts};
pub(crate) use founders::{Unfounded, not_served, of_listing, of_shard};
pub(crate) use serve::{Hop, NotServed, RelayServer};
pub(crate) use standings::{BurialStanding, Standing, of_this};
pub(crate) use wire::Asked;

use self::wire::Answered;
use crate::lifesigns::death_of;

/// Kept back from the holder's time for the way of the answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Surely not executed.
    #[error("no node that holds this listing can be reached, or it is fetching it first")]
    NoHolder,
    /// Perhaps executed.
    #[error("node {0} holds this listing and has not answered: whether this was done is not known")]
    Unknown(NodeId),
}

/// Takes requests to other nodes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Relay {
    region: RegionId,
    holdings: Arc<Holdings>,
    mesh: Mesh,
    /// Time for one request.
    patience: Duration,
    counts: Arc<RelayCounts>,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Relay {
    pub(crate) fn new(
        identity: &NodeIdentity,
        holdings: Arc<Holdings>,
        mesh: &Mesh,
        patience: Duration,
        (tracker, stopping): (TaskTracker, CancellationToken),
    ) -> Self {
        Self {
            region: identity.region.clone(),
            holdings,
            mesh: mesh.clone(),
            patience,
            counts: Arc::default(),
            tracker,
            stopping,
        }
    }

    /// Has a request about a listing of a shard answered; by anybody, if it is about none.
    ///
    /// # Errors
    /// [`Unanswered`] says whether it may have been executed.
    pub(crate) async fn ask(
        &self,
        shard: Option<ShardId>,
        asked: Asked,
    ) -> Result<Response, Unanswered> {
        let answer = self.ask_holders(shard, asked).await;
        self.counts.add(match &answer {
            Ok(_) => Outcome::Answered,
            Err(Unanswered::NoHolder) => Outcome::NoHolder,
            Err(Unanswered::Unknown(_)) => Outcome::Unknown,
        });
        answer
    }

    async fn ask_holders(
        &self,
        shard: Option<ShardId>,
        mut asked: Asked,
    ) -> Result<Response, Unanswered> {
        let deadline = Instant::now() + self.patience;
        for holder in self.holders(shard) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left <= ANSWER_MARGIN {
                break;
            }
            match self.call(holder, &mut asked, left).await {
                Ok(answered) => return Ok(answered),
                Err(CallError::Unknown(_)) if !asked.is_safe() => {
                    return Err(Unanswered::Unknown(holder));
                }
                Err(cause) => tracing::debug!(%holder, %cause, "a holder has no answer"),
            }
        }
        Err(Unanswered::NoHolder)
    }

    /// Has a part of a request answered by one node, which serves it or says that it does not.
    ///
    /// # Errors
    /// [`CallError`]: also where this node is told that it is not served there.
    pub(crate) async fn ask_of(
        &self,
        node: NodeId,
        asked: &mut Asked,
        time: Duration,
    ) -> Result<Response, CallError> {
        let answer = self.call(node, asked, time).await;
        let is_answered = answer.is_ok();
        self.counts.add(if is_answered {
            Outcome::Part
        } else {
            Outcome::PartLost
        });
        answer
    }

    async fn call(
        &self,
        node: NodeId,
        asked: &mut Asked,
        time: Duration,
    ) -> Result<Response, CallError> {
        asked.give(time.saturating_sub(ANSWER_MARGIN));
        let mut step = Trace::current().step("relay", Kind::Asked);
        step.set_with("meridian.to", || node.to_string());
        asked.follow(&step.trace());
        let request = asked.encode_to_vec().into();
        let answer = tokio::select! {
            answer = self.mesh.call(node, Channel::Requests, request, time) => answer,
            () = death_of(&self.mesh, node) => {
                Err(CallError::Unknown("it has fallen silent".to_owned()))
            }
        };
        let unread = || CallError::Unknown("its answer cannot be read".to_owned());
        let answer = answer.and_then(|answer| Answered::read(answer).ok_or_else(unread));
        if let Err(error) = &answer {
            step.fail(error);
        }
        answer
    }

    /// The other nodes of this region, and which shards each of them is to hold.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = (PeerStatus, Shards)> {
        let peers = self.mesh.peers().into_iter();
        let near = peers.filter(|peer| peer.region == self.region);
        near.map(|peer| {
            let held = self.holdings.of_node(peer.node);
            (peer, held)
        })
    }

    /// What has become of requests since the start.
    pub(crate) fn counts(&self) -> &RelayCounts {
        &self.counts
    }

    /// Asks one node, and nobody else, what only nodes ask of each other; the body of its
    /// answer. `None` if there is no answer in time, or not that of success.
    pub(crate) async fn ask_node(
        &self,
        node: NodeId,
        target: String,
        patience: Duration,
    ) -> Option<Bytes> {
        let mut asked = Asked::get(target);
        asked.give(patience);
        let request = asked.encode_to_vec().into();
        let answer = self
            .mesh
            .call(node, Channel::Requests, request, patience)
            .await
            .ok()?;
        let answered = Answered::read(answer).filter(|answered| answered.status().is_success())?;
        to_bytes(answered.into_body(), FRAME_BYTES_MAX).await.ok()
    }

    /// Who may serve a shard: healthy ones first, of this region first, by their distance.
    fn holders(&self, shard: Option<ShardId>) -> Vec<NodeId> {
        let holds = |peer: &PeerStatus| {
            shard.is_none_or(|shard| self.holdings.of_node(peer.node).contains(shard))
        };
        let mut holders: Vec<PeerStatus> = self.mesh.peers().into_iter().filter(holds).collect();
        holders.sort_by_key(|peer| {
            let is_healthy = peer.is_reachable() && peer.alive_for.is_some();
            let distance = peer.rtt.unwrap_or(Duration::MAX);
            (!is_healthy, peer.region != self.region, distance)
        });
        holders.into_iter().map(|peer| peer.node).collect()
    }
}
