//! How far away an endpoint is.

use std::time::Duration;

/// Of the first samples the least counts: the first one pays for the connection too.
const FIRST: u32 = 3;
/// A later sample weighs one part in so many (RFC 6298).
const PARTS: u32 = 8;

/// A smoothed round trip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RoundTrip {
    samples: u32,
    smoothed: Option<Duration>,
}

impl RoundTrip {
    pub(super) fn record(&mut self, sample: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => sample,
            Some(known) if self.samples < FIRST => known.min(sample),
            Some(known) => known - known / PARTS + sample / PARTS,
        });
        self.samples = self.samples.saturating_add(1);
    }

    /// The round trip, if it was ever measured.
    pub(super) const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Whether enough was measured to measure seldom from now on.
    pub(super) const fn is_settled(&self) -> bool {
        self.samples >= FIRST
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{FIRST, RoundTrip};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn connecting_does_not_count() {
        let mut round_trip = RoundTrip::default();
        for sample in [240, 80, 82] {
            round_trip.record(ms(sample));
        }
        assert_eq!(round_trip.smoothed(), Some(ms(80)));
    }

    #[test]
    fn one_slow_answer_moves_it_little_and_many_move_it_there() {
        let mut round_trip = RoundTrip::default();
        for _ in 0..FIRST {
            round_trip.record(ms(80));
        }
        round_trip.record(ms(800));
        assert!(round_trip.smoothed() < Some(ms(180)));
        for _ in 0..50 {
            round_trip.record(ms(800));
        }
        assert!(round_trip.smoothed() > Some(ms(780)));
    }

    proptest! {
        #[test]
        fn it_stays_within_what_was_measured(samples in prop::collection::vec(1_u64..10_000, 1..60)) {
            let mut round_trip = RoundTrip::default();
            for sample in &samples {
                round_trip.record(ms(*sample));
            }
            let smoothed = round_trip.smoothed().expect("measured");
            let (least, most) = (samples.iter().min(), samples.iter().max());
            prop_assert!(smoothed + Duration::from_micros(1) >= ms(*least.expect("some")));
            prop_assert!(smoothed <= ms(*most.expect("some")));
        }
    }
}
