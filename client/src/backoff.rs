//! How long to wait until a request is sent again.
//!
//! Pauses double up to a bound. A half of each is left to chance, so that clients that
//! failed together do not come back together; the other half keeps a loop from running hot.

use std::time::Duration;

/// First pause before a request is sent again; it doubles up to the greatest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pauses of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { pause: PAUSE_MIN }
    }

    /// The next pause; `chance` is from 0 to 1.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let pause = self.pause.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        pause
    }
}

/// A wait that an endpoint has asked for, and up to a quarter more.
pub(crate) fn asked_for(wait: Duration, chance: f64) -> Duration {
    wait.saturating_add(wait.min(PAUSE_MAX).mul_f64(chance.clamp(0.0, 1.0) / 4.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Backoff, PAUSE_MAX, PAUSE_MIN, asked_for};

    proptest! {
        #[test]
        fn pauses_double_up_to_the_bound_and_at_least_half_of_each_is_sure(
            chances in prop::collection::vec(0.0_f64..1.0, 1..20)
        ) {
            let mut backoff = Backoff::new();
            let mut full = PAUSE_MIN;
            for chance in chances {
                let pause = backoff.next(chance);
                prop_assert!(pause >= full / 2 && pause <= full);
                full = (full * 2).min(PAUSE_MAX);
            }
        }

        #[test]
        fn nobody_comes_back_before_he_was_asked_to(seconds in 0_u64..1_000_000, chance in 0.0_f64..1.0) {
            let wait = std::time::Duration::from_secs(seconds);
            let pause = asked_for(wait, chance);
            prop_assert!(pause >= wait && pause <= wait + PAUSE_MAX);
        }
    }
}
