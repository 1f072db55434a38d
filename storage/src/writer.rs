//! The one writer of a store: group commit over everybody who waits.
//!
//! While one fsync runs, batches queue up; the next fsync carries all of them.
//! A queue slot is reserved *before* the caller takes its own lock and decides
//! what to write, so that the order of submission can follow the order of those
//! decisions without a lock being held across an await.
//!
//! A thread writes what is submitted. Where it has nothing to do, who submits may write by
//! himself ([`Queued::write_here`]): two changes of thread take half as long as an fsync.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use meridian_trace::Trace;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Batch, StorageError, Store};

mod lookout;
mod queue;
mod shared_queue;
#[cfg(test)]
mod tests;
mod times;

pub use queue::WriteQueue;
use shared_queue::SharedQueue;
use times::WriteTimes;
pub use times::{WRITE_BOUNDS_US, WriteStats};

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
    times: Arc<WriteTimes>,
}

/// The queue and the thread at its other end.
#[derive(Debug)]
struct WriterThread {
    queue: Option<mpsc::Sender<Submission>>,
    /// `None` if it is written by hand.
    running: Option<Running>,
}

/// A thread that writes, and where it takes from.
#[derive(Debug)]
struct Running {
    handle: JoinHandle<()>,
    queue: Arc<SharedQueue>,
}

impl WriterThread {
    fn queue(&self) -> mpsc::Sender<Submission> {
        self.queue
            .clone()
            .expect("the queue is there until the drop")
    }

    /// Something has been submitted, or nothing will be any more.
    fn wake(&self) {
        if let Some(running) = &self.running {
            running.handle.thread().unpark();
        }
    }
}

impl Drop for WriterThread {
    /// Waits for the thread: a process that ended while it tears the database down
    /// would be aborted by RocksDB. Not if this is that thread, in a callback that
    /// held the last handle.
    fn drop(&mut self) {
        drop(self.queue.take());
        self.wake();
        if let Some(Running { handle, .. }) = self.running.take()
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
        let queue = Arc::new(SharedQueue::new(queue));
        let shared = Arc::clone(&queue);
        let handle = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || shared.write_until_closed())
            .map_err(|cause| {
                StorageError::Write(format!("cannot start the writer thread: {cause}"))
            })?;
        let thread = Arc::get_mut(&mut writer.thread).expect("nobody else has it yet");
        thread.running = Some(Running { handle, queue });
        Ok(writer)
    }

    /// A writer without a thread: nothing is written but by whoever has the queue. For
    /// simulations, in which a write takes virtual time and a crash loses it.
    #[must_use]
    pub fn by_hand(store: &Store) -> (Self, WriteQueue) {
        let (queue, submissions) = mpsc::channel(QUEUE_BATCHES_MAX);
        let (announce, failure) = watch::channel(None);
        let times = Arc::new(WriteTimes::default());
        let thread = WriterThread {
            queue: Some(queue),
            running: None,
        };
        let writer = Self {
            thread: Arc::new(thread),
            failure,
            times: Arc::clone(&times),
        };
        (writer, WriteQueue::new(store, submissions, announce, times))
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

    /// Synced writes since the start, and how long they took.
    #[must_use]
    pub fn stats(&self) -> WriteStats {
        self.times.stats()
    }

    fn permit(&self, slot: mpsc::OwnedPermit<Submission>) -> WritePermit {
        WritePermit {
            slot,
            traces: Vec::new(),
            thread: Arc::clone(&self.thread),
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
    thread: Arc<WriterThread>,
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
        let mut committed = self.queue(batch, durability);
        committed.leave();
        committed
    }

    /// The same, and nobody has been told to write it yet: the caller may do so by himself.
    pub fn queue(self, batch: Batch, durability: Durability) -> Committed {
        let (answer, committed) = oneshot::channel();
        let queued = self.queue_then(batch, durability, move |result| {
            // A caller that no longer waits has given up the answer, not the write.
            let _ = answer.send(result);
        });
        Committed::of(queued, committed)
    }

    /// Like [`WritePermit::submit`], but calls `done` on the thread that writes. `done`
    /// must be quick and must not block: every other writer waits behind it.
    pub fn submit_then(
        self,
        batch: Batch,
        durability: Durability,
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) {
        self.queue_then(batch, durability, done).leave();
    }

    /// Like [`WritePermit::queue`], but calls `done` as [`WritePermit::submit_then`] does.
    pub fn queue_then(
        self,
        batch: Batch,
        durability: Durability,
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) -> Queued {
        self.slot.send(Submission {
            batch,
            durability,
            traces: self.traces,
            done: Box::new(done),
        });
        Queued {
            thread: self.thread,
            is_written: false,
        }
    }
}

/// A batch that has its place in the order of all, and is to be written. Dropped, it is left to
/// the writer's thread.
#[derive(Debug)]
pub struct Queued {
    thread: Arc<WriterThread>,
    is_written: bool,
}

impl Queued {
    /// Leaves it to the writer's thread.
    pub fn leave(self) {
        drop(self);
    }

    /// Writes it here and now, with everything before it, if nobody else is writing and the disk
    /// has been quick of late; else leaves it to the writer's thread. It blocks, for as long as
    /// a write takes: no lock may be held that a callback of [`WritePermit::submit_then`] takes.
    /// A runtime goes on meanwhile: another worker is woken if the disk stalls, and an only worker
    /// hands over what else it has to do. A runtime of one thread, which could not, leaves the
    /// batch to the writer's thread. What the calling task has woken since it was polled may wait.
    pub fn write_here(mut self) {
        let running = self.thread.running.as_ref();
        self.is_written = running.is_some_and(|running| running.queue.write_here());
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if !self.is_written {
            self.thread.wake();
        }
    }
}

/// Resolves when the batch is as durable as was asked. Dropping it does not take
/// the write back.
#[derive(Debug)]
#[must_use = "an unawaited write is not known to be durable"]
pub struct Committed {
    answer: oneshot::Receiver<Result<(), StorageError>>,
    /// Until somebody writes it, or it is left to the writer's thread.
    queued: Option<Queued>,
}

impl Committed {
    /// For who answers from a callback of [`WritePermit::queue_then`].
    pub const fn of(queued: Queued, answer: oneshot::Receiver<Result<(), StorageError>>) -> Self {
        Self {
            answer,
            queued: Some(queued),
        }
    }

    /// Leaves it to the writer's thread, if nobody has been told yet.
    pub fn leave(&mut self) {
        self.queued = None;
    }

    /// See [`Queued::write_here`]. Of what was submitted, somebody has been told already.
    pub fn write_here(&mut self) {
        if let Some(queued) = self.queued.take() {
            queued.write_here();
        }
    }
}

impl From<oneshot::Receiver<Result<(), StorageError>>> for Committed {
    /// For who answers from a callback of [`WritePermit::submit_then`].
    fn from(answer: oneshot::Receiver<Result<(), StorageError>>) -> Self {
        Self {
            answer,
            queued: None,
        }
    }
}

impl Future for Committed {
    type Output = Result<(), StorageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Whoever waits for it does not write it.
        self.leave();
        Pin::new(&mut self.answer)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(StorageError::Stopped)))
    }
}
