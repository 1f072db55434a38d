//! Nodes as Automerge actors.
//!
//! One byte of kind and the node id, big-endian: a node is the same actor in every
//! document, and a document names the node that wrote each value. Where concurrent
//! writes tie, Automerge shows the one of the greater actor: here, of the greater
//! node id.
//!
//! Where a document has begun anew, four bytes of its generation follow (ADR 38): so every
//! change says to which of a listing's documents it belongs.

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

/// A node in the document of a generation; the first is 0.
pub(crate) fn of_node(node: NodeId, generation: u32) -> ActorId {
    let mut bytes = vec![NODE];
    bytes.extend_from_slice(&node.get().to_be_bytes());
    if generation > 0 {
        bytes.extend_from_slice(&generation.to_be_bytes());
    }
    ActorId::from(bytes)
}

/// The node that an actor is; `None` for the genesis actor and for strangers.
pub(crate) fn node(actor: &ActorId) -> Option<NodeId> {
    parse(actor).map(|(node, _generation)| node)
}

/// In the document of which generation a node is this actor; `None` if it is no node.
pub(crate) fn generation(actor: &ActorId) -> Option<u32> {
    parse(actor).map(|(_node, generation)| generation)
}

fn parse(actor: &ActorId) -> Option<(NodeId, u32)> {
    let [NODE, rest @ ..] = actor.to_bytes() else {
        return None;
    };
    let (id, generation) = rest.split_first_chunk::<8>()?;
    let generation = match generation {
        [] => 0,
        // The first generation is written one way.
        bytes => u32::from_be_bytes(bytes.try_into().ok()?).checked_sub(1)? + 1,
    };
    Some((NodeId::new(u64::from_be_bytes(*id))?, generation))
}

#[cfg(test)]
mod tests {
    use automerge::ActorId;
    use meridian_regions::NodeId;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{generation, genesis, node, of_node};

    proptest! {
        #[test]
        fn actors_and_nodes_are_one_to_one(id in 1..=u64::MAX, of: u32) {
            let id = NodeId::new(id).expect("not zero");
            let actor = of_node(id, of);
            prop_assert_eq!((node(&actor), generation(&actor)), (Some(id), Some(of)));
            prop_assert!(genesis() < actor);
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
            &[1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0],
        ] {
            assert_eq!(node(&ActorId::from(bytes)), None, "{bytes:?}");
        }
    }
}
