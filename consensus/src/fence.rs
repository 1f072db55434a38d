//! The right of one instance of a group to write, which ends before the next begins.
//!
//! openraft's `shutdown` does not wait for its state machine's task: an instance that has
//! gone to sleep or has panicked may still be about to write when the group is woken
//! again. Its fence stops that. After [`FencedWriter::close`] nothing of it is written,
//! and everything that it had submitted can be read.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_storage::{Batch, Committed, Durability, StorageError, WritePermit, Writer};

use crate::log_store::io_error;
#[cfg(test)]
use crate::planted::{Bug, is_planted};

/// The shared writer, for as long as the fence is open. Clones share the fence.
#[derive(Debug, Clone)]
pub(crate) struct FencedWriter {
    writer: Writer,
    open: Arc<Mutex<bool>>,
}

impl FencedWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            open: Arc::new(Mutex::new(true)),
        }
    }

    /// Waits for a place in the writer's queue.
    pub(crate) async fn reserve(&self) -> io::Result<WritePermit> {
        self.writer.reserve().await.map_err(io_error)
    }

    /// Writes, and waits until it is as durable as was asked.
    pub(crate) async fn write(&self, batch: Batch, durability: Durability) -> io::Result<()> {
        let permit = self.reserve().await?;
        let committed = self.submit(permit, batch, durability)?;
        committed.await.map_err(io_error)
    }

    /// Queues a batch behind everything submitted before it.
    pub(crate) fn submit(
        &self,
        permit: WritePermit,
        batch: Batch,
        durability: Durability,
    ) -> io::Result<Committed> {
        let open = self.open();
        if *open {
            Ok(permit.submit(batch, durability))
        } else {
            Err(io_error(StorageError::Stopped))
        }
    }

    /// Writes synced, and calls `done` on the writer's thread; at once, and from here, if
    /// the fence is closed.
    pub(crate) fn write_then(
        &self,
        permit: WritePermit,
        batch: Batch,
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) {
        let open = self.open();
        if *open {
            #[cfg(test)]
            if is_planted(Bug::AckBeforeSync) {
                permit.submit_then(batch, Durability::Buffered, done);
                return;
            }
            permit.submit_then(batch, Durability::Synced, done);
        } else {
            drop(open);
            done(Err(StorageError::Stopped));
        }
    }

    /// Ends the right to write, and waits until what was submitted before can be read.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        if is_planted(Bug::NoFence) {
            return Ok(());
        }
        *self.open() = false;
        let permit = self.writer.reserve().await?;
        permit.submit(Batch::new(), Durability::Buffered).await
    }

    // Held for a flag and a send that never waits, never across an await.
    fn open(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
