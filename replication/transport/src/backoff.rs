//! How long to wait before dialling again. Pure: randomness is handed in.

use std::time::Duration;

/// First pause after a failed dial.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// A healed link is found within this time, whatever happened before.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A connection that stood for this long was a success. One that ends sooner was
/// perhaps thrown out, and dialling at once would only be thrown out again.
const STANDING: Duration = PAUSE_MAX;

/// Exponential back-off with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { ceiling: PAUSE_MIN }
    }

    /// The next pause: `random`, from 0 to 1, spreads it between half of the ceiling
    /// and all of it, so that the peers of a healed link do not dial in step.
    pub(crate) fn next_pause(&mut self, random: f64) -> Duration {
        let pause = self.ceiling.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        self.ceiling = (self.ceiling * 2).min(PAUSE_MAX);
        pause
    }

    /// Takes note of a dial to which nothing was answered: the wait was pause enough.
    pub(crate) fn unanswered(&mut self) {
        self.ceiling = PAUSE_MIN;
    }

    /// Takes note of a connection that has ended.
    pub(crate) fn connection_stood(&mut self, stood: Duration) {
        if stood >= STANDING {
            self.ceiling = PAUSE_MIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, PAUSE_MAX, PAUSE_MIN, STANDING};

    #[test]
    fn pauses_double_up_to_the_greatest_and_stay_within_their_jitter() {
        let mut backoff = Backoff::new();
        let mut ceiling = PAUSE_MIN;
        for step in 0..10 {
            let random = f64::from(step) / 9.0;
            let pause = backoff.next_pause(random);
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?}");
            ceiling = (ceiling * 2).min(PAUSE_MAX);
        }
        assert_eq!(backoff.next_pause(1.0), PAUSE_MAX);
    }

    #[test]
    fn dial_that_nobody_answered_is_followed_by_another_at_once() {
        let mut backoff = Backoff::new();
        for _ in 0..10 {
            backoff.next_pause(1.0);
        }
        backoff.unanswered();
        assert_eq!(backoff.next_pause(1.0), PAUSE_MIN);
    }

    #[test]
    fn connection_resets_it_only_if_it_stood() {
        let mut backoff = Backoff::new();
        for _ in 0..10 {
            backoff.next_pause(1.0);
        }
        backoff.connection_stood(Duration::from_millis(5));
        assert_eq!(backoff.next_pause(1.0), PAUSE_MAX);
        backoff.connection_stood(STANDING);
        assert_eq!(backoff.next_pause(1.0), PAUSE_MIN);
    }
}
