//! The tally of what a document is made of: how many changes, operations and bytes,
//! the time of the latest, and each actor's last sequence number.
//!
//! Derived from the changes alone and independent of their order, so that equal
//! documents have equal tallies. Beside it stand the changes of which nobody has been told.

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, Change, ChangeHash, ChangeMetadata};
use meridian_regions::NodeId;

use super::news::NewChange;
use super::renewal::is_marker;
use crate::actor;

/// What a document's applied changes add up to.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    changes: u64,
    operations: u64,
    bytes: u64,
    updated_at_ms: i64,
    sequences: BTreeMap<ActorId, u64>,
    /// The change by which the document begins anew.
    marker: Option<ChangeHash>,
    /// Changes that were added and not told yet, in their order.
    pub(super) news: Vec<NewChange>,
}

impl History {
    /// The tally of a document that was read from a snapshot, which says how many
    /// `bytes` its changes had.
    pub(super) fn of(automerge: &Automerge, bytes: u64) -> Self {
        let mut history = Self {
            bytes,
            ..Self::default()
        };
        for change in automerge.get_changes_meta(&[]) {
            history.note(&change);
        }
        history
    }

    pub(super) fn add(&mut self, change: &Change) {
        self.changes += 1;
        self.operations += change.len() as u64;
        self.bytes += change.raw_bytes().len() as u64;
        self.updated_at_ms = self.updated_at_ms.max(change.timestamp());
        self.sequences
            .insert(change.actor_id().clone(), change.seq());
        if change.is_empty() && change.message().is_some_and(is_marker) {
            self.marker.get_or_insert(change.hash());
        }
        self.news.extend(NewChange::of(change));
    }

    fn note(&mut self, change: &ChangeMetadata<'_>) {
        self.changes += 1;
        self.operations += change
            .max_op
            .saturating_add(1)
            .saturating_sub(change.start_op);
        self.updated_at_ms = self.updated_at_ms.max(change.timestamp);
        let last = self
            .sequences
            .entry(change.actor.as_ref().clone())
            .or_default();
        *last = change.seq.max(*last);
        let message = change.message.as_deref();
        if change.max_op < change.start_op && message.is_some_and(is_marker) {
            self.marker.get_or_insert(change.hash);
        }
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As if its changes were so many bytes.
    #[cfg(test)]
    pub(super) const fn weigh(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Milliseconds since 1970 of the latest change.
    pub(super) const fn updated_at(&self) -> i64 {
        self.updated_at_ms
    }

    /// The highest number that the next change's first operation can have: numbers
    /// only rise by operations.
    pub(super) const fn next_operation_max(&self) -> u64 {
        self.operations + 1
    }

    /// The change by which the document begins anew, if there is one.
    pub(super) const fn marker(&self) -> Option<ChangeHash> {
        self.marker
    }

    /// Each node's last sequence number.
    pub(super) fn last_of_nodes(&self) -> BTreeMap<NodeId, u64> {
        let nodes = self.sequences.iter();
        nodes
            .filter_map(|(actor, seq)| Some((actor::node(actor)?, *seq)))
            .collect()
    }

    /// The sequence number that the actor's next change has.
    pub(super) fn next_sequence(&self, actor: &ActorId) -> u64 {
        self.sequences.get(actor).copied().unwrap_or(0) + 1
    }
}
