//! The wall clock that a node goes by, which a node of a test cluster can be given wrong
//! (ADR 36).
//!
//! Both planes and the API read wall time here and nowhere else. What it is not: the
//! monotonic clock, by which deadlines, leases and beats go. That one stays true, as it does
//! on a machine whose wall clock is set.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use meridian_regions::UnixNanos;

use crate::config::ChaosSection;

const NANOS_PER_MILLI: i128 = 1_000_000;
const MILLION: i128 = 1_000_000;

/// How far a clock can be set ahead, or behind: a day, in milliseconds.
pub(crate) const OFFSET_MS_MAX: i64 = 86_400_000;
/// How much faster it can go, or slower: by half, in millionths. It never stands still.
pub(crate) const RATE_PPM_MAX: i64 = 500_000;

/// A node's wall clock. Cheap to clone: all of them show the same.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Option<Arc<RwLock<Skew>>>);

impl Clock {
    /// The machine's: for ever, or in a test cluster until it is set otherwise.
    pub(crate) fn of(chaos: &ChaosSection) -> Self {
        let right = || Arc::new(RwLock::new(Skew::new(0, 0)));
        Self(chaos.enabled.then(right))
    }

    /// As the listing plane reads it.
    pub(crate) fn of_listings(&self) -> meridian_replication::WallClock {
        let clock = self.clone();
        meridian_replication::WallClock::over(move || clock.now())
    }

    /// As the booking plane reads it.
    pub(crate) fn of_bookings(&self) -> meridian_consensus::WallClock {
        let clock = self.clone();
        meridian_consensus::WallClock::Other(Arc::new(move || clock.now().as_millis()))
    }

    /// What it shows.
    pub(crate) fn now(&self) -> UnixNanos {
        let now = super::now();
        let skew = self.skew();
        skew.map_or(now, |skew| skew.shown(now, Instant::now()))
    }

    /// How wrong it is; `None` if it cannot be set.
    pub(crate) fn skew(&self) -> Option<Skew> {
        let skew = self.0.as_ref()?.read();
        Some(*skew.unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes it so wrong, whatever it was before. Does nothing to one that cannot be set.
    pub(crate) fn set(&self, skew: Skew) {
        if let Some(held) = &self.0 {
            *held.write().unwrap_or_else(PoisonError::into_inner) = skew;
        }
    }
}

/// How wrong a clock is, from the moment on at which it was made so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skew {
    offset_ms: i64,
    rate_ppm: i64,
    since: Instant,
}

impl Skew {
    /// From now on, so many milliseconds ahead and so many millionths faster; less than 0
    /// is behind, and slower.
    pub(crate) fn new(offset_ms: i64, rate_ppm: i64) -> Self {
        Self {
            offset_ms,
            rate_ppm,
            since: Instant::now(),
        }
    }

    /// How much faster it goes, in millionths.
    pub(crate) const fn rate_ppm(self) -> i64 {
        self.rate_ppm
    }

    /// How far ahead it is by now, in milliseconds, rounded towards 0.
    pub(crate) fn ahead_ms(self) -> i64 {
        let ahead_ms = self.ahead_nanos(Instant::now()) / NANOS_PER_MILLI;
        i64::try_from(ahead_ms).unwrap_or(i64::MAX)
    }

    fn ahead_nanos(self, at: Instant) -> i128 {
        let passed = at.saturating_duration_since(self.since).as_nanos();
        let passed = i128::try_from(passed).unwrap_or(i128::MAX);
        let gained = passed.saturating_mul(i128::from(self.rate_ppm)) / MILLION;
        gained.saturating_add(i128::from(self.offset_ms) * NANOS_PER_MILLI)
    }

    /// What it shows when the machine's shows `now`.
    fn shown(self, now: UnixNanos, at: Instant) -> UnixNanos {
        let nanos = self.ahead_nanos(at).saturating_add(i128::from(now.get()));
        UnixNanos::new(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::UnixNanos;

    use super::{Clock, OFFSET_MS_MAX, RATE_PPM_MAX, Skew};
    use crate::config::ChaosSection;

    const TRUE_MS: u64 = 1_800_000_000_000;

    /// What a clock shows so long after it was made so wrong, beside the true time.
    fn ahead_ms(offset_ms: i64, rate_ppm: i64, after: Duration) -> i64 {
        let skew = Skew::new(offset_ms, rate_ppm);
        let now = UnixNanos::from_millis(TRUE_MS).saturating_add(after);
        let shown = skew.shown(now, skew.since + after).as_millis();
        i64::try_from(shown).expect("small") - i64::try_from(now.as_millis()).expect("small")
    }

    #[test]
    fn clock_is_ahead_by_what_it_was_set_and_what_it_has_gained() {
        let minute = Duration::from_secs(60);
        assert_eq!(ahead_ms(0, 0, minute), 0);
        assert_eq!(ahead_ms(5_000, 0, minute), 5_000);
        assert_eq!(ahead_ms(-5_000, 0, minute), -5_000);
        assert_eq!(ahead_ms(0, 100_000, minute), 6_000);
        assert_eq!(ahead_ms(1_000, -100_000, minute), -5_000);
    }

    #[test]
    fn slowest_clock_goes_forward_and_none_leaves_its_range() {
        let second = Duration::from_secs(1);
        assert_eq!(ahead_ms(0, -RATE_PPM_MAX, second), -500);
        let skew = Skew::new(-OFFSET_MS_MAX, 0);
        let at = skew.since;
        assert_eq!(skew.shown(UnixNanos::new(7), at), UnixNanos::new(0));
        let last = UnixNanos::new(u64::MAX);
        assert_eq!(Skew::new(OFFSET_MS_MAX, 0).shown(last, at), last);
    }

    #[test]
    fn clock_of_a_node_that_does_not_allow_it_stays_as_it_is() {
        let clock = Clock::of(&ChaosSection::default());
        clock.set(Skew::new(OFFSET_MS_MAX, 0));
        let before = super::super::now();
        let shown = clock.now();
        assert!(clock.skew().is_none() && shown >= before && shown <= super::super::now());
    }

    #[test]
    fn all_handles_show_the_same() {
        let settable = || {
            Clock::of(&ChaosSection {
                enabled: true,
                ..ChaosSection::default()
            })
        };
        let (one, other) = (settable(), settable());
        let same = one.clone();
        one.set(Skew::new(OFFSET_MS_MAX, 0));
        let skew = |clock: &Clock| clock.skew().expect("it can be set").ahead_ms();
        assert_eq!((skew(&same), skew(&other)), (OFFSET_MS_MAX, 0));
    }
}
