//! When a round of the index is put off: while a backlog of other nodes' changes is taken in.
//!
//! After a cut, taking in what was written elsewhere and finding it by searches would share the
//! processor and the disk, and each changed listing would be indexed about as often as it
//! changed. So the index goes second: it notes what changes, and takes it together.
//!
//! Invariants kept here: the index is put off for a bounded time and a bounded number of
//! listings; and never before its first round, nor for whoever asks for one, nor where all
//! listings are to be compared: how many it puts off would not be known.

use std::time::Duration;

/// Logs of several nodes come one after the other: links heal within about as much.
pub(super) const QUIET: Duration = Duration::from_secs(1);
/// Listings that are noted at most while the index is put off. They are indexed in about half a
/// second, so that a search that waits for them is answered in its time, of two seconds.
pub(super) const NOTED_YIELDING_MAX: usize = 8_192;

/// What a round that is due stands before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// Since the last one began; `None` before the first.
    pub(super) since_last: Option<Duration>,
    /// Listings that it would take.
    pub(super) noted: usize,
    /// Whether it would compare all of them: changes were missed, or other shards are served.
    pub(super) compares: bool,
    /// Whether a backlog comes in.
    pub(super) backlog: bool,
}

impl Due {
    /// Whether it is put off, if the index may wait for so long at most.
    pub(super) fn is_put_off(self, wait_max: Duration) -> bool {
        let waited = self.since_last.is_none_or(|since| since >= wait_max);
        self.backlog && !self.compares && !waited && self.noted < NOTED_YIELDING_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Due, NOTED_YIELDING_MAX};

    const WAIT_MAX: Duration = Duration::from_secs(5);

    #[test]
    fn round_is_put_off_for_a_backlog_and_neither_long_nor_for_many_listings() {
        let due = Due {
            since_last: Some(WAIT_MAX / 2),
            noted: NOTED_YIELDING_MAX - 1,
            compares: false,
            backlog: true,
        };
        assert!(due.is_put_off(WAIT_MAX));
        let others = [
            Due {
                backlog: false,
                ..due
            },
            Due {
                since_last: Some(WAIT_MAX),
                ..due
            },
            Due {
                since_last: None,
                ..due
            },
            Due {
                noted: NOTED_YIELDING_MAX,
                ..due
            },
            Due {
                compares: true,
                ..due
            },
        ];
        for due in others {
            assert!(!due.is_put_off(WAIT_MAX), "{due:?}");
        }
        assert!(!due.is_put_off(Duration::ZERO), "it waits for nobody");
    }
}
