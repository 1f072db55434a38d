//! Nodes as Automerge actors.
//!
//! One byte of kind and the node id, big-endian: a node is the same actor in every
//! document, and a document names the node that wrote each value. Where concurrent
//! writes tie, Automerge shows the one of the greater actor: here, of the greater
//! node id.

use automerge::ActorId;
use meridian_regions::NodeId;

/// Kind of the actor that writes genesis changes. It sorts before every node, so
/// that its index in a document is 0 whoever else writes.
const GENESIS: u8 = 0;
/// Kind of the actors that nodes are.
const NODE: u8 = 1;

pub(crate) fn genesis() -> ActorId {
    ActorId::from([GENESIS])
}

pub(crate) fn of_node(node: NodeId) -> ActorId {
    let mut bytes = [NODE; 9];
    bytes[1..].copy_from_slice(&node.get().to_be_bytes());
    ActorId::from(bytes)
}

/// The node that an actor is; `None` for the genesis actor and for strangers.
pub(crate) fn node(actor: &ActorId) -> Option<NodeId> {
    match actor.to_bytes() {
        [NODE, id @ ..] => NodeId::new(u64::from_be_bytes(id.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use automerge::ActorId;
    use meridian_regions::NodeId;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{genesis, node, of_node};

    proptest! {
        #[test]
        fn actors_and_nodes_are_one_to_one(id in 1..=u64::MAX) {
            let id = NodeId::new(id).expect("not zero");
            prop_assert_eq!(node(&of_node(id)), Some(id));
            prop_assert!(genesis() < of_node(id));
        }
    }

    #[test]
    fn strangers_are_no_nodes() {
        for bytes in [
            &[][..],
            &[0],
            &[1; 8],
            &[1; 10],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(node(&ActorId::from(bytes)), None, "{bytes:?}");
        }
    }
}
