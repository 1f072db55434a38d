//! Why a local cluster could not do something, with what its nodes have said.

use meridian_client::CallError;

use crate::until::NotInTime;

/// Why a local cluster could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or process.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The binary refused.
    #[error("`meridian {command}` failed: {message}")]
    Command {
        /// What was asked.
        command: String,
        /// What it said.
        message: String,
    },
    /// A node did not become ready.
    #[error("node {node}: {cause}\nlast lines of its log:\n{log}")]
    NotReady {
        /// The node.
        node: u64,
        /// What was awaited.
        cause: NotInTime,
        /// What it wrote.
        log: String,
    },
    /// A node ended before it was ready.
    #[error("node {node} ended before it was ready: {status}\nlast lines of its log:\n{log}")]
    Ended {
        /// The node.
        node: u64,
        /// How.
        status: std::process::ExitStatus,
        /// What it wrote.
        log: String,
    },
    /// A node that is not part of the cluster, or not running.
    #[error("node {0} is not running")]
    NotRunning(u64),
    /// Something that only who has started a cluster may do.
    #[error(
        "this run is attached to a cluster that it has not started: it lets processes, disks and links alone"
    )]
    NotOurs,
    /// Nobody answers where a cluster is said to be.
    #[error("no node answers at {asked}: name the operator API of one that runs ({cause})")]
    NobodyAnswers {
        /// The addresses.
        asked: String,
        /// What came of the last one.
        cause: CallError,
    },
    /// A client could not be made.
    #[error(transparent)]
    Client(#[from] CallError),
}

pub(crate) fn io(what: &str, cause: std::io::Error) -> ClusterError {
    ClusterError::Io {
        what: what.to_owned(),
        cause,
    }
}
