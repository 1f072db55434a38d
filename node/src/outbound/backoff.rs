//! How long to wait before an event is tried again.

use std::time::Duration;

/// Doublings after which it does not grow any more, whatever its bound: 2^20 seconds are twelve
/// days.
const DOUBLINGS_MAX: u32 = 20;

/// Grows with every attempt, up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// After the first failed attempt, at most.
    pub(crate) first: Duration,
    /// After any, at most.
    pub(crate) max: Duration,
}

impl Backoff {
    /// The wait after the `attempts`-th failure. `chance` spreads it over its upper half, so
    /// that what failed together does not come back together.
    pub(crate) fn after(self, attempts: u32, chance: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(DOUBLINGS_MAX);
        let whole = self.first.saturating_mul(1 << doublings).min(self.max);
        let half = whole / 2;
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_their_bound_and_chance_takes_half_of_them_at_most() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let seconds = [1, 2, 4, 8, 16, 32, 60, 60];
        for (attempts, seconds) in (1..).zip(seconds) {
            let whole = Duration::from_secs(seconds);
            assert_eq!(backoff.after(attempts, u32::MAX), whole);
            assert_eq!(backoff.after(attempts, 0), whole / 2);
        }
        assert_eq!(backoff.after(u32::MAX, u32::MAX), backoff.max);
    }
}
