//! What faults are struck on.

use std::sync::Arc;

use crate::cluster::LocalCluster;

/// A cluster, shared between all faults that overlap, and what is used of it. When all
/// faults have ended, nothing of them holds the cluster any more.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The cluster.
    pub cluster: Arc<LocalCluster>,
    /// `lst_…` of listings that are booked: `leader` is who leads most of them.
    pub listings: Arc<[String]>,
}
