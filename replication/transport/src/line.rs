//! A connection that this node dialled, and what is under way on it.
//!
//! Invariant kept here: a line that is replaced is closed only once nothing is under way on it,
//! or after a bounded time. Whoever takes a line to send on it takes a token of it in the same
//! moment ([`crate::peer::Peer::line`]), so that no request comes between.

use quinn::Connection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) connection: Connection,
    /// By which certificates: see [`crate::credentials::InForce`].
    pub(crate) generation: u64,
    /// Cancelled once the peer has asked for another one.
    pub(crate) asked: CancellationToken,
    /// Cancelled once there is another one: streams that resume give way.
    pub(crate) replaced: CancellationToken,
    pub(crate) under_way: TaskTracker,
}

/// Something is under way on a line as long as this is there.
#[derive(Debug)]
pub(crate) struct UnderWay {
    /// Of the line.
    pub(crate) replaced: CancellationToken,
    _token: TaskTrackerToken,
}

impl Line {
    pub(crate) fn new(connection: Connection, generation: u64) -> Self {
        Self {
            connection,
            generation,
            asked: CancellationToken::new(),
            replaced: CancellationToken::new(),
            under_way: TaskTracker::new(),
        }
    }

    pub(crate) fn use_it(&self) -> UnderWay {
        UnderWay {
            replaced: self.replaced.clone(),
            _token: self.under_way.token(),
        }
    }

    /// Whether it stands by other certificates than those in force, at either end.
    pub(crate) fn is_outdated(&self, in_force: u64) -> bool {
        self.generation < in_force || self.asked.is_cancelled()
    }
}
