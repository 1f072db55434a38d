//! What has become of requests that were taken to other nodes.

use std::sync::atomic::{AtomicU64, Ordering};

/// How one of them ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered by a holder.
    Answered,
    /// Surely not executed: nobody who holds the listing has answered.
    NoHolder,
    /// Perhaps executed: the answer was lost.
    Unknown,
    /// A part of a search, answered by a holder.
    Part,
    /// A part of a search that another holder was asked for instead, if there is one.
    PartLost,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] = [
        Self::Answered,
        Self::NoHolder,
        Self::Unknown,
        Self::Part,
        Self::PartLost,
    ];

    /// As a label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoHolder => "no_holder",
            Self::Unknown => "unknown",
            Self::Part => "part",
            Self::PartLost => "part_lost",
        }
    }
}

/// How often each since the start.
#[derive(Debug, Default)]
pub(crate) struct RelayCounts([AtomicU64; Outcome::ALL.len()]);

impl RelayCounts {
    pub(super) fn add(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}
