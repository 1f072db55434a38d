//! How fast something may happen, and who waits how long. Pure: time is handed in.
//!
//! The generic cell rate algorithm: each admission moves a theoretical time of arrival
//! on by one period; a burst may run ahead of it, whoever comes later waits in the order
//! of arrival, and who would wait too long is refused at once.

use std::time::Duration;

use tokio::time::Instant;

/// A rate with a burst and a bound on waiting.
#[derive(Debug)]
pub(crate) struct Pace {
    period: Duration,
    burst: Duration,
    wait_max: Duration,
    /// When the next admission is due, were there no burst.
    next: Option<Instant>,
}

impl Pace {
    /// `per_second` admissions in the long run, `burst` of them at once after a pause;
    /// nobody waits longer than `wait_max`.
    pub(crate) fn new(per_second: u32, burst: u32, wait_max: Duration) -> Self {
        let period = Duration::from_secs(1) / per_second.max(1);
        Self {
            period,
            burst: period * burst,
            wait_max,
            next: None,
        }
    }

    /// How long to wait from `now` until admitted; `None` if that would be too long.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<Duration> {
        let due = self.next.map_or(now, |next| next.max(now));
        let wait = due.saturating_duration_since(now + self.burst);
        if wait > self.wait_max {
            return None;
        }
        self.next = Some(due + self.period);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;

    #[test]
    fn burst_goes_at_once_then_the_rate_holds_then_waiting_ends() {
        let now = Instant::now();
        let mut pace = Pace::new(10, 2, Duration::from_millis(250));
        let waits: Vec<_> = (0..7).map(|_| pace.admit(now)).collect();
        let millis = |wait| Some(Duration::from_millis(wait));
        let expected = [
            millis(0),
            millis(0),
            millis(0),
            millis(100),
            millis(200),
            None,
            None,
        ];
        assert_eq!(waits, expected);
    }

    #[test]
    fn pause_brings_the_burst_back_and_no_more() {
        let now = Instant::now();
        let mut pace = Pace::new(10, 2, Duration::ZERO);
        let later = now + Duration::from_secs(60);
        assert!(pace.admit(now).is_some());
        let admitted = (0..10).filter(|_| pace.admit(later).is_some()).count();
        assert_eq!(admitted, 3, "the burst, and the one that is due");
    }
}
