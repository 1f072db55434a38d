//! The changes of a document, one by one: who wrote when, and upon what.
//!
//! In an order that replicas with the same changes agree on: by the number of its
//! first operation, which is greater than any in a change that it builds on, then by
//! hash. So a change stands behind its parents, and a place in the list means the
//! same in every region. A change that arrives late may come to stand before others
//! that have been read already.

use automerge::ChangeMetadata;
use meridian_regions::NodeId;

use super::ListingDocument;
use super::standing::Written;
use crate::heads::ChangeId;

/// One change, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// Its name.
    pub hash: ChangeId,
    /// The changes that it builds on.
    pub parents: Vec<ChangeId>,
    /// The node where it was written; `None` for the genesis, which nobody wrote.
    pub actor: Option<NodeId>,
    /// Its writer's clock, in milliseconds since 1970; 0 for the genesis.
    pub at_ms: u64,
    /// What it was: `create`, `patch`, `edit`, `count`, `import`, `delete`, `genesis`, or
    /// `resolve FIELD HASH` with the value that was chosen. Where the listing began anew, what
    /// stood then is under the names of who had written it, and the rest is `renewed`.
    pub message: String,
}

impl ListingDocument {
    /// Every change that is part of the document, parents first.
    #[must_use]
    pub fn records(&self) -> Vec<ChangeRecord> {
        let mut changes = self.body.get().get_changes_meta(&[]);
        changes.sort_by_key(|change| (change.start_op, change.hash));
        changes.into_iter().map(record).collect()
    }
}

fn record(change: ChangeMetadata<'_>) -> ChangeRecord {
    let parents = change.deps.iter().copied().map(ChangeId::of).collect();
    let (hash, at_ms) = (change.hash, change.timestamp);
    let written = Written::from(change);
    ChangeRecord {
        hash: ChangeId::of(hash),
        parents,
        actor: written.node,
        at_ms: u64::try_from(at_ms).unwrap_or(0),
        message: written.message,
    }
}
