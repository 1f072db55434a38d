//! The cluster of a run: one that the run has started, or one that it is attached to.

use meridian_client::{AdminClient, Client};

use super::clocks::Clocks;
use super::{AttachedCluster, ClusterError, LocalCluster};
use crate::layout::WanPlan;

/// The cluster of a run, as its clients and faults find it.
#[derive(Debug)]
pub struct Cluster {
    origin: Origin,
    /// What the clocks of nodes are wrong by. Held while one is being set.
    pub(super) clocks: tokio::sync::Mutex<Clocks>,
}

#[derive(Debug)]
enum Origin {
    Own(Box<LocalCluster>),
    Attached(AttachedCluster),
}

impl From<LocalCluster> for Cluster {
    fn from(cluster: LocalCluster) -> Self {
        Self {
            origin: Origin::Own(Box::new(cluster)),
            clocks: tokio::sync::Mutex::default(),
        }
    }
}

impl From<AttachedCluster> for Cluster {
    fn from(cluster: AttachedCluster) -> Self {
        Self {
            origin: Origin::Attached(cluster),
            clocks: tokio::sync::Mutex::default(),
        }
    }
}

impl Cluster {
    /// The cluster, if the run has started it.
    #[must_use]
    pub fn own(&self) -> Option<&LocalCluster> {
        match &self.origin {
            Origin::Own(cluster) => Some(cluster),
            Origin::Attached(_) => None,
        }
    }

    /// The same, and nothing else.
    #[must_use]
    pub fn into_own(self) -> Option<LocalCluster> {
        match self.origin {
            Origin::Own(cluster) => Some(*cluster),
            Origin::Attached(_) => None,
        }
    }

    /// Regions and nodes; of a cluster of one's own, distances too.
    #[must_use]
    pub fn plan(&self) -> &WanPlan {
        match &self.origin {
            Origin::Own(cluster) => cluster.plan(),
            Origin::Attached(cluster) => cluster.plan(),
        }
    }

    /// Numbers of all nodes.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.plan().nodes.iter().map(|node| node.id).collect()
    }

    /// Numbers of the nodes that are not gone for good.
    #[must_use]
    pub fn present(&self) -> Vec<u64> {
        let mut present = self.ids();
        if let Origin::Own(cluster) = &self.origin {
            present.retain(|id| !cluster.is_removed(*id));
        }
        present
    }

    /// Numbers of the running nodes; nobody knows which of another's run, so that all of them
    /// count.
    #[must_use]
    pub fn running(&self) -> Vec<u64> {
        match &self.origin {
            Origin::Own(cluster) => cluster.running(),
            Origin::Attached(_) => self.ids(),
        }
    }

    /// URL of a node's client API.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] for a node that is not part of the cluster.
    pub fn api(&self, id: u64) -> Result<String, ClusterError> {
        match &self.origin {
            Origin::Own(cluster) => Ok(format!("http://{}", cluster.node(id)?.api)),
            Origin::Attached(cluster) => cluster.api(id).map(str::to_owned),
        }
    }

    /// A client of one node, which does not fail over.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] for a node that is not part of the cluster.
    pub fn client(&self, id: u64) -> Result<Client, ClusterError> {
        match &self.origin {
            Origin::Own(cluster) => cluster.client(id),
            Origin::Attached(cluster) => cluster.client(id),
        }
    }

    /// A client of the operator API of one node.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] for a node that is not part of the cluster.
    pub fn admin(&self, id: u64) -> Result<AdminClient, ClusterError> {
        match &self.origin {
            Origin::Own(cluster) => cluster.admin(id),
            Origin::Attached(cluster) => cluster.admin(id),
        }
    }
}
