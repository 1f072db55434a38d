//! What faults are struck on.

use std::sync::Arc;

use crate::cluster::{Cluster, ClusterError, LocalCluster};

/// A cluster, shared between all faults that overlap, and what is used of it. When all
/// faults have ended, nothing of them holds the cluster any more.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// `lst_…` of listings that are booked: `leader` is who leads most of them.
    pub listings: Arc<[String]>,
}

impl Scene {
    /// The cluster, for what only who has started it may do.
    pub(super) fn own(&self) -> Result<&LocalCluster, ClusterError> {
        self.cluster.own().ok_or(ClusterError::NotOurs)
    }
}
