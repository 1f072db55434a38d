//! How far a destination is behind, for whoever watches it.
//!
//! Not what decides anything: that is the pump's. Only the node that delivers has a backlog; on
//! every other one it is empty.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What stands for no event: nobody books in 1970.
const NONE: u64 = 0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    oldest_ms: AtomicU64,
    error: Mutex<Option<String>>,
}

/// A destination's backlog at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    /// Age of the oldest event that is not delivered, in milliseconds.
    pub(crate) lag_ms: u64,
    /// Why the last attempt failed, if it did.
    pub(crate) error: Option<String>,
}

impl Backlog {
    /// The oldest event that was read and is not delivered, in milliseconds since 1970. What is
    /// not read yet is younger.
    pub(super) fn note_oldest(&self, at_ms: Option<u64>) {
        self.oldest_ms
            .store(at_ms.unwrap_or(NONE), Ordering::Relaxed);
    }

    pub(super) fn note_outcome(&self, error: Option<&str>) {
        let mut known = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() != error {
            *known = error.map(ToOwned::to_owned);
        }
    }

    /// Another node delivers from now on.
    pub(super) fn clear(&self) {
        self.note_oldest(None);
        self.note_outcome(None);
    }

    pub(super) fn behind(&self, now_ms: u64) -> Behind {
        let oldest_ms = self.oldest_ms.load(Ordering::Relaxed);
        let lag_ms = match oldest_ms {
            NONE => 0,
            at_ms => now_ms.saturating_sub(at_ms),
        };
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        Behind {
            lag_ms,
            error: error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backlog, Behind};

    #[test]
    fn lag_is_that_of_the_oldest_and_whoever_does_not_deliver_has_none() {
        let backlog = Backlog::default();
        let behind = |lag_ms, error: Option<&str>| Behind {
            lag_ms,
            error: error.map(ToOwned::to_owned),
        };
        assert_eq!(backlog.behind(9_000), behind(0, None));
        backlog.note_oldest(Some(4_000));
        backlog.note_outcome(Some("refused"));
        assert_eq!(backlog.behind(9_000), behind(5_000, Some("refused")));
        assert_eq!(backlog.behind(3_000).lag_ms, 0, "a clock that went back");
        backlog.note_outcome(None);
        assert_eq!(backlog.behind(9_000), behind(5_000, None));
        backlog.note_outcome(Some("refused"));
        backlog.clear();
        assert_eq!(backlog.behind(9_000), behind(0, None));
    }
}
