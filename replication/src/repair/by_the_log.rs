//! What the log brings by itself is no difference: whoever has found one waits for that first.

use std::time::Duration;

use meridian_regions::UnixNanos;
use tokio::time::timeout;

use super::rounds::AskedBy;
use crate::replica::Replica;

/// How long what has been found may still be on its way by the log: then it is no
/// difference. Some heartbeats, and the longest way.
const SETTLE_MAX: Duration = Duration::from_secs(1);
/// What was made this lately may be on its way even if it came to the peer after the
/// difference was found: a listing that is written to differs all the time.
const LATELY: Duration = Duration::from_secs(10);
/// A change has its number, by which the log counts, this soon after it was made.
const NUMBERED_WITHIN: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct ByTheLog<'a> {
    replica: &'a Replica,
    asked_by: AskedBy,
    /// The log has brought what others had numbered by then.
    caught_up: UnixNanos,
}

impl<'a> ByTheLog<'a> {
    pub(super) fn of(replica: &'a Replica, asked_by: AskedBy) -> Self {
        Self {
            replica,
            asked_by,
            caught_up: UnixNanos::default(),
        }
    }

    /// Waits until the log has brought what had been written anywhere by now, if it does
    /// so soon.
    pub(super) async fn settle(&mut self) {
        if self.asked_by == AskedBy::LeftBehind {
            // The log brings nothing of it.
            return;
        }
        let progress = &self.replica.inner().progress;
        let found_at = self.replica.inner().sequencer.now();
        let mut version = progress.version();
        let has_caught_up = || progress.has_caught_up(found_at);
        let caught_up = async { while !has_caught_up() && version.changed().await.is_ok() {} };
        // If it does not, that is what repairs are for.
        if timeout(SETTLE_MAX, caught_up).await.is_ok() {
            self.caught_up = found_at;
        }
    }

    /// Whether the log may still bring a change that was made then. If it seems not to, and does,
    /// the change comes twice, which harms nobody.
    pub(super) fn may_bring(&self, made_at: UnixNanos) -> bool {
        may_bring(
            made_at,
            self.caught_up,
            self.replica.inner().sequencer.now(),
        )
    }
}

fn may_bring(made_at: UnixNanos, caught_up: UnixNanos, now: UnixNanos) -> bool {
    let is_late = now.saturating_since(made_at) < LATELY;
    is_late && caught_up.saturating_since(made_at) < NUMBERED_WITHIN
}

#[cfg(test)]
mod tests {
    use meridian_regions::UnixNanos;

    use super::may_bring;

    #[test]
    fn log_may_bring_what_was_made_lately_and_after_it_had_caught_up() {
        let at = UnixNanos::from_millis;
        let never = UnixNanos::default();
        let now = at(100_000);
        assert!(may_bring(at(99_000), never, now));
        assert!(may_bring(at(99_000), at(98_000), now));
        assert!(may_bring(at(99_000), at(99_900), now), "not numbered yet");
        assert!(!may_bring(at(98_000), at(99_900), now), "it would be here");
        assert!(!may_bring(at(80_000), never, now), "long ago");
        assert!(may_bring(at(100_500), at(99_900), now), "a clock ahead");
    }
}
