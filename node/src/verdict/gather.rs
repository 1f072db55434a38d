//! Asks every part of this node what it knows, for a verdict.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use meridian_consensus::Aim;
use meridian_regions::{Node as Listed, NodeId, NodeState, Shards, Standing};
use meridian_replication::{Follower, LogMark};
use meridian_transport::PeerStatus;

use super::facts::{Facts, Own, Seen};
use crate::admin::saga_counts;
use crate::node::Node;

/// What is known now.
pub(super) fn facts(node: &Node) -> Facts {
    let now = Instant::now();
    let peers = node.mesh.peers();
    let peers: BTreeMap<NodeId, PeerStatus> =
        peers.into_iter().map(|peer| (peer.node, peer)).collect();
    let followers = node.replica.followers().into_iter();
    let followers: BTreeMap<NodeId, Follower> = followers.map(|one| (one.node.node, one)).collect();
    let lags = node.replica.lag().into_iter();
    let lags: BTreeMap<NodeId, Option<u64>> = lags
        .map(|origin| (origin.origin, origin.lag.map(millis)))
        .collect();
    let mut memory = node.verdict.memory();
    memory.marks.make(now, || node.replica.log_mark());
    let reached = peers.values().filter(|peer| peer.connected);
    memory.heard.extend(reached.map(|peer| peer.node));
    let mark = memory.marks.settled(now);
    let holdings = node.config.holdings(&node.topology);
    let listed = node.topology.nodes().iter();
    let listed = listed.filter(|listed| listed.state != NodeState::Removed);
    let nodes = listed.map(|listed| {
        let holds = holdings.of_node(listed.id);
        if listed.id == node.identity.node {
            return this_node(node, listed, holds);
        }
        let (peer, follower) = (peers.get(&listed.id), followers.get(&listed.id));
        let said = node.map.condition_of(listed.id);
        Seen {
            standing: standing(peer, memory.heard.contains(&listed.id)),
            // What it has not said is as the map wants it.
            serves: said.map_or(holds, |said| said.serves & holds),
            without_voice: said.is_some_and(|said| said.is_without_voice),
            groups_ill: said.map_or(0, |said| said.groups_ill),
            lag_ms: lags.get(&listed.id).copied().flatten(),
            settled: settled(node, listed.id, mark.map(|(_, mark)| mark)),
            ..other(listed, holds, peer, follower)
        }
    });
    Facts {
        now_ms: node.clock.now().as_millis(),
        this: node.identity.node,
        nodes: nodes.collect(),
        counted: memory.counted.clone(),
        settled_ms: millis(mark.map_or(Duration::ZERO, |(age, _)| age)),
        own: own(node),
    }
}

/// As the mesh's detector has it; one that has not been heard since this node started may
/// live or not.
fn standing(peer: Option<&PeerStatus>, was_heard: bool) -> Standing {
    match peer {
        Some(peer) if peer.is_reachable() => Standing::Up,
        _ if was_heard => Standing::Lost,
        _ => Standing::Unknown,
    }
}

fn settled(node: &Node, other: NodeId, mark: Option<&LogMark>) -> Option<Shards> {
    node.replica.settled_on(other, mark?)
}

fn this_node(node: &Node, listed: &Listed, holds: Shards) -> Seen {
    let has_own = node.replica.has_returned();
    Seen {
        standing: Standing::Up,
        serves: node.replica.serving(),
        without_voice: node.groups.returns(),
        settled: Some(if has_own { holds } else { Shards::NONE }),
        ..other(listed, holds, None, None)
    }
}

fn other(
    listed: &Listed,
    holds: Shards,
    peer: Option<&PeerStatus>,
    follower: Option<&Follower>,
) -> Seen {
    Seen {
        node: listed.id,
        region: listed.region.clone(),
        state: listed.state,
        standing: Standing::Unknown,
        link_error: peer.and_then(|peer| peer.last_error.clone()),
        phi: peer.and_then(|peer| peer.phi),
        rtt_ms: peer.and_then(|peer| peer.rtt.map(|rtt| rtt.as_secs_f64() * 1e3)),
        holds,
        serves: holds,
        without_voice: false,
        groups_ill: 0,
        settled: None,
        lag_ms: None,
        lacks: follower.and_then(|follower| follower.lacks),
        left_behind: follower.is_some_and(|follower| follower.is_left_behind),
    }
}

fn own(node: &Node) -> Own {
    let (_, payments_stuck) = saga_counts(&node.bookings.sagas());
    let catching_up = node.replica.catching_up().into_iter();
    let wishes = node.mover.wishes().unwrap_or_else(|cause| {
        // The disk's failure stops the node: that is said elsewhere.
        tracing::debug!(%cause, "what groups are moved for cannot be read");
        Vec::new()
    });
    let drains = wishes.into_iter().filter_map(|(wish, progress)| {
        let left = progress.left.max(u64::from(progress.walking));
        match wish.aim {
            Aim::Drain(node) if wish.done_ms.is_none() => Some((node, left)),
            Aim::Drain(_) | Aim::Rebalance(_) => None,
        }
    });
    let returning = node.mover.returning();
    let is_back = returning.is_none() && node.replica.has_returned();
    Own {
        returning: (!is_back).then(|| {
            let known = returning.filter(|progress| !progress.walking || progress.left > 0);
            known.map(|progress| progress.left)
        }),
        catching_up: catching_up.map(|way| (way.peer, way.entries)).collect(),
        quarantined: node.replica.stats().quarantined,
        groups_ill: node.groups.stats().ill as u64,
        payments_stuck,
        clocks_apart: node.groups.clocks_apart(),
        stream: node
            .outbound
            .stream(node.clock.now().as_millis())
            .map(|stream| stream.behind),
        placed_otherwise: node.replica.placed_otherwise(),
        certificate_refused: node.certificates.refused(),
        certificate_expires: node.certificates.expires_soon(node.clock.now().as_millis()),
        drains: drains.collect(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
