//! Moments of which no two are the same.
//!
//! On a paused clock, whatever happens without a pause happens at one moment. openraft's
//! leases end *after* a moment: one of no length, which a real clock ends within
//! nanoseconds, would last for as long as nobody waits.

use std::cell::Cell;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use tokio::time::Instant;

/// A moment of tokio's clock, and some nanoseconds more for every time it was looked at
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StrictInstant(pub(super) Instant);

thread_local! {
    /// What tokio's clock showed, and how often that was looked at.
    static SEEN: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

impl openraft::Instant for StrictInstant {
    fn now() -> Self {
        let now = Instant::now();
        let later = match SEEN.get() {
            Some((seen, later)) if seen == now => later + Duration::from_nanos(1),
            _ => Duration::ZERO,
        };
        SEEN.set(Some((now, later)));
        Self(now + later)
    }
}

impl Add<Duration> for StrictInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for StrictInstant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for StrictInstant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for StrictInstant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl Sub for StrictInstant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}
