//! How old is what is read here, as readers and operators are told.

use std::time::Duration;

use meridian_regions::UnixNanos;

use crate::OriginLag;
use crate::replica::Replica;

/// Of whom nothing new was heard for so long, nothing is expected shortly: some heartbeats.
const SILENCE: Duration = Duration::from_secs(1);

impl Replica {
    /// How far this node is behind each other one.
    #[must_use]
    pub fn lag(&self) -> Vec<OriginLag> {
        self.inner().progress.lag(self.wall_clock())
    }

    /// How stale what is read here may be: the greatest lag. `None` before every
    /// other node has been heard since the start.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        self.inner().progress.staleness(self.wall_clock())
    }

    /// What this node's clock shows, or would, had it not been set back.
    #[must_use]
    pub fn now(&self) -> UnixNanos {
        self.inner().progress.set_right(self.wall_clock())
    }

    /// Whether a staleness of no more than `bound` is worth waiting for: of everybody who is
    /// further away than that something new was heard lately.
    #[must_use]
    pub fn may_freshen(&self, bound: Duration) -> bool {
        let progress = &self.inner().progress;
        progress.may_freshen(bound, SILENCE, self.wall_clock())
    }

    fn wall_clock(&self) -> UnixNanos {
        self.inner().sequencer.now()
    }
}
