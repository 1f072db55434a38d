//! A second request for a read that is slow: when, and how many of them.
//!
//! Plain data. A read that takes longer than 95 of 100 did lately at the same endpoint is
//! asked for a second time, at the next endpoint. What that may cost is bounded by a
//! budget that only reads fill, a twentieth each: however slow everything is, at most one
//! request in twenty is a second one.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Reads that a percentile is taken of: minutes of a quiet client, a moment of a busy one.
const KEPT: usize = 64;
/// Fewer say nothing about the slowest twentieth.
const KEPT_MIN: usize = 20;
/// Endpoints that are remembered; as many as a roster holds.
const ENDPOINTS_MAX: usize = 256;
/// Reads that pay for one second request.
const READS_EACH: u32 = 20;
/// Second requests that can be saved up: a burst of slow answers finds so many at once.
const SAVED_MAX: u32 = 5;

/// How long reads took lately, and how many second requests they have paid for.
#[derive(Debug, Default)]
pub(crate) struct Hedging {
    lately: HashMap<String, VecDeque<Duration>>,
    /// In twentieths of a request.
    saved: u32,
}

impl Hedging {
    /// Takes note of a read that begins at an endpoint; answers after which time a second
    /// request is worth its while, if enough is known.
    pub(crate) fn begin(&mut self, endpoint: &str) -> Option<Duration> {
        self.saved = (self.saved + 1).min(SAVED_MAX * READS_EACH);
        p95(self.lately.get(endpoint)?)
    }

    /// Whether a second request may be sent; it is paid for then.
    pub(crate) const fn take(&mut self) -> bool {
        match self.saved.checked_sub(READS_EACH) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }

    /// Takes note of how long a read has taken.
    pub(crate) fn took(&mut self, endpoint: &str, time: Duration) {
        if self.lately.len() >= ENDPOINTS_MAX && !self.lately.contains_key(endpoint) {
            self.lately.clear();
        }
        let lately = self.lately.entry(endpoint.to_owned()).or_default();
        if lately.len() >= KEPT {
            lately.pop_front();
        }
        lately.push_back(time);
    }
}

fn p95(lately: &VecDeque<Duration>) -> Option<Duration> {
    if lately.len() < KEPT_MIN {
        return None;
    }
    let mut sorted: Vec<Duration> = lately.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get((sorted.len() * 95).div_ceil(100) - 1).copied()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{ENDPOINTS_MAX, Hedging, KEPT, KEPT_MIN, READS_EACH, SAVED_MAX};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn percentile_is_that_of_the_latest_reads_of_the_endpoint() {
        let mut hedging = Hedging::default();
        for time in 1..KEPT_MIN as u64 {
            hedging.took("a", ms(time));
            assert_eq!(hedging.begin("a"), None, "too little is known");
        }
        for time in 1..=100 {
            hedging.took("a", ms(time));
        }
        // Of 37 to 100, the 61st.
        assert_eq!(hedging.begin("a"), Some(ms(97)));
        assert_eq!(hedging.begin("b"), None, "of that one nothing is known");
        for _ in 0..KEPT {
            hedging.took("a", ms(5));
        }
        assert_eq!(hedging.begin("a"), Some(ms(5)));
    }

    #[test]
    fn nothing_grows_with_the_number_of_endpoints() {
        let mut hedging = Hedging::default();
        for endpoint in 0..3 * ENDPOINTS_MAX {
            hedging.took(&endpoint.to_string(), ms(1));
        }
        assert!(hedging.lately.len() <= ENDPOINTS_MAX);
    }

    proptest! {
        #[test]
        fn second_requests_are_never_more_than_a_twentieth(
            wants in prop::collection::vec(0..4_u32, 0..2_000)
        ) {
            let mut hedging = Hedging::default();
            let (mut reads, mut seconds, mut burst) = (0_u32, 0_u32, 0);
            for wanted in wants {
                hedging.begin("a");
                reads += 1;
                let taken = (0..wanted).filter(|_| hedging.take()).count();
                let taken = u32::try_from(taken).expect("few");
                seconds += taken;
                burst = burst.max(taken);
                prop_assert!(seconds * READS_EACH <= reads);
            }
            prop_assert!(burst <= SAVED_MAX);
        }
    }
}
