//! A cluster of real `meridian` processes on this machine.
//!
//! The binary makes its own certificates; every node gets a topology that shows it
//! the others through the relays. Children end when their standard input closes:
//! whatever becomes of this process, none is left behind. They have process groups of
//! their own, so that Ctrl-C reaches only this process, which ends them in order.

mod any;
mod attached;
mod certificates;
mod clocks;
mod disk;
mod error;
mod files;
mod membership;
mod node;
mod provider;
mod shared;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_client::{AdminClient, Client, ClientOptions};

pub use any::Cluster;
pub use attached::AttachedCluster;
pub(crate) use clocks::{Skew, SkewId};
pub(crate) use disk::Disk;
pub use error::ClusterError;
pub(crate) use error::io;
pub use node::RunningNode;
pub use provider::{Deed, PaymentBalance, SandboxProvider};
pub(crate) use shared::Without;

use crate::layout::WanPlan;
use crate::namespaces::Namespaces;
use crate::until::{Looks, NotInTime, until};
use crate::wan::Wan;

/// How long a node may take until it is ready.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// How to set up a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The `meridian` binary.
    pub binary: PathBuf,
    /// Folder for everything; must be empty or not there.
    pub folder: PathBuf,
    /// Regions, nodes, distances.
    pub plan: WanPlan,
    /// Port of the first node's API; those of its admin API and of the other nodes
    /// follow. `None`: free ports of [`own_loopback`](crate::own_loopback), chosen by the system.
    pub first_port: Option<u16>,
    /// `section.key=value`, laid over the configuration of every node.
    pub settings: Vec<String>,
    /// What is between the nodes.
    pub network: Network,
}

/// What is between the nodes of a cluster on this machine.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Relays of UDP on loopback: it takes no root, and carries what nodes say to each other.
    #[default]
    Relays,
    /// A namespace of the system for each node: it carries every protocol. The nodes of the plan
    /// must each have one. Ports are the same everywhere, and `first_port` is passed over.
    Namespaces(Arc<Namespaces>),
}

/// A cluster of processes and the network between them.
#[derive(Debug)]
pub struct LocalCluster {
    options: ClusterOptions,
    nodes: BTreeMap<u64, RunningNode>,
    wan: Wan,
    /// Nodes whose data stands on a disk of their own.
    disks: Mutex<BTreeMap<u64, Arc<Disk>>>,
    membership: Mutex<membership::Membership>,
    /// Folder of the authority that signs certificates now.
    signer: Mutex<PathBuf>,
}

