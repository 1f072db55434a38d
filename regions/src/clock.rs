//! The hybrid logical clock: never back, never led far ahead by another's clock.
//!
//! Timestamps order listing changes and say how fresh a region is. They never
//! decide a booking (invariant 9).

use std::time::Duration;

use crate::{Hlc, UnixNanos};

/// Another node's clock is too far ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a timestamp is {ahead:?} ahead of this node's clock, more than the {max:?} allowed: set the clocks of both nodes by NTP"
)]
pub struct ClockDrift {
    /// How far ahead it is.
    pub ahead: Duration,
    /// How far it may be.
    pub max: Duration,
}

/// One node's hybrid clock. Callers read the wall clock and hand it in.
#[derive(Debug, Clone)]
pub struct HybridClock {
    last: Hlc,
    drift_max: Duration,
}

impl HybridClock {
    /// A clock that refuses timestamps more than `drift_max` ahead of the wall clock.
    #[must_use]
    pub const fn new(drift_max: Duration) -> Self {
        Self {
            last: Hlc::from_u64(0),
            drift_max,
        }
    }

    /// A new timestamp, later than every one given or observed before, whatever
    /// the wall clock does.
    pub fn tick(&mut self, now: UnixNanos) -> Hlc {
        self.last = Hlc::from_unix_nanos(now).max(self.last.next());
        self.last
    }

    /// The latest timestamp given or observed.
    #[must_use]
    pub const fn last(&self) -> Hlc {
        self.last
    }

    /// Takes note of another node's timestamp, so that ours come after it.
    ///
    /// # Errors
    /// [`ClockDrift`] if it is too far ahead; the clock is then as it was.
    pub fn observe(&mut self, now: UnixNanos, remote: Hlc) -> Result<(), ClockDrift> {
        let ahead = remote.to_unix_nanos().saturating_since(now);
        if ahead > self.drift_max {
            return Err(ClockDrift {
                ahead,
                max: self.drift_max,
            });
        }
        self.last = self.last.max(remote);
        Ok(())
    }

    /// Continues after `durable`, the latest timestamp found on disk at a start.
    /// It is our own, so that it holds even if the wall clock has been set back.
    pub fn resume(&mut self, durable: Hlc) {
        self.last = self.last.max(durable);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::HybridClock;
    use crate::{Hlc, UnixNanos};

    const DRIFT_MAX: Duration = Duration::from_millis(500);

    #[test]
    fn clock_far_ahead_is_refused_and_changes_nothing() {
        let mut clock = HybridClock::new(DRIFT_MAX);
        let now = UnixNanos::from_millis(1_000_000);
        let before = clock.tick(now);
        let far = Hlc::from_unix_nanos(now.saturating_add(Duration::from_millis(501)));
        let drift = clock.observe(now, far).expect_err("too far ahead");
        assert!(drift.ahead > DRIFT_MAX && drift.max == DRIFT_MAX);
        assert_eq!(clock.last(), before);
        let near = Hlc::from_unix_nanos(now.saturating_add(Duration::from_millis(499)));
        clock.observe(now, near).expect("within the bound");
        assert!(clock.tick(now) > near);
    }

    proptest! {
        #[test]
        fn ticks_only_go_forward(times in prop::collection::vec(any::<u32>(), 1..50)) {
            let mut clock = HybridClock::new(DRIFT_MAX);
            let mut last = clock.last();
            for millis in times {
                let next = clock.tick(UnixNanos::from_millis(millis.into()));
                prop_assert!(next > last);
                last = next;
            }
        }

        #[test]
        fn hybrid_time_keeps_wall_time_to_the_microsecond(millis in 0..4_000_000_000_000_u64) {
            let at = UnixNanos::from_millis(millis);
            let back = Hlc::from_unix_nanos(at).to_unix_nanos();
            prop_assert!(back.get().abs_diff(at.get()) < 1_000);
        }
    }
}
