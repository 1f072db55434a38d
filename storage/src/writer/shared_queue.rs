//! The queue of a writer that has a thread: the thread writes, or whoever submits, one at a time
//! and each from the queue's head, so that the order is the same whoever does it.
//!
//! Invariant: **what is queued is written, though nobody submits anything after it.** Who submits
//! wakes the thread, unless he has written until the queue was empty. Who finds somebody else
//! writing wakes the thread: it waits for its turn. A thread that is woken before it sleeps does
//! not sleep.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::queue::{Look, WriteQueue};

/// See the module. `None` once nothing can be submitted any more, or a callback has panicked:
/// what is submitted then is answered `Stopped`.
#[derive(Debug)]
pub(super) struct SharedQueue(Mutex<Option<WriteQueue>>);

impl SharedQueue {
    pub(super) fn new(queue: WriteQueue) -> Self {
        Self(Mutex::new(Some(queue)))
    }

    /// The thread's work.
    pub(super) fn write_until_closed(&self) {
        loop {
            let mut place = self.place();
            match with(&mut place, WriteQueue::write_next) {
                Some(Look::Written) => {}
                Some(Look::Empty) => {
                    drop(place);
                    thread::park();
                }
                Some(Look::Closed) => {
                    *place = None;
                    return;
                }
                None => return,
            }
        }
    }

    /// Writes what is queued, in one group, if nobody else is writing, the disk is quick and
    /// this thread may wait for it. Answers whether nothing is left to be written.
    pub(super) fn write_here(&self) -> bool {
        if !may_wait() {
            return false;
        }
        // Poisoned, too: whoever comes next finds out.
        let Ok(mut place) = self.0.try_lock() else {
            return false;
        };
        let is_done = with(&mut place, |queue| {
            if queue.is_quick() {
                queue.write();
            }
            queue.is_empty()
        });
        is_done.unwrap_or(true)
    }

    fn place(&self) -> MutexGuard<'_, Option<WriteQueue>> {
        // The queue went with the panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets `work` have the queue, if it is there. A panic takes it along: those who wait are told
/// so, and so is whoever watches the writer.
fn with<T>(place: &mut Option<WriteQueue>, work: impl FnOnce(&mut WriteQueue) -> T) -> Option<T> {
    let mut queue = place.take()?;
    let answer = work(&mut queue);
    *place = Some(queue);
    Some(answer)
}

/// Whether this thread may wait for the disk: a worker of a runtime may if another serves the
/// runtime meanwhile. Only one at a time comes here.
fn may_wait() -> bool {
    let Ok(runtime) = Handle::try_current() else {
        return true;
    };
    runtime.runtime_flavor() == RuntimeFlavor::MultiThread && runtime.metrics().num_workers() > 1
}
