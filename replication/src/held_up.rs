//! Logs that are held up on one stream: an entry of each cannot be taken in for now.
//!
//! What is of the same log waits behind it, because a log is taken in in its order. The others go
//! on, and the stream ends after a while with the first cause: on the next one all are tried again.
//!
//! Invariant: **no watermark is taken that speaks for a log that is held up.** What it promises is
//! not here.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_regions::{NodeId, ShardId, Shards};
use tokio::time::{Instant, sleep_until};

use crate::error::{PullError, ReadError};

/// How long the others go on before what is held up is asked for once more.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct HeldUp {
    logs: BTreeMap<NodeId, Shards>,
    first: Option<(PullError, Instant)>,
}

impl HeldUp {
    /// The shards of an origin's log that are held up.
    pub(crate) fn of(&self, origin: NodeId) -> Shards {
        self.logs.get(&origin).copied().unwrap_or_default()
    }

    /// Holds up a log whose next entry cannot be taken in, if that is no matter of all logs.
    ///
    /// # Errors
    /// `cause`, if it is.
    pub(crate) fn hold(
        &mut self,
        (origin, shard): (NodeId, ShardId),
        cause: PullError,
    ) -> Result<(), PullError> {
        if !is_of_one_log(&cause) {
            return Err(cause);
        }
        tracing::warn!(%origin, %shard, %cause, "a log is held up, and the others go on");
        *self.logs.entry(origin).or_default() |= Shards::from(shard);
        self.first.get_or_insert_with(|| (cause, Instant::now()));
        Ok(())
    }

    /// Waits until what is held up is to be tried again; for ever, if nothing is.
    pub(crate) async fn is_over(&self) {
        match &self.first {
            Some((_, since)) => sleep_until(*since + AGAIN_AFTER).await,
            None => std::future::pending().await,
        }
    }

    /// # Errors
    /// What holds up the first of them.
    pub(crate) fn end(self) -> Result<(), PullError> {
        self.first.map_or(Ok(()), |(cause, _)| Err(cause))
    }
}

/// Whether the others may do better. A document that was interrupted half-way is loaded again
/// shortly: nothing is worth going past it.
const fn is_of_one_log(cause: &PullError) -> bool {
    matches!(
        cause,
        PullError::Held(..) | PullError::Read(ReadError::Document { .. } | ReadError::Storage(_))
    )
}
