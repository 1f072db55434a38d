//! When a node begins anew by a later map: each in its turn.

use std::time::Duration;

use meridian_regions::{Node, NodeId, NodeState, Topology};

/// What a node takes to begin anew: databases closed and opened, links made, groups handed
/// over.
const STEP: Duration = Duration::from_secs(3);

/// How long a node waits for those before it. Pure: the same on every node, by the map that is
/// left behind.
pub(super) fn of(topology: &Topology, node: NodeId) -> Duration {
    let is_living = |one: &&Node| one.state != NodeState::Removed;
    let before = topology.nodes().iter().filter(is_living);
    let before = before.filter(|one| one.id < node).count();
    STEP * u32::try_from(before).unwrap_or(u32::MAX)
}
