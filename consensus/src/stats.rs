//! What has happened to the groups of a node, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use meridian_storage::DiskStats;

use crate::shared::Shared;

/// Counts since the node started, and how many groups are awake now. A group that is
/// asleep is in none of them: it costs nothing, and it is not dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupStats {
    /// Groups awake now, waking and going to sleep included.
    pub awake: usize,
    /// Wakes, first uses included.
    pub woken: u64,
    /// Wakes in which a leader led on without an election.
    pub resumed: u64,
    /// Wakes refused because too many groups were awake or waking.
    pub refused: u64,
    /// Groups put to sleep.
    pub slept: u64,
    /// Times that this node stood for election.
    pub stood: u64,
    /// Leaderships handed over to the listing's home region.
    pub sent_home: u64,
    /// Leaderships that were offered and that nobody has taken.
    pub not_taken: u64,
    /// Requests refused because too many others waited for the same group.
    pub crowded: u64,
    /// Times that a record was read that did not match its checksum.
    pub damaged: u64,
    /// Groups that do not run here for it.
    pub ill: usize,
    /// Nodes sent away that learned for a move which nobody went on with.
    pub dismissed: u64,
    /// What the database and its disk are at.
    pub disk: DiskStats,
}

impl GroupStats {
    pub(crate) fn read(awake: usize, shared: &Shared) -> Self {
        let counts = &shared.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self {
            awake,
            woken: read(&counts.woken),
            resumed: read(&counts.resumed),
            refused: read(&counts.refused),
            slept: read(&counts.slept),
            stood: read(&counts.stood),
            sent_home: read(&counts.sent_home),
            not_taken: read(&counts.not_taken),
            crowded: read(&counts.crowded),
            damaged: shared.records.damaged(),
            ill: shared.records.ill(),
            dismissed: read(&counts.dismissed),
            disk: DiskStats::of(shared.records.store(), &shared.writer),
        }
    }
}
