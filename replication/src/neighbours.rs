//! Whether all nodes have been told the same about where listings are held.
//!
//! They should have. Where they have not, nothing is lost: what a watermark speaks of is
//! said with it, and who is asked for what it does not serve says so. But less may be
//! replicated, and more crosses links, than was wished for: so it is told loudly.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use meridian_regions::NodeId;

use crate::replica::Replica;

/// What the others believe.
#[derive(Debug)]
pub(crate) struct Neighbours {
    /// Stands for what this node believes; 0 for nothing.
    pub(crate) this: u64,
    others: Mutex<BTreeMap<NodeId, u64>>,
}

impl Neighbours {
    pub(crate) fn new(this: u64) -> Self {
        let others = Mutex::default();
        Self { this, others }
    }

    /// A peer has said what it believes. One of an earlier version says nothing.
    pub(crate) fn compare(&self, peer: NodeId, holdings: u64) {
        if self.this == 0 || holdings == 0 {
            return;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = others.insert(peer, holdings) != Some(holdings);
        if is_news && holdings != self.this {
            tracing::warn!(
                %peer,
                "a peer holds listings elsewhere than this node believes: if that does not end by \
                 itself once a change of the map has come to every node, give all of them the same \
                 topology and the same listings.replicas_per_region, and start them again"
            );
        }
    }
}

impl Replica {
    /// Peers that have been told otherwise about where listings are held.
    #[must_use]
    pub fn placed_otherwise(&self) -> Vec<NodeId> {
        let neighbours = &self.inner().neighbours;
        let others = neighbours.others.lock();
        let others = others.unwrap_or_else(PoisonError::into_inner);
        let differs = others.iter().filter(|(_, told)| **told != neighbours.this);
        differs.map(|(peer, _)| *peer).collect()
    }
}
