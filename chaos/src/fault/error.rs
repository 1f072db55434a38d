//! Why a fault could not be struck or mended.

use meridian_client::CallError;

use crate::cluster::ClusterError;
use crate::until::NotInTime;

/// Why a fault could not be struck or mended.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The plan knows no such place.
    #[error("there is no {0} in this cluster: name one of its regions, `node:N`, or `any`")]
    NoSuchPlace(String),
    /// Nobody is there to be struck.
    #[error("{0} has no running node left: end the fault that stopped it first")]
    NobodyThere(String),
    /// There is no link there.
    #[error(
        "no link goes {0}: nodes of one region reach each other directly unless the plan is \
         linked everywhere"
    )]
    NoLink(String),
    /// The nodes say of no listing who leads it.
    #[error("nobody leads any of the listings that are in use: book one before the fault")]
    NoLeader,
    /// What the machine, or the nodes' version, does not have.
    #[error("`{fault}` cannot be struck here: {why}")]
    NotHere {
        /// The fault's kind.
        fault: &'static str,
        /// What is missing, and what to do about it.
        why: String,
    },
    /// What a run may not do to a cluster that somebody else has started.
    #[error(
        "on a cluster that this run has not started, these cannot be struck: {0}. Leave them out with --skip-unavailable, or run the scenario without --attach"
    )]
    NotOnOthers(String),
    /// It took too long until something was as it should be.
    #[error("{late}: {advice}")]
    NotMended {
        /// What was awaited.
        late: NotInTime,
        /// Where to look.
        advice: &'static str,
    },
    /// The system refused.
    #[error("{what}: {cause}")]
    System {
        /// What was being done.
        what: String,
        /// What it said.
        cause: std::io::Error,
    },
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A node's answer.
    #[error("{what}: {cause}")]
    Call {
        /// What was asked for.
        what: String,
        /// What came of it.
        cause: CallError,
    },
}

pub(super) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> FaultError {
    let what = what.into();
    move |cause| FaultError::System { what, cause }
}
