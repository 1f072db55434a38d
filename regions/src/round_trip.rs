//! How long a message takes to a node and back, smoothed.
//!
//! As TCP keeps it (RFC 6298, section 2): a new measurement moves the mean by an eighth
//! and the deviation by a quarter. What it is not: it measures nothing, and knows no age
//! of what it was told.

use std::time::Duration;

/// Parts of which a new measurement is one: of the mean, and of the deviation.
const MEAN_PARTS: u32 = 8;
const DEVIATION_PARTS: u32 = 4;

/// The round trip to one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// Smoothed mean.
    pub mean: Duration,
    /// Smoothed mean deviation from it.
    pub deviation: Duration,
}

impl RoundTrip {
    /// From the first measurement.
    #[must_use]
    pub fn first(measured: Duration) -> Self {
        Self {
            mean: measured,
            deviation: measured / 2,
        }
    }

    /// With one more measurement.
    #[must_use]
    pub fn and(self, measured: Duration) -> Self {
        let off = self.mean.abs_diff(measured);
        Self {
            mean: smooth(self.mean, measured, MEAN_PARTS),
            deviation: smooth(self.deviation, off, DEVIATION_PARTS),
        }
    }
}

fn smooth(known: Duration, measured: Duration, parts: u32) -> Duration {
    (known - known / parts).saturating_add(measured / parts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::RoundTrip;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn of(measured: impl IntoIterator<Item = u64>) -> RoundTrip {
        let mut measured = measured.into_iter().map(ms);
        let first = RoundTrip::first(measured.next().expect("one at least"));
        measured.fold(first, RoundTrip::and)
    }

    #[test]
    fn mean_and_deviation_are_those_of_rfc_6298() {
        let round_trip = of([80]);
        assert_eq!((round_trip.mean, round_trip.deviation), (ms(80), ms(40)));
        let round_trip = round_trip.and(ms(160));
        assert_eq!((round_trip.mean, round_trip.deviation), (ms(90), ms(50)));
    }

    #[test]
    fn link_that_has_become_longer_is_known_after_twenty_measurements() {
        let known = of(std::iter::repeat_n(80, 50).chain(std::iter::repeat_n(220, 20)));
        assert!(known.mean > ms(210), "{known:?}");
        let steady = of(std::iter::repeat_n(80, 50));
        assert!(steady.deviation < ms(1), "{steady:?}");
    }

    proptest! {
        #[test]
        fn mean_stays_within_what_was_measured(measured in vec(0_u64..60_000, 1..100)) {
            let known = of(measured.iter().copied());
            let rounding = Duration::from_micros(1);
            let (least, most) = (measured.iter().min(), measured.iter().max());
            prop_assert!(known.mean + rounding >= ms(*least.expect("some")));
            prop_assert!(known.mean <= ms(*most.expect("some")));
            prop_assert!(known.deviation <= ms(*most.expect("some")));
        }
    }

    #[test]
    fn longest_measurement_there_is_does_not_overflow() {
        let known = RoundTrip::first(Duration::MAX).and(Duration::MAX);
        assert!(known.mean > Duration::from_secs(1));
    }
}
