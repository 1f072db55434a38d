//! Why a life of a node ends, and what is said and kept of that.

use std::time::Duration;

use anyhow::{Context, bail};
use meridian_regions::NodeId;
use meridian_replication::LogLost;
use meridian_storage::StorageError;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::node::Node;

/// How long the disk is given to take that this node has been removed: it is not to serve on
/// for want of a line in a file.
const WRITE_DEADLINE: Duration = Duration::from_secs(2);

/// Why a life of a node has ended well.
pub(super) enum Ended {
    /// Somebody has told it to stop.
    Told,
    /// The cluster has a later map than the one that it ran by.
    Superseded,
}

/// Why a node stops by itself.
pub(super) enum Failure {
    /// A database, by its plane.
    Disk(&'static str, StorageError),
    /// A peer says that it has been removed for good.
    Expelled(NodeId),
    /// Peers have more of this node's log than it has.
    LogLost(LogLost),
}

/// Says how a life has ended.
pub(super) fn outcome(ended: Result<Ended, Failure>) -> anyhow::Result<Ended> {
    match ended {
        Ok(ended) => {
            tracing::info!("stopped");
            Ok(ended)
        }
        Err(Failure::Disk(plane, cause)) => {
            tracing::error!(plane, %cause, "stopped: the disk of this node cannot be trusted");
            Err(cause).with_context(|| format!("the {plane} database failed"))
        }
        Err(Failure::LogLost(lost)) => {
            tracing::error!(cause = %lost, "stopped: this node has lost a part of its own log");
            Err(lost.into())
        }
        Err(Failure::Expelled(by)) => {
            let why = format!("this node has been removed from the cluster, says node {by}");
            tracing::error!("stopped: {why}");
            bail!(
                "{why}: a node that comes back is a new node with a new id. If a topology file said so by mistake, do not empty its folder: see the runbook `A node is removed`"
            )
        }
    }
}

/// Keeps in the data folder that this node has been removed: its copy of the map may not say so, and
/// at the next start it may find nobody to ask.
pub(super) async fn stay_away(node: &Node, by: NodeId) {
    let folder = node.folder.clone();
    let written = tokio::task::spawn_blocking(move || folder.expelled(by));
    let written = timeout(WRITE_DEADLINE, written).await;
    let written = written
        .context("the disk did not answer")
        .map(|it| it.context("the task ended"));
    if let Err(cause) = written.flatten().flatten() {
        tracing::error!(
            cause = format!("{cause:#}"),
            "that this node has been removed is not kept: its peers tell it again at its next start"
        );
    }
}

/// Resolves once a database has failed.
pub(super) async fn failed(mut failure: watch::Receiver<Option<StorageError>>) -> StorageError {
    match failure.wait_for(Option::is_some).await {
        Ok(cause) => cause.clone().unwrap_or(StorageError::Stopped),
        Err(_writer_gone) => StorageError::Stopped,
    }
}

/// Resolves once a peer has shown that this node has lost a part of its log.
pub(super) async fn lost(mut lost: watch::Receiver<Option<LogLost>>) -> LogLost {
    loop {
        if let Some(lost) = lost.borrow_and_update().clone() {
            return lost;
        }
        if lost.changed().await.is_err() {
            // The replica has gone: the node stops for another reason.
            std::future::pending::<()>().await;
        }
    }
}
