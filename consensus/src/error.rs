//! What can go wrong, sorted by what the caller may conclude.

use meridian_regions::NodeId;
use meridian_storage::StorageError;

use crate::Electorate;

/// Why the booking plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database of another life of the node.
    #[error(
        "this database of bookings was restored from a backup as a part of another cluster, and does not belong to this data folder: its votes and entries must not count here. Set it aside by `meridian rejoin`"
    )]
    OfAnotherLife,
    /// Timings that contradict each other.
    #[error("the timings of the groups contradict each other: {0}")]
    Timings(String),
}

/// Why a proposal has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another node leads. Nothing was done.
    #[error("another node leads this group")]
    NotLeader {
        /// Who, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// This node does not vote on the listing. Nothing was done.
    #[error("this node does not vote on the listing")]
    NotVoter,
    /// Others vote on the listing. Nothing was done.
    #[error("other nodes vote on the listing")]
    Moved(Electorate),
    /// No quorum answers. Nothing was done.
    #[error("no quorum of the group's voters answers")]
    NoQuorum,
    /// The leader's clock is ahead of a quorum's. Nothing was done, and it has offered
    /// its leadership to another.
    #[error("the clock of the leader's node is ahead of the others': set it by NTP")]
    ClockAhead,
    /// It was appended, and may be committed now or later.
    #[error("the outcome is not known yet")]
    Unknown,
    /// Too much is under way. Nothing was done.
    #[error("too much is under way on this node")]
    Overloaded,
    /// The group was founded by another genesis record. Nothing was done.
    #[error("the group was founded by another genesis record")]
    GenesisMismatch,
    /// This node has lost its records and has not been readmitted. Nothing was done.
    #[error("this node has lost its records of the listing and is not readmitted yet")]
    Lost,
    /// The group's records on this node cannot be used. Nothing was done.
    #[error("the group does not run on this node: {0}")]
    Ill(StorageError),
    /// The database failed. Nothing more is acknowledged.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a read has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another node leads.
    #[error("another node leads this group")]
    NotLeader {
        /// Who, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// This node does not vote on the listing.
    #[error("this node does not vote on the listing")]
    NotVoter,
    /// Others vote on the listing.
    #[error("other nodes vote on the listing")]
    Moved(Electorate),
    /// No quorum answers.
    #[error("no quorum of the group's voters answers")]
    NoQuorum,
    /// Too much is under way.
    #[error("too much is under way on this node")]
    Overloaded,
    /// The group was founded by another genesis record.
    #[error("the group was founded by another genesis record")]
    GenesisMismatch,
    /// This node has lost its records and has not been readmitted.
    #[error("this node has lost its records of the listing and is not readmitted yet")]
    Lost,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a group cannot be used on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WakeError {
    NotVoter,
    Moved(Electorate),
    Overloaded,
    GenesisMismatch,
    Lost,
    Storage(StorageError),
}

impl From<WakeError> for ProposeError {
    fn from(error: WakeError) -> Self {
        match error {
            WakeError::NotVoter => Self::NotVoter,
            WakeError::Moved(electorate) => Self::Moved(electorate),
            WakeError::Overloaded => Self::Overloaded,
            WakeError::GenesisMismatch => Self::GenesisMismatch,
            WakeError::Lost => Self::Lost,
            WakeError::Storage(cause) => Self::Ill(cause),
        }
    }
}

impl From<WakeError> for ReadError {
    fn from(error: WakeError) -> Self {
        match error {
            WakeError::NotVoter => Self::NotVoter,
            WakeError::Moved(electorate) => Self::Moved(electorate),
            WakeError::Overloaded => Self::Overloaded,
            WakeError::GenesisMismatch => Self::GenesisMismatch,
            WakeError::Lost => Self::Lost,
            WakeError::Storage(cause) => Self::Storage(cause),
        }
    }
}
