//! Where the logs stood some time ago, so that others can be asked whether they have that.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use meridian_replication::LogMark;

/// How old a mark is when others are asked about it: they tell what they have every ten
/// seconds, about, so that even a word that was lost has been said again.
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// How often a mark is made.
const MARK_EVERY: Duration = Duration::from_secs(5);
/// Marks that are kept: as many as it takes for the oldest to be old enough.
const MARKS_MAX: usize = 7;

/// The latest marks, oldest first.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<(Instant, LogMark)>);

impl Marks {
    /// Makes a mark if it is time for one.
    pub(super) fn make(&mut self, now: Instant, mark: impl FnOnce() -> LogMark) {
        let is_due = self
            .0
            .back()
            .is_none_or(|(at, _)| now.saturating_duration_since(*at) >= MARK_EVERY);
        if is_due {
            if self.0.len() == MARKS_MAX {
                self.0.pop_front();
            }
            self.0.push_back((now, mark()));
        }
    }

    /// The youngest mark that is old enough, or the oldest one if none is; with its age.
    pub(super) fn settled(&self, now: Instant) -> Option<(Duration, &LogMark)> {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        let mut old = self.0.iter().rev();
        let found = old.find(|(at, _)| age(at) >= SETTLED_AFTER);
        let found = found.or_else(|| self.0.front());
        found.map(|(at, mark)| (age(at), mark))
    }
}
