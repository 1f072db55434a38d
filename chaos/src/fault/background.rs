//! Work that a fault begins, and that goes on beside the run: it is always done to its end,
//! so that no cluster is left half changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;

use super::error::FaultError;
use super::scene::Scene;
use crate::cluster::ClusterError;

/// What it came to, once it is over.
type Outcome = Arc<Mutex<Option<Result<(), FaultError>>>>;

/// Work under way.
pub(super) struct Background {
    tracker: TaskTracker,
    outcome: Outcome,
}

impl Background {
    pub(super) fn start(
        work: impl Future<Output = Result<(), FaultError>> + Send + 'static,
    ) -> Self {
        let (tracker, outcome) = (TaskTracker::new(), Outcome::default());
        let told = Arc::clone(&outcome);
        tracker.spawn(async move {
            let done = work.await;
            *held(&told) = Some(done);
        });
        tracker.close();
        Self { tracker, outcome }
    }

    /// Whether it is over, and went well.
    pub(super) fn is_done(&self) -> bool {
        matches!(*held(&self.outcome), Some(Ok(())))
    }

    /// Waits for its end, whatever it came to.
    pub(super) async fn over(&self) {
        self.tracker.wait().await;
    }

    /// Waits for its end. Each of its steps has a deadline of its own.
    pub(super) async fn finish(&self) -> Result<(), FaultError> {
        self.over().await;
        held(&self.outcome).take().unwrap_or(Ok(()))
    }
}

// Held for one look, never across an await.
fn held<T>(outcome: &Mutex<T>) -> MutexGuard<'_, T> {
    outcome.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks a node to stop, and starts it again. Whom another fault has stopped, that one starts
/// again.
pub(super) async fn restart(scene: &Scene, node: u64) -> Result<(), FaultError> {
    let cluster = scene.own()?;
    // Who does not stop when asked to, as one that is paused, was killed.
    if let Err(ClusterError::NotRunning(_)) = cluster.stop_node(node).await {
        return Ok(());
    }
    Ok(cluster.start_node(node).await?)
}
