//! How long synced writes take, counted for whoever watches the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of what [`WriteStats::within`] counts, in microseconds: from a disk that has a memory
/// of its own to one that stands still.
pub const WRITE_BOUNDS_US: [u64; 14] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 5_000_000,
];

/// Synced writes of one [`super::Writer`] since its start: of each, what one fsync carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteStats {
    /// How many took no longer than each of [`WRITE_BOUNDS_US`], the shorter ones included.
    pub within: [u64; WRITE_BOUNDS_US.len()],
    /// How many there were, those that took longer included.
    pub count: u64,
    /// What all of them took, in nanoseconds.
    pub nanos: u64,
    /// How many of them were written by who had submitted something that they carried.
    pub by_submitters: u64,
}

/// On whose thread a group is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenBy {
    Writer,
    Submitter,
}

/// What is counted, while others may read it.
#[derive(Debug, Default)]
pub(super) struct WriteTimes {
    /// Longer than the bound before, and no longer than this one; the last: longer than all.
    between: [AtomicU64; WRITE_BOUNDS_US.len() + 1],
    nanos: AtomicU64,
    by_submitters: AtomicU64,
}

impl WriteTimes {
    pub(super) fn took(&self, time: Duration, by: WrittenBy) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let place = WRITE_BOUNDS_US.partition_point(|bound| bound * 1_000 < nanos);
        self.between[place].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        if by == WrittenBy::Submitter {
            self.by_submitters.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn stats(&self) -> WriteStats {
        let mut count = 0;
        let mut through = |place: usize| {
            count += self.between[place].load(Ordering::Relaxed);
            count
        };
        let within = std::array::from_fn(&mut through);
        WriteStats {
            within,
            count: through(WRITE_BOUNDS_US.len()),
            nanos: self.nanos.load(Ordering::Relaxed),
            by_submitters: self.by_submitters.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_is_counted_under_every_bound_that_it_kept() {
        let times = WriteTimes::default();
        for micros in [50, 100, 101, 999, 6_000_000] {
            let by = [WrittenBy::Writer, WrittenBy::Submitter][usize::from(micros == 101)];
            times.took(Duration::from_micros(micros), by);
        }
        let stats = times.stats();
        assert_eq!(stats.within[..4], [2, 3, 3, 4], "100, 200, 500, 1,000 µs");
        let last = stats.within.last().copied();
        assert_eq!(
            (last, stats.count),
            (Some(4), 5),
            "one took longer than all"
        );
        assert_eq!((stats.nanos, stats.by_submitters), (6_001_250_000, 1));
    }
}
