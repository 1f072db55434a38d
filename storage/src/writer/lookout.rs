//! Who watches a runtime's sockets and timers while its worker waits for the disk.
//!
//! A worker that was woken by one of them may have been the one that watches all, and the others
//! sleep until they are told. For as long as a quick write takes, nobody has to: handing over
//! before each would take a good part of that time. But a disk may stall, and then a thread of ours
//! wakes another worker, which watches from then on.
//!
//! Invariant: **whoever waits is looked after within two looks.** Who begins to wait wakes the
//! thread, unless it is awake; before it sleeps, it says so and looks once more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::{io, mem};

use tokio::runtime::Handle;

/// From one look to the next, and how long a write may take before another worker is woken.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Without anybody to look after, the thread sleeps.
const AWAKE_FOR: Duration = Duration::from_secs(1);

/// The thread that looks after one writer's callers. It ends with this handle.
#[derive(Debug)]
pub(super) struct Lookout {
    waits: Arc<Waits>,
    thread: Thread,
}

/// Who waits, and whether anybody looks.
#[derive(Debug, Default)]
struct Waits {
    worker: Mutex<Option<Worker>>,
    is_awake: AtomicBool,
}

/// A worker that waits for the disk. There is one at the most: it holds the queue.
#[derive(Debug)]
struct Worker {
    since: Instant,
    runtime: Handle,
}

impl Lookout {
    pub(super) fn start() -> io::Result<Self> {
        let waits = Arc::new(Waits::default());
        let watched = Arc::downgrade(&waits);
        let started = thread::Builder::new()
            .name("store-lookout".to_owned())
            .spawn(move || look(&watched))?;
        Ok(Self {
            waits,
            thread: started.thread().clone(),
        })
    }

    /// Does `work`, for which a worker of `runtime` waits.
    pub(super) fn over<T>(&self, runtime: Handle, work: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        *self.waits.worker() = Some(Worker { since, runtime });
        let over = Over(&self.waits);
        if !self.waits.is_awake.swap(true, Ordering::SeqCst) {
            self.thread.unpark();
        }
        let worked = work();
        drop(over);
        worked
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        // The last handle, unless the thread looks right now: it finds none when it looks again.
        drop(mem::take(&mut self.waits));
        self.thread.unpark();
    }
}

/// Says that nobody waits any more, though `work` panics.
struct Over<'a>(&'a Waits);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        *self.0.worker() = None;
    }
}

impl Waits {
    fn worker(&self) -> MutexGuard<'_, Option<Worker>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has another worker woken if one waits for a disk that stalls. Answers whether one waits.
    fn look(&self) -> bool {
        let worker = self.worker();
        if let Some(Worker { since, runtime }) = &*worker
            && since.elapsed() >= LOOK_EVERY
        {
            // Whoever is woken for it looks for more to do, and then watches.
            runtime.spawn(async {});
        }
        worker.is_some()
    }

    /// Says that the thread sleeps from now on. Answers whether it may.
    fn sleep(&self) -> bool {
        self.is_awake.swap(false, Ordering::SeqCst);
        // He may have begun to wait before that, and has not woken it.
        self.worker().is_none()
    }
}

fn look(waits: &Weak<Waits>) {
    let mut last = Instant::now();
    while let Some(waits) = waits.upgrade() {
        if waits.look() {
            last = Instant::now();
        }
        let sleeps = last.elapsed() >= AWAKE_FOR && waits.sleep();
        drop(waits);
        if sleeps {
            thread::park();
            last = Instant::now();
        } else {
            thread::park_timeout(LOOK_EVERY);
        }
    }
}
