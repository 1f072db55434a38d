//! How nodes stand in their cluster, as their topologies say from their next start on.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::{ClusterError, LocalCluster, files, io};

/// What topologies have been told since the cluster was planned.
#[derive(Debug)]
pub(super) struct Membership {
    /// Of the topologies that were written last.
    pub(super) epoch: u64,
    /// Nodes that are gone for good.
    pub(super) removed: BTreeSet<u64>,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            epoch: files::FIRST_EPOCH,
            removed: BTreeSet::new(),
        }
    }
}

impl LocalCluster {
    /// Has all topologies say how a node stands, in the epoch that they are of: before the
    /// first start.
    pub(crate) fn found_with(&self, node: u64, state: &str) -> Result<(), ClusterError> {
        self.write_state(node, state, files::FIRST_EPOCH)
    }

    /// Has all topologies say how a node stands, in the next epoch, which is answered.
    pub(crate) fn set_state(&self, node: u64, state: &str) -> Result<u64, ClusterError> {
        let epoch = {
            let mut membership = self
                .membership
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            membership.epoch += 1;
            membership.epoch
        };
        self.write_state(node, state, epoch)?;
        Ok(epoch)
    }

    /// Stops a node for good.
    pub(crate) async fn remove_node(&self, node: u64) -> Result<(), ClusterError> {
        {
            let mut membership = self
                .membership
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            membership.removed.insert(node);
        }
        self.stop_node(node).await
    }

    /// Whether a node is gone for good.
    pub(crate) fn is_removed(&self, node: u64) -> bool {
        let membership = self
            .membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        membership.removed.contains(&node)
    }

    fn write_state(&self, node: u64, state: &str, epoch: u64) -> Result<(), ClusterError> {
        for reader in self.nodes.values() {
            let path = reader.folder.join(files::TOPOLOGY);
            let doing = format!("changing {}", path.display());
            let failed = |cause: std::io::Error| io(&doing, cause);
            let text = std::fs::read_to_string(&path).map_err(failed)?;
            let changed = files::with_state(&text, node, state, epoch).map_err(failed)?;
            std::fs::write(&path, changed).map_err(failed)?;
        }
        Ok(())
    }
}
