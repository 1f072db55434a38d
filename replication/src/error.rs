//! What can go wrong, by operation.

use std::time::Duration;

use meridian_regions::{ClockDrift, ListingId, NodeId, ShardId};
use meridian_replication_core::{
    ApplyError, ChangeId, EditError, FieldError, LoadError, LogFloor, SequenceGap, WireError,
};
use meridian_storage::StorageError;

use crate::returning::Waiting;

/// Why the listing plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log on disk is not what this node wrote.
    #[error("the change log on disk cannot be read: {0}")]
    Log(String),
}

/// Why a listing cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What is stored of the listing cannot be put together.
    #[error("the stored document of {listing} cannot be read: {cause}")]
    Document {
        /// The listing.
        listing: ListingId,
        /// What is wrong with it.
        cause: LoadError,
    },
    /// The document was interrupted half-way, and the disk is still behind it: loaded
    /// again now, it would give a number twice. It is, once the disk has followed.
    #[error("{listing} was interrupted half-way and is loaded again shortly: come back")]
    Unsettled {
        /// The listing.
        listing: ListingId,
    },
}

impl ReadError {
    /// What is stored of `listing` cannot be put together.
    pub(crate) fn of(listing: &ListingId, cause: LoadError) -> Self {
        Self::Document {
            listing: listing.clone(),
            cause,
        }
    }
}

/// Why a write was not done. Except for [`WriteError::Storage`], which leaves it
/// open, nothing has been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No such listing here, or it has been deleted.
    #[error("there is no such listing here")]
    NotFound,
    /// The listing to be created is there already.
    #[error("there is a listing with this id already")]
    Exists,
    /// The document is not the one that the caller saw.
    #[error("the document has changed: it is {current} now")]
    PreconditionFailed {
        /// Its entity tag now.
        current: String,
    },
    /// Other values are in conflict than those that the caller saw.
    #[error("other values are in conflict than those that were shown")]
    ConflictsChanged {
        /// Entity tag of the conflicts now.
        current: String,
    },
    /// Somebody has decided to keep the listing since its deletion began.
    #[error("somebody has decided to keep the listing meanwhile")]
    Kept,
    /// The request does not fit the listing.
    #[error("the request is not valid for this listing")]
    Invalid(Vec<FieldError>),
    /// This node has lost a part of its own log and takes no writes any more.
    #[error(transparent)]
    LogLost(#[from] LogLost),
    /// This node has come back without a part of its own log and fetches it first.
    #[error(transparent)]
    Returning(#[from] Waiting),
    /// The disk cannot follow.
    #[error("too many writes wait for the disk: come back shortly")]
    Overloaded,
    /// The listing takes no such change.
    #[error(transparent)]
    Refused(EditError),
    /// What is stored of the listing cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed on the way: whether the write is durable is not known.
    #[error(transparent)]
    Storage(StorageError),
}

impl From<StorageError> for WriteError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Overloaded { .. } => Self::Overloaded,
            other => Self::Storage(other),
        }
    }
}

impl From<EditError> for WriteError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Uncreated | EditError::Deleted => Self::NotFound,
            EditError::Invalid(errors) => Self::Invalid(errors),
            EditError::Changed { current } => Self::ConflictsChanged { current },
            EditError::Kept => Self::Kept,
            other => Self::Refused(other),
        }
    }
}

/// A peer has more of what this node wrote than this node: what was acknowledged has been
/// lost here, by a wiped disk, a restored image or a cut-off write-ahead log. Numbers
/// would be given twice if the node went on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogLost {
    /// Of its log.
    #[error(
        "node {peer} has {theirs} entries of this node's log in shard {shard}, this node itself has {ours}: acknowledged writes are lost on this disk. Set what is left aside by `meridian rejoin` (runbook `A node has lost its records`)"
    )]
    Entries {
        /// Who has more.
        peer: NodeId,
        /// In which shard.
        shard: ShardId,
        /// How much it has.
        theirs: u64,
        /// How much this node has.
        ours: u64,
    },
    /// Of a document.
    #[error(
        "node {peer} has a change of {listing} that this node made and has neither in the document nor in its log ({change}): acknowledged writes are lost on this disk. Set what is left aside by `meridian rejoin` (runbook `A node has lost its records`)"
    )]
    Change {
        /// Who has it.
        peer: NodeId,
        /// The listing.
        listing: ListingId,
        /// The change.
        change: ChangeId,
    },
    /// Something, by the word of an earlier run; it has not come back since.
    #[error("noticed before this start: {0}")]
    Before(String),
}

/// This region has not seen what the session has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionBehind {
    /// Not in time.
    #[error(
        "this region has not yet seen all that the session has seen, after waiting {0:?}: ask again after the pause, or in another region"
    )]
    Waited(Duration),
    /// Nor will it: the cluster was restored to before that.
    #[error(
        "the session has seen what was lost when this cluster was restored: begin a new session, without its token"
    )]
    Lost,
    /// Nor can it have: the token is from a time that has not come.
    #[error("the session token is ahead of its time: {0}")]
    Ahead(#[from] ClockDrift),
}

/// Why a stream of entries ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error(transparent)]
    Call(#[from] meridian_transport::CallError),
    #[error(transparent)]
    Stream(#[from] meridian_transport::StreamError),
    #[error(transparent)]
    Frame(#[from] WireError),
    #[error("an entry is missing: {0}")]
    Gap(#[from] SequenceGap),
    #[error("a change of {0} is held back until others of it have come: {1}")]
    Held(ListingId, ApplyError),
    #[error(transparent)]
    Clock(#[from] ClockDrift),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("it has trimmed what this node lacks")]
    Trimmed(Vec<LogFloor>),
    #[error("its documents could not be taken whole (`GET /admin/v1/repairs`): {0}")]
    NotCompared(String),
    #[error("the peer ended the stream")]
    Ended,
    #[error("the peer has sent nothing for {0:?}, not even a heartbeat")]
    Silent(Duration),
    #[error("a defect in this node: the log has the panic")]
    Panicked,
}
