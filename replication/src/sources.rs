//! Which peer is asked for which log.
//!
//! From each peer of its own region a node asks for the peer's own log. A log that is
//! written elsewhere crosses to a region once: one node of the region, the log's *carrier*,
//! asks for it where it is written, and the others ask the carrier. Who carries is decided
//! by each node for itself, alike, by rendezvous hashing among those of its region that it
//! can reach: when one dies, another carries what it did, and nothing else moves.
//!
//! That is decided shard by shard, among those that hold it: a node pulls what it holds.
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

use meridian_regions::{NodeId, ShardId, Shards, carriers};

use crate::options::Member;
use crate::progress::Progress;
use crate::watch;

/// What is known of the other nodes as sources.
pub(crate) struct Sources {
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Connected, and say nothing.
    silent: BTreeSet<NodeId>,
    /// Tell their own log, now: which shards of it.
    heard: BTreeMap<NodeId, Shards>,
    /// By peer: what it hears of logs from their writers. Of one that has not said it yet,
    /// nothing; of one whose stream failed, that it hears nobody.
    claims: BTreeMap<NodeId, BTreeMap<NodeId, Shards>>,
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

    /// A peer tells some shards of its own log.
    pub(crate) fn hears(&self, peer: NodeId, shards: Shards) {
        self.change(|state| {
            let was_silent = state.silent.remove(&peer);
            state.heard.insert(peer, shards) != Some(shards) || was_silent
        });
    }

    /// A peer's own log is not asked of it any more.
    pub(crate) fn hears_no_more(&self, peer: NodeId) {
        self.change(|state| state.heard.remove(&peer).is_some());
    }

    /// A peer hears so much of these origins' logs from themselves.
    pub(crate) fn claims(&self, peer: NodeId, origins: BTreeMap<NodeId, Shards>) {
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
            state.claims.insert(peer, BTreeMap::new());
            if silent {
                state.silent.insert(peer);
            } else {
                state.silent.remove(&peer);
            }
            true
        });
    }

    /// What comes from the origins themselves, of some of their logs.
    pub(crate) fn heard_of(&self, wanted: &[(NodeId, Shards)]) -> Vec<(NodeId, Shards)> {
        let state = self.state();
        let heard = wanted.iter().map(|(origin, shards)| {
            let heard = state.heard.get(origin).copied().unwrap_or_default();
            (*origin, *shards & heard)
        });
        heard.filter(|(_, shards)| !shards.is_empty()).collect()
    }

    /// What is asked of `peer`, by log, in the order of nodes, those of removed ones last.
    /// `is_connected` says whom this node reaches.
    pub(crate) fn asked_of(
        &self,
        peer: NodeId,
        progress: &Progress,
        is_connected: impl Fn(NodeId) -> bool,
    ) -> Vec<(NodeId, Shards)> {
        let state = self.state();
        let this = progress.this();
        let asked = |member: &Member| {
            let origin = member.node;
            if !is_connected(origin) || state.silent.contains(&origin) {
                return this.holds;
            }
            if member.region == this.region {
                return if origin == peer {
                    this.holds
                } else {
                    Shards::NONE
                };
            }
            let carriers = state.carriers(origin, progress, &is_connected);
            let is_asked = |shard: &ShardId| {
                let mut holding = carriers
                    .iter()
                    .filter(|member| member.holds.contains(*shard));
                let carrier = holding.next().map_or(this.node, |member| member.node);
                if origin == peer {
                    carrier == this.node || state.is_stranded((origin, *shard), carrier)
                } else {
                    carrier == peer
                }
            };
            this.holds.iter().filter(is_asked).collect()
        };
        let others = progress.others().iter();
        let others = others.map(|member| (member.node, asked(member)));
        let departed = progress.departed().iter();
        others
            .chain(departed.map(|origin| (*origin, this.holds)))
            .filter(|(_, shards)| !shards.is_empty())
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
    /// Who may bring the log of a node elsewhere to this node's region, the first that
    /// holds a shard brings that.
    fn carriers<'a>(
        &self,
        origin: NodeId,
        progress: &'a Progress,
        is_connected: impl Fn(NodeId) -> bool,
    ) -> Vec<&'a Member> {
        let this = progress.this();
        let neighbours = progress.others().iter().filter(|member| {
            member.region == this.region
                && is_connected(member.node)
                && !self.silent.contains(&member.node)
        });
        let members: BTreeMap<NodeId, &Member> = neighbours
            .chain([this])
            .map(|member| (member.node, member))
            .collect();
        let order = carriers(origin, members.keys().copied()).into_iter();
        order
            .filter_map(|node| members.get(&node).copied())
            .collect()
    }

    fn is_stranded(&self, (origin, shard): (NodeId, ShardId), carrier: NodeId) -> bool {
        let hears = |claims: &BTreeMap<NodeId, Shards>| {
            let shards = claims.get(&origin);
            shards.is_some_and(|shards| shards.contains(shard))
        };
        let claims = self.claims.get(&carrier);
        claims.is_some_and(|claims| !hears(claims))
    }
}
