//! What faults do to a cluster that they share: whoever comes second finds a node as the
//! first one has left it, and does no harm.

use std::sync::Arc;

use super::disk::Disk;
use super::{ClusterError, LocalCluster, READY_PATIENCE, files, io, node};
use crate::until::Looks;

/// Which of its databases a node comes back without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Bookings,
    Both,
}

impl LocalCluster {
    /// [`LocalCluster::kill`], for faults that share the cluster.
    pub(crate) async fn kill_node(&self, id: u64) -> Result<(), ClusterError> {
        self.node(id)?.kill().await
    }

    /// [`LocalCluster::stop`], for faults that share the cluster.
    pub(crate) async fn stop_node(&self, id: u64) -> Result<(), ClusterError> {
        self.node(id)?.stop().await
    }

    /// Starts a node again on its files, and waits until it is ready. Of two who start a
    /// node, one waits for it.
    pub(crate) async fn start_node(&self, id: u64) -> Result<(), ClusterError> {
        let refused = self.try_start_node(id).await?;
        refused.map_or(Ok(()), |why| {
            Err(ClusterError::Command {
                command: "start".to_owned(),
                message: format!("node {id} refuses to start: {why}"),
            })
        })
    }

    /// Starts a node again on its files, and waits until it is ready, or has ended by
    /// itself: then it says how, and why.
    pub(crate) async fn try_start_node(&self, id: u64) -> Result<Option<String>, ClusterError> {
        if !self.node(id)?.is_alive() {
            self.spawn(id)?;
        }
        let admin = self.admin(id)?;
        let mut looks = Looks::new(READY_PATIENCE, format!("node {id} ready"));
        loop {
            if let Some(status) = self.node(id)?.take_ended()? {
                let log = self.node(id)?.log_tail();
                let last = log.lines().next_back().unwrap_or_default();
                return Ok(Some(format!("{status}: {last}")));
            }
            if admin.is_ready().await {
                return Ok(None);
            }
            let late = looks.next().await;
            late.map_err(|cause| self.not_ready(id, cause))?;
        }
    }

    /// Lets a node that does not run come back without its records: without those of
    /// bookings alone, or of listings, too.
    pub(crate) async fn rejoin(&self, id: u64, without: Without) -> Result<(), ClusterError> {
        let config = self.node(id)?.folder.join(files::CONFIG);
        let config = config.to_string_lossy();
        let mut arguments = vec!["rejoin", "--config", &config];
        if without == Without::Both {
            arguments.push("--without-listings");
        }
        node::run(&self.options.binary, &arguments).await
    }

    /// Puts a node's data on a disk of its own. It must not have started yet.
    pub(crate) async fn give_disk(&self, id: u64) -> Result<(), ClusterError> {
        let folder = &self.node(id)?.folder;
        let made = Disk::make(folder.join("disk.img"), folder.join(files::DATA)).await;
        let disk = made.map_err(|cause| io(&format!("giving node {id} a disk"), cause))?;
        self.disks().insert(id, Arc::new(disk));
        Ok(())
    }

    /// A node's own disk, if it has one.
    pub(crate) fn disk(&self, id: u64) -> Option<Arc<Disk>> {
        self.disks().get(&id).cloned()
    }
}
