//! How the other nodes are, in their own words, for this one's verdict (ADR 47).
//!
//! Each node asks each other one for a later map every few seconds, and whoever answers says how it
//! is: whether it votes at all, what can be read from it. Nobody else sees that from outside: a node
//! that has lost its records answers heartbeats as any other.
//!
//! What it is not: a sign of life, which is the mesh's. A node of an earlier release says nothing,
//! and is taken for well.
//!
//! Invariant kept here: the word of a node that has fallen silent is forgotten: it may come back with
//! less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_consensus::Groups;
use meridian_regions::{NodeId, Shards};
use meridian_replication::Replica;

use super::ClusterMap;
use super::wire::ConditionRecord;

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Whether it has lost its records of bookings, and votes on nothing before it is readmitted.
    pub(crate) is_without_voice: bool,
    /// Shards that can be read from it.
    pub(crate) serves: Shards,
    /// Groups that do not run on it for damaged records.
    pub(crate) groups_ill: u64,
}

impl Condition {
    /// This node's.
    pub(crate) fn of(groups: &Groups, replica: &Replica) -> Self {
        Self {
            is_without_voice: groups.returns(),
            serves: replica.serving(),
            groups_ill: groups.stats().ill as u64,
        }
    }
}

impl From<Condition> for ConditionRecord {
    fn from(condition: Condition) -> Self {
        Self {
            is_without_voice: condition.is_without_voice,
            serves: condition.serves.bits(),
            groups_ill: condition.groups_ill,
        }
    }
}

impl From<ConditionRecord> for Condition {
    fn from(record: ConditionRecord) -> Self {
        Self {
            is_without_voice: record.is_without_voice,
            serves: Shards::from_bits(record.serves),
            groups_ill: record.groups_ill,
        }
    }
}

/// The last word of each other node that is heard: one for each node of the map, at most.
#[derive(Debug, Default)]
pub(super) struct Conditions(Mutex<BTreeMap<NodeId, Condition>>);

impl Conditions {
    pub(super) fn note(&self, node: NodeId, condition: Option<ConditionRecord>) {
        let mut known = self.known();
        match condition {
            Some(condition) => known.insert(node, condition.into()),
            None => known.remove(&node),
        };
    }

    /// Forgets what was said by all that are silent.
    pub(super) fn keep(&self, living: &[NodeId]) {
        let living: BTreeSet<&NodeId> = living.iter().collect();
        self.known().retain(|node, _| living.contains(node));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Condition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClusterMap {
    /// How another node is, as it has said last; `None` if it is silent, or has not said.
    pub(crate) fn condition_of(&self, node: NodeId) -> Option<Condition> {
        self.inner.conditions.known().get(&node).copied()
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, Shards};
    use prost::Message;

    use super::super::wire::{Answer, Nothing, Told};
    use super::{Condition, Conditions};

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    #[test]
    fn word_of_a_node_is_kept_as_long_as_it_is_heard() {
        let condition = Condition {
            is_without_voice: true,
            serves: Shards::from_bits(5),
            groups_ill: 2,
        };
        let told = Told {
            answer: Some(Answer::NoLater(Nothing {})),
            condition: Some(condition.into()),
        };
        let heard = Told::decode(&*told.encode_to_vec()).expect("an answer");
        let conditions = Conditions::default();
        conditions.note(node(2), heard.condition);
        conditions.keep(&[node(2), node(3)]);
        assert_eq!(conditions.known().get(&node(2)), Some(&condition));
        conditions.keep(&[node(3)]);
        assert_eq!(conditions.known().get(&node(2)), None, "it may have less");
        conditions.note(node(3), heard.condition);
        conditions.note(node(3), None);
        assert_eq!(
            conditions.known().len(),
            0,
            "an earlier release was put back"
        );
    }
}
