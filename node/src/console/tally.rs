//! Counts what became of requests about bookings, for a quarter of an hour.
//!
//! Counted where a request was served: what was passed on to another node, and what was told
//! again under its key, is not counted twice. Nothing is kept over a restart.

use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use axum::response::Response;
use meridian_regions::UnixNanos;

use super::series::{BUCKET_SECONDS, BUCKETS, Series};
use crate::api::problem::{Problem, Slug};
use crate::api::{REPLAYED, SERVED_BY};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Confirmed, or confirmed once it is paid.
    Booked,
    /// Nights are kept for a while.
    Held,
    /// Given back after it was sold.
    Cancelled,
    /// Two wanted the same night, and this one came second.
    Taken,
    /// No quorum, no room, or an outcome that is not known.
    Unanswered,
}

pub(super) const KINDS: usize = 5;

impl Kind {
    /// `None` for what is not counted.
    pub(super) fn of(route: &str, method: &Method, response: &Response) -> Option<Self> {
        let headers = response.headers();
        let is_told_again = headers.contains_key(REPLAYED) || headers.contains_key(SERVED_BY);
        if method != Method::POST || is_told_again {
            return None;
        }
        let done = match route {
            "/v1/bookings" => Self::Booked,
            "/v1/listings/{id}/holds" => Self::Held,
            "/v1/bookings/{id}/cancel" => Self::Cancelled,
            _ => return None,
        };
        if let Some(problem) = response.extensions().get::<Problem>() {
            return match problem.slug() {
                Slug::SlotTaken => Some(Self::Taken),
                Slug::NoQuorum | Slug::NoHolder | Slug::OutcomeUnknown | Slug::Overloaded => {
                    Some(Self::Unanswered)
                }
                _ => None,
            };
        }
        let is_done = [StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED];
        is_done.contains(&response.status()).then_some(done)
    }
}

/// The counts of this node.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Ring>);

/// Buckets by their number modulo how many there are.
#[derive(Debug)]
struct Ring {
    counts: [[u32; KINDS]; BUCKETS],
    newest: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            counts: [[0; KINDS]; BUCKETS],
            newest: 0,
        }
    }
}

impl Tally {
    pub(super) fn add(&self, kind: Kind, now: UnixNanos) {
        self.read(now, |ring| {
            let count = &mut ring.slot(ring.newest)[kind as usize];
            *count = count.saturating_add(1);
        });
    }

    /// All buckets, the oldest first.
    pub(super) fn series(&self, now: UnixNanos) -> Series {
        self.read(now, |ring| {
            let first = (ring.newest + 1).saturating_sub(BUCKETS as u64);
            let mut series = Series::empty(ring.newest * BUCKET_SECONDS);
            for (place, bucket) in (first..=ring.newest).enumerate() {
                let counts = *ring.slot(bucket);
                for (kind, count) in series.kinds_mut().into_iter().zip(counts) {
                    kind[place] = count;
                }
            }
            series
        })
    }

    fn read<T>(&self, now: UnixNanos, then: impl FnOnce(&mut Ring) -> T) -> T {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.advance(now.as_millis() / 1_000 / BUCKET_SECONDS);
        then(&mut ring)
    }
}

impl Ring {
    fn slot(&mut self, bucket: u64) -> &mut [u32; KINDS] {
        let place = usize::try_from(bucket % BUCKETS as u64).unwrap_or(0);
        &mut self.counts[place]
    }

    /// Makes room for what is counted from `now` on. A clock that was set back a little counts
    /// to the newest bucket; one that was set back by more than is kept begins anew.
    fn advance(&mut self, now: u64) {
        if now + BUCKETS as u64 <= self.newest {
            *self = Self::default();
        }
        let steps = now.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 0..steps {
            *self.slot(now - step) = [0; KINDS];
        }
        self.newest = self.newest.max(now);
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::UnixNanos;

    use super::{BUCKET_SECONDS, BUCKETS, Kind, Tally};

    fn at(bucket: u64) -> UnixNanos {
        UnixNanos::from_millis(bucket * BUCKET_SECONDS * 1_000)
    }

    #[test]
    fn what_is_older_than_the_ring_is_forgotten_and_the_rest_stands_in_its_place() {
        let tally = Tally::default();
        let first = 1_000;
        tally.add(Kind::Booked, at(first));
        tally.add(Kind::Booked, at(first));
        tally.add(Kind::Taken, at(first + 3));
        let series = tally.series(at(first + 3));
        assert_eq!(series.ends_at, (first + 3) * BUCKET_SECONDS);
        assert_eq!(series.booked[BUCKETS - 4..], [2, 0, 0, 0]);
        assert_eq!(series.taken[BUCKETS - 1], 1);
        let later = tally.series(at(first + BUCKETS as u64));
        assert_eq!(later.booked.iter().sum::<u32>(), 0);
        assert_eq!(later.taken.iter().sum::<u32>(), 1);
        let long_after = tally.series(at(first * 1_000));
        assert_eq!(long_after.taken.iter().sum::<u32>(), 0);
    }

    #[test]
    fn clock_that_is_set_back_does_not_stop_the_counting() {
        let tally = Tally::default();
        tally.add(Kind::Held, at(5_000_000));
        tally.add(Kind::Held, at(4_999_999));
        assert_eq!(tally.series(at(5_000_000)).held[BUCKETS - 1], 2);
        tally.add(Kind::Held, at(1_000));
        let series = tally.series(at(1_000));
        assert_eq!(series.held[BUCKETS - 1], 1);
        assert_eq!(series.held.iter().sum::<u32>(), 1);
    }
}
