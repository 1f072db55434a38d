//! How fast something may happen. Pure: time is handed in.
//!
//! The generic cell rate algorithm: each admission moves a theoretical time of arrival
//! on by one period; a burst may run ahead of it, whoever comes later waits.

use std::time::Duration;

use tokio::time::Instant;

/// A rate with a burst.
#[derive(Debug)]
pub(crate) struct Pace {
    period: Duration,
    burst: Duration,
    /// When the next admission is due, were there no burst.
    next: Option<Instant>,
}

impl Pace {
    /// `per_second` admissions in the long run, `burst` of them at once after a pause.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let period = Duration::from_secs(1) / per_second.max(1);
        Self {
            period,
            burst: period * burst,
            next: None,
        }
    }

    /// Admits one at `now`.
    ///
    /// # Errors
    /// How long to wait until one may be admitted.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let due = self.next.map_or(now, |next| next.max(now));
        let wait = due.saturating_duration_since(now + self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.next = Some(due + self.period);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;

    const PERIOD: Duration = Duration::from_millis(100);

    #[test]
    fn burst_goes_at_once_then_the_rate_holds() {
        let now = Instant::now();
        let mut pace = Pace::new(10, 2);
        let admitted: Vec<_> = (0..5).map(|_| pace.admit(now)).collect();
        let expected = [Ok(()), Ok(()), Ok(()), Err(PERIOD), Err(PERIOD)];
        assert_eq!(admitted, expected);
        assert_eq!(pace.admit(now + PERIOD), Ok(()));
        assert_eq!(pace.admit(now + PERIOD), Err(PERIOD));
    }

    #[test]
    fn pause_brings_the_burst_back_and_no_more() {
        let now = Instant::now();
        let mut pace = Pace::new(10, 2);
        let later = now + Duration::from_secs(60);
        assert!(pace.admit(now).is_ok());
        let admitted = (0..10).filter(|_| pace.admit(later).is_ok()).count();
        assert_eq!(admitted, 3, "the burst, and the one that is due");
    }
}
