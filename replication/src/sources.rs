//! Which peer is asked for which log.
//!
//! From each peer of its own region a node asks for the peer's own log. A log that is
//! written elsewhere crosses to a region once: one node of the region, the log's *carrier*,
//! asks for it where it is written, and the others ask the carrier. Who carries is decided
//! by each node for itself, alike, by rendezvous hashing among those of its region that it
//! can reach: when one dies, another carries what it did, and nothing else moves.
//!
//! A log is *stranded* while its carrier says that it does not hear the writer itself, or
//! serves nobody: then each node asks the writer, if it can, and the carrier too.
//!
//! The logs of nodes that are out of reach, or connected and silent, are asked for
//! everywhere: a change still comes by way of a third node while a link is cut. So are the
//! logs of nodes that have been removed: they grow no more, and nobody knows who has all of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_regions::{NodeId, carrier};
use tokio::sync::watch;

use crate::options::Member;
use crate::progress::Progress;

/// What is known of the other nodes as sources.
pub(crate) struct Sources {
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Connected, and say nothing.
    silent: BTreeSet<NodeId>,
    /// Tell their own log, now.
    heard: BTreeSet<NodeId>,
    /// By peer: whose logs it hears from their writers. Of one that has not said it yet,
    /// nothing; of one whose stream failed, that it hears nobody.
    claims: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            version: watch::channel(0).0,
        }
    }
}

impl Sources {
    /// Changes whenever another log may have to be asked for.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// A peer tells its own log.
    pub(crate) fn hears(&self, peer: NodeId) {
        self.change(|state| state.heard.insert(peer) | state.silent.remove(&peer));
    }

    /// A peer's own log is not asked of it any more.
    pub(crate) fn hears_no_more(&self, peer: NodeId) {
        self.change(|state| state.heard.remove(&peer));
    }

    /// A peer hears these origins from themselves.
    pub(crate) fn claims(&self, peer: NodeId, origins: BTreeSet<NodeId>) {
        self.change(|state| {
            state.claims.get(&peer) != Some(&origins) && {
                state.claims.insert(peer, origins);
                true
            }
        });
    }

    /// A stream of a peer has failed; `silent` if nothing came for too long.
    pub(crate) fn failed(&self, peer: NodeId, silent: bool) {
        self.change(|state| {
            state.heard.remove(&peer);
            state.claims.insert(peer, BTreeSet::new());
            if silent {
                state.silent.insert(peer);
            } else {
                state.silent.remove(&peer);
            }
            true
        });
    }

    /// Of some origins, those whose logs come from themselves.
    pub(crate) fn heard_of(&self, origins: &[NodeId]) -> Vec<NodeId> {
        let state = self.state();
        let heard = |origin: &&NodeId| state.heard.contains(origin);
        origins.iter().filter(heard).copied().collect()
    }

    /// The logs that are asked of `peer`, in the order of nodes, those of removed ones
    /// last. `is_connected` says whom this node reaches.
    pub(crate) fn asked_of(
        &self,
        peer: NodeId,
        progress: &Progress,
        is_connected: impl Fn(NodeId) -> bool,
    ) -> Vec<NodeId> {
        let state = self.state();
        let this = progress.this();
        let is_asked = |member: &&Member| {
            let origin = member.node;
            if !is_connected(origin) || state.silent.contains(&origin) {
                return true;
            }
            if member.region == this.region {
                return origin == peer;
            }
            let carrier = state.carrier(origin, progress, &is_connected);
            if origin == peer {
                carrier == this.node || state.is_stranded(origin, carrier)
            } else {
                carrier == peer
            }
        };
        let others = progress.others().iter().filter(is_asked);
        others
            .map(|member| member.node)
            .chain(progress.departed().iter().copied())
            .collect()
    }

    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let changed = change(&mut self.state());
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who brings the log of a node elsewhere to this node's region.
    fn carrier(
        &self,
        origin: NodeId,
        progress: &Progress,
        is_connected: impl Fn(NodeId) -> bool,
    ) -> NodeId {
        let this = progress.this();
        let neighbours = progress.others().iter().filter(|member| {
            member.region == this.region
                && is_connected(member.node)
                && !self.silent.contains(&member.node)
        });
        let nodes = neighbours.map(|member| member.node).chain([this.node]);
        carrier(origin, nodes).unwrap_or(this.node)
    }

    fn is_stranded(&self, origin: NodeId, carrier: NodeId) -> bool {
        let claims = self.claims.get(&carrier);
        claims.is_some_and(|claims| !claims.contains(&origin))
    }
}
