//! What is counted for operators.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) listings: AtomicU64,
    pub(crate) logged: AtomicU64,
    pub(crate) applied: AtomicU64,
    pub(crate) quarantined: AtomicU64,
}

impl Counters {
    pub(crate) fn listing(&self) {
        self.listings.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn logged(&self) {
        self.logged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn applied(&self) {
        self.applied.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn quarantined(&self, changes: u64) {
        self.quarantined.fetch_add(changes, Ordering::Relaxed);
    }
}
