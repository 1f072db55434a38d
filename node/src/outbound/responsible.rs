//! Who tells what to whom: of the regions that hear of an event one, and of its nodes one.

use std::time::Duration;

use meridian_regions::{ListingId, NodeId, NodeState, RegionId, Topology};

/// How long a node must have been alive before it takes over from another: one that flaps does
/// not.
const STEADY: Duration = Duration::from_millis(500);

/// Whether a region tells the events of a listing: that of its home does. Where no node of the
/// home takes part in placement any more, every region that hears of them does, so that none
/// falls between two; consumers know each by its id.
pub(crate) fn tells(topology: &Topology, region: &RegionId, listing: &ListingId) -> bool {
    let home = listing.home();
    home == region
        || !topology
            .nodes_in(home)
            .any(|node| matches!(node.state, NodeState::Active | NodeState::Joining))
}

/// The node of a region that delivers to a destination, by highest random weight among this one
/// and those that are alive: all agree as soon as they see the same nodes.
pub(crate) fn deliverer(
    topology: &Topology,
    (this, region): (NodeId, &RegionId),
    destination: &str,
    alive_for: impl Fn(NodeId) -> Option<Duration>,
) -> NodeId {
    let steady = |node: NodeId| alive_for(node).is_some_and(|since| since >= STEADY);
    let there = topology
        .nodes_in(region)
        .filter(|node| node.state != NodeState::Removed)
        .map(|node| node.id)
        .filter(|node| *node == this || steady(*node));
    there
        .max_by_key(|node| weight(destination, *node))
        .unwrap_or(this)
}

fn weight(destination: &str, node: NodeId) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&node.get().to_be_bytes());
    hasher.update(destination.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use meridian_regions::{ListingId, NodeId, RegionId, Topology, UnixNanos};

    use super::{deliverer, tells};

    const NODES: [(u64, &str); 4] = [(1, "a"), (2, "a"), (3, "a"), (4, "b")];

    fn topology(state_of_4: &str) -> Topology {
        let mut text = "cluster = \"c\"\nepoch = 1\n".to_owned();
        for region in ["a", "b"] {
            text += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 1.0\nlongitude = 1.0\n");
        }
        for (id, region) in NODES {
            let state = if id == 4 { state_of_4 } else { "active" };
            text += &format!(
                "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{id}\"\n\
                 state = \"{state}\"\npeer = \"127.0.0.1:{id}\"\napi = \"http://127.0.0.1:{id}\"\n\
                 admin = \"http://127.0.0.1:{id}\"\n"
            );
        }
        Topology::from_toml(&text).expect("a topology")
    }

    fn region(name: &str) -> RegionId {
        name.parse().expect("a region")
    }

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    #[test]
    fn one_region_tells_of_a_listing_and_every_one_does_where_its_home_is_given_up() {
        let listing = ListingId::generate(UnixNanos::from_millis(1), 1, region("b"));
        assert!(tells(&topology("active"), &region("b"), &listing));
        assert!(!tells(&topology("active"), &region("a"), &listing));
        for gone in ["draining", "removed"] {
            assert!(tells(&topology(gone), &region("a"), &listing), "{gone}");
        }
    }

    #[test]
    fn nodes_that_see_the_same_choose_the_same_and_one_that_is_dead_is_not_chosen() {
        let topology = topology("active");
        let long = Some(Duration::from_secs(9));
        let mut chosen = BTreeSet::new();
        for number in 0..64 {
            let name = format!("destination {number}");
            let by = |this, dead: Option<NodeId>| {
                deliverer(&topology, (node(this), &region("a")), &name, |other| {
                    long.filter(|_| Some(other) != dead)
                })
            };
            let all = by(1, None);
            assert_eq!((all, all), (by(2, None), by(3, None)));
            chosen.insert(all);
            let others: Vec<u64> = [1, 2, 3]
                .into_iter()
                .filter(|id| *id != all.get())
                .collect();
            let next = by(others[0], Some(all));
            assert_ne!(next, all);
            assert_eq!(next, by(others[1], Some(all)));
        }
        assert_eq!(chosen.len(), 3, "everybody delivers something");
    }

    #[test]
    fn node_that_has_just_come_back_is_waited_for() {
        let topology = topology("active");
        let fresh = |_| Some(Duration::from_millis(10));
        for name in ["x", "y", "z"] {
            assert_eq!(
                deliverer(&topology, (node(2), &region("a")), name, fresh),
                node(2)
            );
        }
    }
}
