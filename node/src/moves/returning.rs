//! This node's own way back, if it has lost its records: group by group, as a drain goes.
//!
//! It goes on until a walk that began when everything was here that others had written
//! before this node started has left no group out. What is founded later is new to its
//! earlier life, too.

use std::sync::{MutexGuard, PoisonError};

use futures::StreamExt;
use meridian_regions::{Genesis, ShardId};
use meridian_storage::StorageError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listing::STEP_DEADLINE;
use super::{Errand, Mover, Progress, WALK_AGAIN, Walked};

impl Mover {
    /// Starts the task if there is anything to do; it ends with `cancel`.
    pub(super) fn bring_back(
        &self,
        life: Option<&str>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let Some(life) = life.filter(|_| self.inner.groups.returns()) else {
            return;
        };
        tracing::warn!(
            "this node has lost its records: it votes on nothing before it is readmitted, group \
             by group"
        );
        let (mover, life, cancel) = (self.clone(), life.to_owned(), cancel.clone());
        tracker.spawn(async move {
            cancel.run_until_cancelled(mover.come_back(&life)).await;
        });
    }

    /// How the return of this node goes; `None` if there is none, or it is over.
    pub(crate) fn returning(&self) -> Option<Progress> {
        let returns = self.inner.groups.returns();
        returns.then(|| self.progress_back().clone())
    }

    fn progress_back(&self) -> MutexGuard<'_, Progress> {
        let progress = self.inner.returning.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    async fn come_back(&self, life: &str) {
        loop {
            // Before the walk: then it meets everything that there was.
            let meets_all = self.inner.replica.has_returned();
            self.progress_back().walking = true;
            let walked = self.walk_back().await.unwrap_or_else(Walked::failed);
            let is_done = meets_all && walked.left == 0;
            *self.progress_back() = walked.into();
            if is_done {
                match self.inner.groups.complete_return(life).await {
                    Ok(()) => {
                        tracing::info!("this node is back in all of its groups");
                        return;
                    }
                    // The node stops on it.
                    Err(cause) => tracing::error!(%cause, "the return cannot be completed"),
                }
            }
            sleep(WALK_AGAIN).await;
        }
    }

    async fn walk_back(&self) -> Result<Walked, StorageError> {
        let mut walked = Walked::default();
        let mut pace = self.pace();
        for shard in ShardId::all() {
            let found = self.wanting(shard, &Errand::Return).await?;
            let mut attended = std::pin::pin!(self.attend_all(found, &Errand::Return, &mut pace));
            while let Some((genesis, done)) = attended.next().await {
                walked.note(&genesis, done);
            }
        }
        Ok(walked)
    }

    pub(super) async fn readmit(&self, genesis: &Genesis) -> Result<(), String> {
        let inner = &self.inner;
        let epoch = inner.topology.epoch();
        let readmitted = inner.groups.readmit(genesis, epoch, 2 * STEP_DEADLINE);
        readmitted.await.map_err(|cause| cause.to_string())
    }
}
