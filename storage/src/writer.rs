//! The one writer of a store: group commit over everybody who waits.
//!
//! While one fsync runs, batches queue up; the next fsync carries all of them.
//! A queue slot is reserved *before* the caller takes its own lock and decides
//! what to write, so that the order of submission can follow the order of those
//! decisions without a lock being held across an await.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use meridian_trace::Trace;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Batch, StorageError, Store};

mod queue;
#[cfg(test)]
mod tests;

pub use queue::WriteQueue;

/// Batches that may wait for the disk. At 0.2 ms an fsync and hundreds of batches
/// in each, a full queue means the disk has stalled: callers are told so.
const QUEUE_BATCHES_MAX: usize = 4096;

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Written, but a power cut may lose it (never something submitted earlier
    /// and synced). For what can be rebuilt from synced records.
    Buffered,
    /// Fsynced.
    Synced,
}

type Done = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

struct Submission {
    batch: Batch,
    durability: Durability,
    traces: Vec<Trace>,
    done: Done,
}

/// Handle to the writer thread of one store. The thread ends with the last handle and
/// the last permit, after it has written what was submitted; giving up the last one
/// waits for that.
#[derive(Debug, Clone)]
pub struct Writer {
    thread: Arc<WriterThread>,
    failure: watch::Receiver<Option<StorageError>>,
}

/// The queue and the thread at its other end.
#[derive(Debug)]
struct WriterThread {
    queue: Option<mpsc::Sender<Submission>>,
    handle: Option<JoinHandle<()>>,
}

impl WriterThread {
    fn queue(&self) -> mpsc::Sender<Submission> {
        self.queue
            .clone()
            .expect("the queue is there until the drop")
    }
}

impl Drop for WriterThread {
    /// Waits for the thread: a process that ended while it tears the database down
    /// would be aborted by RocksDB. Not if this is that thread, in a callback that
    /// held the last handle.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(handle) = self.handle.take()
            && handle.thread().id() != thread::current().id()
            && handle.join().is_err()
        {
            // Whoever waited for a write was told `Stopped`; the panic itself has
            // been reported by the thread.
            debug_assert!(thread::panicking(), "the writer thread panicked");
        }
    }
}

impl Writer {
    /// Starts the writer thread of `store`.
    ///
    /// # Errors
    /// [`StorageError::Write`] if the operating system refuses a thread.
    pub fn start(store: &Store) -> Result<Self, StorageError> {
        let (mut writer, queue) = Self::by_hand(store);
        let handle = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || queue.write_until_closed())
            .map_err(|cause| {
                StorageError::Write(format!("cannot start the writer thread: {cause}"))
            })?;
        let thread = Arc::get_mut(&mut writer.thread).expect("nobody else has it yet");
        thread.handle = Some(handle);
        Ok(writer)
    }

    /// A writer without a thread: nothing is written but by whoever has the queue. For
    /// simulations, in which a write takes virtual time and a crash loses it.
    #[must_use]
    pub fn by_hand(store: &Store) -> (Self, WriteQueue) {
        let (queue, submissions) = mpsc::channel(QUEUE_BATCHES_MAX);
        let (announce, failure) = watch::channel(None);
        let thread = WriterThread {
            queue: Some(queue),
            handle: None,
        };
        let writer = Self {
            thread: Arc::new(thread),
            failure,
        };
        (writer, WriteQueue::new(store, submissions, announce))
    }

    /// Waits for a place in the queue.
    ///
    /// # Errors
    /// [`StorageError::Stopped`] once the thread has ended.
    pub async fn reserve(&self) -> Result<WritePermit, StorageError> {
        let slot = self.thread.queue().reserve_owned().await;
        slot.map(|slot| self.permit(slot))
            .map_err(|_closed| StorageError::Stopped)
    }

    /// Takes a place in the queue, or says at once that there is none.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`] when the queue is full, [`StorageError::Stopped`]
    /// once the thread has ended.
    pub fn try_reserve(&self) -> Result<WritePermit, StorageError> {
        match self.thread.queue().try_reserve_owned() {
            Ok(slot) => Ok(self.permit(slot)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StorageError::Overloaded {
                limit: QUEUE_BATCHES_MAX,
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StorageError::Stopped),
        }
    }

    /// Batches waiting for the disk now.
    #[must_use]
    pub fn queued(&self) -> usize {
        let queue = self.thread.queue();
        queue.max_capacity() - queue.capacity()
    }

    fn permit(&self, slot: mpsc::OwnedPermit<Submission>) -> WritePermit {
        WritePermit {
            slot,
            traces: Vec::new(),
            _thread: Arc::clone(&self.thread),
        }
    }

    /// Waits until the thread has ended and let go of the database; all handles and
    /// permits must be given up, or it waits for ever. A process must not end before:
    /// RocksDB is not made to be torn down beside a running thread.
    pub async fn ended(mut failure: watch::Receiver<Option<StorageError>>) {
        while failure.changed().await.is_ok() {}
    }

    /// The first failed write, once there is one. Whoever supervises the node
    /// watches this and stops it.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.failure.clone()
    }
}

/// A place in the queue. Dropping it gives the place back.
#[derive(Debug)]
pub struct WritePermit {
    slot: mpsc::OwnedPermit<Submission>,
    traces: Vec<Trace>,
    /// After the slot: the last to go waits for the thread.
    _thread: Arc<WriterThread>,
}

impl WritePermit {
    /// Whom the batch is written for: the write is a step of theirs, if they are followed.
    pub fn follow(&mut self, trace: &Trace) {
        if trace.is_followed() {
            self.traces.push(trace.clone());
        }
    }

    /// Queues `batch` behind everything submitted before it.
    pub fn submit(self, batch: Batch, durability: Durability) -> Committed {
        let (answer, committed) = oneshot::channel();
        self.submit_then(batch, durability, move |result| {
            // A caller that no longer waits has given up the answer, not the write.
            let _ = answer.send(result);
        });
        Committed(committed)
    }

    /// Like [`WritePermit::submit`], but calls `done` on the writer thread. `done`
    /// must be quick and must not block: every other writer waits behind it.
    pub fn submit_then(
        self,
        batch: Batch,
        durability: Durability,
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) {
        self.slot.send(Submission {
            batch,
            durability,
            traces: self.traces,
            done: Box::new(done),
        });
    }
}

/// Resolves when the batch is as durable as was asked. Dropping it does not take
/// the write back.
#[derive(Debug)]
#[must_use = "an unawaited write is not known to be durable"]
pub struct Committed(oneshot::Receiver<Result<(), StorageError>>);

impl From<oneshot::Receiver<Result<(), StorageError>>> for Committed {
    /// For who answers from a callback of [`WritePermit::submit_then`].
    fn from(answer: oneshot::Receiver<Result<(), StorageError>>) -> Self {
        Self(answer)
    }
}

impl Future for Committed {
    type Output = Result<(), StorageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(StorageError::Stopped)))
    }
}
