//! Counts over time, of one node or of all together.

use serde::{Deserialize, Serialize};

use super::tally::KINDS;

/// Seconds that are counted together: a bar that grows while one looks.
pub(super) const BUCKET_SECONDS: u64 = 5;
/// Buckets that are kept: a quarter of an hour, five bars to a thumb's breadth.
pub(super) const BUCKETS: usize = 180;

/// One list for each kind of outcome, the oldest bucket first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Series {
    pub(super) bucket_seconds: u64,
    /// When the last bucket began, in seconds since 1970.
    pub(super) ends_at: u64,
    pub(super) booked: Vec<u32>,
    pub(super) held: Vec<u32>,
    pub(super) cancelled: Vec<u32>,
    pub(super) taken: Vec<u32>,
    pub(super) unanswered: Vec<u32>,
}

impl Series {
    /// Nothing was counted until a bucket.
    pub(super) fn empty(ends_at: u64) -> Self {
        let none = || vec![0; BUCKETS];
        Self {
            bucket_seconds: BUCKET_SECONDS,
            ends_at,
            booked: none(),
            held: none(),
            cancelled: none(),
            taken: none(),
            unanswered: none(),
        }
    }

    pub(super) fn kinds_mut(&mut self) -> [&mut Vec<u32>; KINDS] {
        [
            &mut self.booked,
            &mut self.held,
            &mut self.cancelled,
            &mut self.taken,
            &mut self.unanswered,
        ]
    }

    /// Adds what another node has counted at the same time. What lies outside of what is kept
    /// here, because its clock stands otherwise, is left out; so is what another version counts
    /// in other buckets.
    pub(super) fn add(&mut self, mut other: Self) {
        if other.bucket_seconds != BUCKET_SECONDS {
            return;
        }
        let (mine, its) = (
            self.ends_at / BUCKET_SECONDS,
            other.ends_at / BUCKET_SECONDS,
        );
        for (sums, counts) in self.kinds_mut().into_iter().zip(other.kinds_mut()) {
            for (age, count) in (0_u64..).zip(counts.iter().rev()) {
                let age_here = (mine + age).checked_sub(its);
                let age_here = age_here.and_then(|age| usize::try_from(age).ok());
                if let Some(sum) = age_here.and_then(|age| sums.iter_mut().rev().nth(age)) {
                    *sum = sum.saturating_add(*count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKET_SECONDS, BUCKETS, Series};

    #[test]
    fn counts_of_nodes_add_up_where_they_were_counted_at_one_time() {
        let mut all = Series::empty(10_000);
        let mut late = Series::empty(10_000 - 2 * BUCKET_SECONDS);
        late.booked[BUCKETS - 1] = 3;
        let mut early = Series::empty(10_000 + BUCKET_SECONDS);
        early.booked[BUCKETS - 1] = 100;
        early.booked[BUCKETS - 2] = 4;
        all.add(late);
        all.add(early);
        assert_eq!(all.booked[BUCKETS - 3..], [3, 0, 4]);
        let other_version = Series {
            bucket_seconds: 60,
            ..Series::empty(10_000)
        };
        all.add(other_version);
        all.add(Series {
            bucket_seconds: BUCKET_SECONDS,
            ends_at: 10_000,
            taken: vec![7; 10 * BUCKETS],
            ..Series::default()
        });
        assert_eq!(all.taken, vec![7; BUCKETS]);
    }
}
