//! How a run is made.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::scenario::Scenario;

/// How a run is made.
#[derive(Debug, Clone)]
pub struct CampaignOptions {
    /// The cluster that is used and broken.
    pub against: Against,
    /// What is run.
    pub scenario: Scenario,
    /// What all chance comes from.
    pub seed: u64,
    /// Where the history is written.
    pub history: PathBuf,
    /// The command that runs it again.
    pub rerun: String,
    /// Ends an attached run early, in good order: nothing of it is left behind.
    pub stop: CancellationToken,
}

/// The cluster of a run.
#[derive(Debug, Clone)]
pub enum Against {
    /// One of its own, which it starts and stops.
    Own {
        /// The `meridian` binary.
        binary: PathBuf,
        /// Folder for the nodes; must be empty or not there.
        folder: PathBuf,
        /// What is between its nodes.
        network: NetworkKind,
    },
    /// One that somebody else has started.
    Attached {
        /// The operator APIs of nodes: the first that answers says who else is there.
        urls: Vec<String>,
        /// What becomes of faults that cannot be struck there.
        unavailable: Unavailable,
    },
}

/// What is between the nodes of a cluster of one's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkKind {
    /// Relays of UDP on loopback.
    #[default]
    Relays,
    /// A namespace of the system for each node, which takes root.
    Namespaces,
}

/// What becomes of faults that cannot be struck on another's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The run does not begin.
    Refused,
    /// The run goes on without them, and is invalid where one was required.
    LeftOut,
}
