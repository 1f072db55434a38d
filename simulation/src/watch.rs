//! tokio's watch, with one thing taken out of chance's hands: who waits is woken in the
//! order in which he began to. tokio draws that order from a seed of its own, which
//! cannot be set.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use tokio::sync::Notify;

/// There is no sender any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

#[derive(Debug)]
struct Shared<T> {
    value: RwLock<T>,
    version: AtomicU64,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    changed: Notify,
}

impl<T> Shared<T> {
    fn receiver(self: &Arc<Self>, seen: u64) -> Receiver<T> {
        self.receivers.fetch_add(1, Ordering::SeqCst);
        Receiver {
            shared: Arc::clone(self),
            seen,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().expect("not poisoned")
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }
}

/// A watch, and its first receiver.
pub fn channel<T>(first: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(first);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// The end that changes the value.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// A watch of which nobody has an end yet.
    #[must_use]
    pub fn new(first: T) -> Self {
        Self(Arc::new(Shared {
            value: RwLock::new(first),
            version: AtomicU64::new(0),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(0),
            changed: Notify::new(),
        }))
    }

    /// An end that has seen what there is.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        self.0.receiver(self.0.version())
    }

    /// The value as it is.
    pub fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.0.read()
    }

    /// Whether nobody listens.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.receivers.load(Ordering::SeqCst) == 0
    }

    /// Changes the value and wakes whoever waits.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Puts another value in the place of the one there was.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|current| std::mem::swap(current, &mut value));
        value
    }

    /// Wakes whoever waits if `modify` says that it has changed the value.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut value = self.0.value.write().expect("not poisoned");
        let modified = modify(&mut value);
        if modified {
            self.0.version.fetch_add(1, Ordering::SeqCst);
        }
        drop(value);
        if modified {
            self.0.changed.notify_waiters();
        }
        modified
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

/// The end that waits for changes.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// Waits for a change that this end has not seen.
    ///
    /// # Errors
    /// [`Closed`] once there is no sender.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            let mut notified = pin!(self.shared.changed.notified());
            notified.as_mut().enable();
            let version = self.shared.version();
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            if self.shared.senders.load(Ordering::SeqCst) == 0 {
                return Err(Closed);
            }
            notified.await;
        }
    }

    /// Takes what there is as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version();
    }

    /// The value as it is.
    pub fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.shared.read()
    }

    /// The value as it is, which is seen from now on.
    pub fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        self.mark_unchanged();
        self.shared.read()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receiver(self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.fetch_sub(1, Ordering::SeqCst);
    }
}
