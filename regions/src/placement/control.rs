//! Who votes on the cluster's map.

use std::collections::BTreeSet;

use crate::{Node, NodeId, NodeState, Topology};

/// Voters of the map where there are failure domains enough: two of them may be lost, so
/// that the map can still be changed where bookings survive one.
const VOTERS_MAX: usize = 5;

/// First voters of a cluster's control group: active nodes, one of each region first, then of
/// other zones, then others; always an odd number, at most five. The first of them is the
/// preferred leader. None of `leaving` is among them. Depends on the map alone.
///
/// Empty if nobody may vote.
#[must_use]
pub fn control_voters(topology: &Topology, leaving: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let may_vote = |node: &&Node| node.state == NodeState::Active && !leaving.contains(&node.id);
    let mut nodes: Vec<&Node> = topology.nodes().iter().filter(may_vote).collect();
    nodes.sort_by_key(|node| node.id);
    let (mut regions, mut zones) = (BTreeSet::new(), BTreeSet::new());
    let mut rank = |node: &Node| {
        let is_first_of_region = regions.insert(node.region.clone());
        let is_first_of_zone = zones.insert((node.region.clone(), node.zone.clone()));
        (!is_first_of_region, !is_first_of_zone)
    };
    let mut ranked: Vec<_> = nodes.into_iter().map(|node| (rank(node), node)).collect();
    // Stable: of equals the lower number stays first.
    ranked.sort_by_key(|(rank, _)| *rank);
    let regions = ranked.iter().filter(|(rank, _)| !rank.0).count();
    let wanted = if regions >= VOTERS_MAX { VOTERS_MAX } else { 3 };
    let seats = wanted.min(ranked.len());
    let seats = if seats.is_multiple_of(2) {
        seats.saturating_sub(1)
    } else {
        seats
    };
    let seated = ranked.into_iter().take(seats);
    seated.map(|(_, node)| node.id).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::control_voters;
    use crate::{NodeId, Topology};

    /// A map of so many nodes, each in the region that stands for it, in zones of their own.
    fn map(regions_of: &[&str]) -> Topology {
        let mut text = "cluster = \"demo\"\nepoch = 1\n".to_owned();
        let mut names: Vec<&str> = regions_of.to_vec();
        names.sort_unstable();
        names.dedup();
        for name in names {
            text += &format!("[[regions]]\nid = \"{name}\"\nlatitude = 0.0\nlongitude = 0.0\n");
        }
        for (index, region) in regions_of.iter().enumerate() {
            let id = index + 1;
            text += &format!(
                "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"z{id}\"\npeer = \"h:{id}\"\napi = \"\"\nadmin = \"\"\n"
            );
        }
        Topology::from_toml(&text).expect("a good map")
    }

    fn voters(regions_of: &[&str]) -> Vec<u64> {
        let voters = control_voters(&map(regions_of), &BTreeSet::new());
        voters.into_iter().map(NodeId::get).collect()
    }

    #[test]
    fn every_region_has_one_before_any_has_two() {
        assert_eq!(voters(&["a", "a", "b", "b", "c"]), [1, 3, 5]);
        assert_eq!(voters(&["a", "b", "c", "d", "e", "a"]), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn number_is_odd_however_few_there_are() {
        assert_eq!(voters(&["a"]), [1]);
        assert_eq!(voters(&["a", "b"]), [1]);
        assert_eq!(voters(&["a", "a", "a", "a"]), [1, 2, 3]);
        assert_eq!(voters(&["a", "b", "c", "d"]), [1, 2, 3]);
    }
    #[test]
    fn who_leaves_is_replaced() {
        let leaving = BTreeSet::from([NodeId::new(2).expect("not zero")]);
        let voters = control_voters(&map(&["a", "b", "c", "b"]), &leaving);
        let voters: Vec<u64> = voters.into_iter().map(NodeId::get).collect();
        assert_eq!(voters, [1, 3, 4]);
    }
}
