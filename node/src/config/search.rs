//! How listings are found.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The index by which listings are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchSection {
    /// How long a change may wait until searches find it, in milliseconds. One that a
    /// session has seen waits for nobody: its searches bring the index up to date first.
    pub commit_ms: NonZeroU64,
    /// How long it may wait, in milliseconds, while a backlog of other nodes' changes is taken
    /// in, as after a cut; 0 if no longer than otherwise. What a session has seen waits for
    /// nobody then, either.
    pub yield_ms_max: u64,
    /// Searches worked on at once; others wait, for a second at most.
    pub concurrent_max: NonZeroUsize,
}

impl SearchSection {
    pub(crate) const fn commit(&self) -> Duration {
        Duration::from_millis(self.commit_ms.get())
    }

    pub(crate) const fn yields(&self) -> Duration {
        Duration::from_millis(self.yield_ms_max)
    }
}

impl Default for SearchSection {
    fn default() -> Self {
        Self {
            commit_ms: NonZeroU64::new(500).expect("not zero"),
            yield_ms_max: 5_000,
            concurrent_max: NonZeroUsize::new(4).expect("not zero"),
        }
    }
}
