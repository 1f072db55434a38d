//! Which requests are followed.
//!
//! Of all requests a part. A client that says that it records its request has it followed
//! too, so that its trace is whole; but only so many in a second, because whoever can send a
//! header could else have everything followed. Beyond that it is one of all. A client that
//! says that it does not record it has its word: its trace would be without a beginning.

use std::num::NonZeroU32;

use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use meridian_trace::TraceParent;

use crate::config::TracingSection;

/// See the module.
pub(super) struct Sampling {
    ratio: f64,
    requested: Option<RateLimiter<NotKeyed, InMemoryState, DefaultClock>>,
}

impl Sampling {
    pub(super) fn of(section: &TracingSection) -> Self {
        let per_second = NonZeroU32::new(section.requested_per_second_max);
        Self {
            ratio: section.sample_ratio,
            requested: per_second.map(|rate| RateLimiter::direct(Quota::per_second(rate))),
        }
    }

    /// Whether a request is followed, by what its client says and by `chance`, of [0, 1).
    pub(super) fn follows(&self, parent: Option<&TraceParent>, chance: f64) -> bool {
        match parent.map(TraceParent::is_sampled) {
            Some(false) => false,
            Some(true) if self.is_granted() => true,
            Some(true) | None => chance < self.ratio,
        }
    }

    fn is_granted(&self) -> bool {
        self.requested
            .as_ref()
            .is_some_and(|requested| requested.check().is_ok())
    }
}

impl std::fmt::Debug for Sampling {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Sampling");
        shown.field("ratio", &self.ratio).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use meridian_trace::TraceParent;

    use super::Sampling;
    use crate::config::TracingSection;

    fn parent(flags: &str) -> TraceParent {
        let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceParent::read(&text).expect("a header")
    }

    fn sampling(sample_ratio: f64, requested_per_second_max: u32) -> Sampling {
        Sampling::of(&TracingSection {
            sample_ratio,
            requested_per_second_max,
            ..TracingSection::default()
        })
    }

    #[test]
    fn part_of_all_requests_is_followed() {
        let sampling = sampling(0.25, 0);
        for (chance, is_followed) in [(0.0, true), (0.249, true), (0.25, false), (0.999, false)] {
            assert_eq!(sampling.follows(None, chance), is_followed, "{chance}");
        }
    }

    #[test]
    fn client_has_some_of_its_requests_followed_and_never_all() {
        const PER_SECOND: u32 = 3;
        const ASKED: usize = 1_000;
        let sampling = sampling(0.0, PER_SECOND);
        let began = std::time::Instant::now();
        let followed = (0..ASKED).filter(|_| sampling.follows(Some(&parent("01")), 0.5));
        let followed = followed.count() as u64;
        // A machine that stands still for seconds gives seconds' worth.
        let bound = u64::from(PER_SECOND) * (2 + began.elapsed().as_secs());
        assert!(
            (u64::from(PER_SECOND)..=bound).contains(&followed),
            "{followed}"
        );
    }

    #[test]
    fn client_that_does_not_record_its_request_is_not_followed() {
        let sampling = sampling(1.0, 10);
        assert!(!sampling.follows(Some(&parent("00")), 0.0));
        assert!(sampling.follows(Some(&parent("01")), 0.5));
    }

    #[test]
    fn word_of_a_client_counts_for_nothing_where_none_are_granted() {
        let sampling = sampling(0.5, 0);
        assert!(!sampling.follows(Some(&parent("01")), 0.7));
        assert!(sampling.follows(Some(&parent("01")), 0.3));
    }
}
