//! The queue of a writer that has a thread: the thread writes, or whoever submits, one at a time
//! and each from the queue's head, so that the order is the same whoever does it.
//!
//! Invariant: **what is queued is written, though nobody submits anything after it.** Who submits
//! wakes the thread, unless he has written until the queue was empty. Who finds somebody else
//! writing wakes the thread: it waits for its turn. A thread that is woken before it sleeps does
//! not sleep.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::lookout::Lookout;
use super::queue::{Look, WriteQueue};
use super::times::WrittenBy;

/// See the module.
#[derive(Debug)]
pub(super) struct SharedQueue {
    queue: Mutex<WriteQueue>,
    /// From the first write by a worker of a runtime; `None` if there is no thread to be had.
    lookout: OnceLock<Option<Lookout>>,
}

impl SharedQueue {
    pub(super) fn new(queue: WriteQueue) -> Self {
        Self {
            queue: Mutex::new(queue),
            lookout: OnceLock::new(),
        }
    }

    /// The thread's work.
    pub(super) fn write_until_closed(&self) {
        loop {
            let mut queue = self.queue();
            match with(&mut queue, WriteQueue::write_next) {
                Ok(Look::Empty) => {
                    drop(queue);
                    thread::park();
                }
                Ok(Look::Closed) => return queue.stop(),
                // It has been reported; what is submitted still is answered.
                Ok(Look::Written) | Err(_) => {}
            }
        }
    }

    /// Writes what is queued, in one group, if nobody else is writing, the disk is quick and
    /// this thread may wait for it. Answers whether nothing is left to be written.
    pub(super) fn write_here(&self) -> bool {
        let Ok(runtime) = Handle::try_current() else {
            return self.write_if_free(|write| write());
        };
        match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread => {}
            // Nobody else would serve it meanwhile.
            _ => return false,
        }
        let others = runtime.metrics().num_workers() > 1;
        match self.lookout().filter(|_| others) {
            Some(lookout) => self.write_if_free(|write| lookout.over(runtime, write)),
            // Its sockets and timers are this worker's to watch: it hands them over.
            None => self.write_if_free(|write| block_in_place(write)),
        }
    }

    fn lookout(&self) -> Option<&Lookout> {
        let started = self.lookout.get_or_init(|| Lookout::start().ok());
        started.as_ref()
    }

    fn write_if_free(&self, wait: impl FnOnce(&mut dyn FnMut())) -> bool {
        let Ok(mut queue) = self.queue.try_lock() else {
            return false;
        };
        if !queue.is_quick() || queue.is_empty() {
            return queue.is_empty();
        }
        let mut written = Ok(());
        wait(&mut || {
            written = with(&mut queue, |queue| queue.write_by(WrittenBy::Submitter));
        });
        let is_done = queue.is_empty();
        drop(queue);
        match written {
            Ok(()) => is_done,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn queue(&self) -> MutexGuard<'_, WriteQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets `work` have the queue. A panic stops it for good: those who wait are told so, and so is
/// whoever watches the writer.
fn with<T>(queue: &mut WriteQueue, work: impl FnOnce(&mut WriteQueue) -> T) -> thread::Result<T> {
    let worked = catch_unwind(AssertUnwindSafe(|| work(queue)));
    if worked.is_err() {
        queue.stop();
    }
    worked
}
