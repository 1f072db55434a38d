//! Mending what the log has lost: documents are compared with those of every other node,
//! and what is missing here is fetched.
//!
//! Pulling believes in version vectors: what a number says is here is never asked for
//! again. So it never notices a record that was deleted, a document that was put back to
//! an earlier one, or a log with a hole. This looks at the digests of heads instead
//! (`meridian_replication_core::Walk`), on a schedule and when an operator asks, and takes
//! the missing changes from the peer's documents (ADR 29).
//!
//! A node only ever fetches what it lacks; every node does, so that all get whole.
//!
//! Invariants kept here:
//! - What is fetched is judged as if it had come by a log: bounds, authors, sequence
//!   numbers, clocks; a genesis record is never replaced, and taken only if its author has
//!   created the listing.
//! - Numbers of the log, version vectors and watermarks stay as they are: they speak for
//!   entries, and no entry has come.
//! - Who shows a mended document has seen what the peer had seen: that is made durable
//!   with the document, in one batch (invariant 5).
//! - A node that lacks, in document and log, a change that it has made itself has lost a
//!   part of its log. It takes no write from then on (`LogLost`).

mod by_the_log;
mod driver;
mod index;
mod mend;
mod own_log;
mod rounds;
mod serve;
mod visit;

pub use rounds::{
    AskedBy, RepairRound, RepairScope, RepairTotals, RepairsFull, RoundProgress, RoundState,
};

pub(crate) use driver::drive;
pub(crate) use index::Outlines;
pub(crate) use rounds::Rounds;

use meridian_regions::{ClockDrift, ListingId};
use meridian_replication_core::{WalkError, WireError};
use meridian_storage::StorageError;
use meridian_transport::{CallError, Refusal};

use crate::error::{LogLost, ReadError};

/// Why documents could not be compared with a peer's, or mended by them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepairError {
    #[error("it does not know repairs: it runs an earlier version")]
    Unsupported,
    #[error(transparent)]
    Call(CallError),
    #[error(transparent)]
    Answer(#[from] WireError),
    #[error("its answer is not to what it was asked")]
    AnotherAnswer,
    #[error(transparent)]
    Walk(#[from] WalkError<StorageError>),
    #[error(transparent)]
    Clock(#[from] ClockDrift),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a change broke the document of {0}: it is loaded again")]
    Poisoned(ListingId),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    LogLost(#[from] LogLost),
    #[error("a defect in this node: the log has the panic")]
    Panicked,
}

impl From<CallError> for RepairError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(Refusal::Unsupported) => Self::Unsupported,
            other => Self::Call(other),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RepairError> {
    let done = crate::blocking::blocking(work).await;
    done.map_err(|_panicked| RepairError::Panicked)
}