impl LocalCluster {
    /// [`LocalCluster::prepare`] and [`LocalCluster::launch`] in one.
    ///
    /// # Errors
    /// [`ClusterError`] with the last lines of the log of a node that does not start.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let cluster = Self::prepare(options).await?;
        cluster.launch().await?;
        Ok(cluster)
    }

    /// Makes certificates, configuration and links. No node runs yet: who may be
    /// interrupted has something to shut down before there is something to leave.
    ///
    /// # Errors
    /// [`ClusterError`] of files, ports, or the binary.
    pub async fn prepare(options: ClusterOptions) -> Result<Self, ClusterError> {
        let nodes = files::plan_nodes(&options)?;
        let peers = nodes.iter().map(|node| (node.id, node.peer)).collect();
        let wan = match &options.network {
            Network::Relays => Wan::start(&options.plan, &peers),
            Network::Namespaces(namespaces) => Wan::between(&options.plan, namespaces),
        };
        let wan = wan.map_err(|cause| io("starting the links", cause))?;
        files::write_all(&options, &nodes, &wan).await?;
        let signer = Mutex::new(files::authority_in(&options.folder));
        Ok(Self {
            options,
            nodes: nodes.into_iter().map(|node| (node.id, node)).collect(),
            wan,
            disks: Mutex::default(),
            membership: Mutex::default(),
            signer,
        })
    }

    /// Starts every node, and waits until all are ready and connected. May be given up
    /// at any time: what runs then ends with [`LocalCluster::shutdown`].
    ///
    /// # Errors
    /// [`ClusterError`] with the last lines of the log of a node that does not start.
    pub async fn launch(&self) -> Result<(), ClusterError> {
        for id in self.ids() {
            self.spawn(id)?;
        }
        for id in self.ids() {
            self.wait_ready(id).await?;
        }
        self.wait_connected().await
    }

    /// Numbers of all nodes.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    /// Numbers of the running nodes.
    #[must_use]
    pub fn running(&self) -> Vec<u64> {
        let running = self.nodes.values().filter(|node| node.is_alive());
        running.map(|node| node.id).collect()
    }

    /// Whether a node's process has ended without being asked to, and none has been started
    /// since: a run asks it of nodes that no fault has struck.
    #[must_use]
    pub fn has_ended(&self, id: u64) -> bool {
        self.nodes.get(&id).is_some_and(RunningNode::has_ended)
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = &RunningNode> {
        self.nodes.values()
    }

    /// The first node of a region.
    #[must_use]
    pub fn node_in(&self, region: &str) -> Option<&RunningNode> {
        self.nodes.values().find(|node| node.region == region)
    }

    /// The network between the regions.
    #[must_use]
    pub const fn wan(&self) -> &Wan {
        &self.wan
    }

    /// Regions, nodes and distances.
    #[must_use]
    pub const fn plan(&self) -> &WanPlan {
        &self.options.plan
    }

    /// A client of one node, which does not fail over.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] for a node that is not part of the cluster.
    pub fn client(&self, id: u64) -> Result<Client, ClusterError> {
        let node = self.node(id)?;
        let mut options = ClientOptions::new(format!("http://{}", node.api));
        // What became of each request is the cluster's to say, not the SDK's to mend.
        options.retry = false;
        Ok(Client::new(options)?)
    }

    /// A client of the operator API of one node.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] for a node that is not part of the cluster.
    pub fn admin(&self, id: u64) -> Result<AdminClient, ClusterError> {
        let node = self.node(id)?;
        Ok(AdminClient::new(format!("http://{}", node.admin))?)
    }

    /// Kills a node at once, as `kill -9` does.
    ///
    /// # Errors
    /// [`ClusterError`] if it does not run.
    pub async fn kill(&mut self, id: u64) -> Result<(), ClusterError> {
        self.kill_node(id).await
    }

    /// How a node's process has ended by itself; `None` while it runs. It counts as not
    /// running from then on.
    ///
    /// # Errors
    /// [`ClusterError`] if it was not running before.
    pub fn take_ended(&mut self, id: u64) -> Result<Option<ExitStatus>, ClusterError> {
        self.node(id)?.take_ended()
    }

    /// Asks a node to stop, and waits until it has.
    ///
    /// # Errors
    /// [`ClusterError`] if it does not run or does not stop; it is killed then.
    pub async fn stop(&mut self, id: u64) -> Result<(), ClusterError> {
        self.stop_node(id).await
    }

    /// Starts a node again on its files, and waits until it is ready.
    ///
    /// # Errors
    /// [`ClusterError`] with the last lines of its log.
    pub async fn restart(&mut self, id: u64) -> Result<(), ClusterError> {
        self.spawn(id)?;
        self.wait_ready(id).await
    }

    /// Waits until every running node is connected to every other.
    ///
    /// # Errors
    /// [`ClusterError::NotReady`] for a node that is not.
    pub async fn wait_connected(&self) -> Result<(), ClusterError> {
        for node in self.nodes.values().filter(|node| node.is_running()) {
            let admin = self.admin(node.id)?;
            let what = format!("node {} connected to every other", node.id);
            until(READY_PATIENCE, what, async || {
                let status = admin.status().await.ok()?;
                let peers = status["peers"].as_array()?.clone();
                peers
                    .iter()
                    .all(|peer| peer["connected"] == true)
                    .then_some(())
            })
            .await
            .map_err(|cause| self.not_ready(node.id, cause))?;
        }
        Ok(())
    }

    /// Resident memory of each running node, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> BTreeMap<u64, u64> {
        let nodes = self.nodes.values();
        nodes
            .filter_map(|node| Some((node.id, node.memory_bytes()?)))
            .collect()
    }

    /// Process ids of the running nodes.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let nodes = self.nodes.values();
        nodes.filter_map(RunningNode::process_id).collect()
    }

    /// Stops every node and link. What does not stop in time is killed.
    ///
    /// # Errors
    /// The first node that did not end as it should.
    pub async fn shutdown(self) -> Result<(), ClusterError> {
        let mut first = Ok(());
        // All at once: a node that goes need not wait for its peers.
        for node in self.nodes.values() {
            node.ask_to_stop();
        }
        for node in self.nodes.values().filter(|node| node.is_running()) {
            let stopped = node.stop().await;
            first = first.and(stopped);
        }
        self.wan.stop().await;
        let disks = std::mem::take(&mut *self.disks());
        for (node, disk) in disks {
            let gone = disk.unmount().await;
            let gone = gone.map_err(|cause| io(&format!("taking node {node}'s disk away"), cause));
            first = first.and(gone);
        }
        first
    }

    /// A node by its number.
    pub(crate) fn node(&self, id: u64) -> Result<&RunningNode, ClusterError> {
        self.nodes.get(&id).ok_or(ClusterError::NotRunning(id))
    }

    fn disks(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Disk>>> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, id: u64) -> Result<(), ClusterError> {
        let ClusterOptions {
            binary, settings, ..
        } = &self.options;
        self.node(id)?.spawn(binary, settings)
    }

    async fn wait_ready(&self, id: u64) -> Result<(), ClusterError> {
        let admin = self.admin(id)?;
        let mut looks = Looks::new(READY_PATIENCE, format!("node {id} ready"));
        while !admin.is_ready().await {
            let node = self.node(id)?;
            if let Ok(Some(status)) = node.take_ended() {
                let log = node.log_tail();
                return Err(ClusterError::Ended {
                    node: id,
                    status,
                    log,
                });
            }
            let late = looks.next().await;
            late.map_err(|cause| self.not_ready(id, cause))?;
        }
        Ok(())
    }

    fn not_ready(&self, node: u64, cause: NotInTime) -> ClusterError {
        ClusterError::NotReady {
            node,
            cause,
            log: self
                .nodes
                .get(&node)
                .map_or_else(String::new, RunningNode::log_tail),
        }
    }
}
