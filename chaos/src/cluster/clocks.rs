//! How wrong the clocks of nodes are: the sum of what each fault asks for, so that of two
//! who make one clock wrong, each takes back its own.
//!
//! A node that is started again has forgotten all of it: its clock is right until somebody
//! makes it wrong, or right, again.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_client::CallError;
use tokio::time::{Instant, timeout};

use super::{Cluster, ClusterError};

/// How long a node may take to set its clock. One that is broken may take for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one fault makes a clock wrong by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Skew {
    offset_ms: i64,
    rate_ppm: i64,
    since: Instant,
}

/// Names a part of what a node's clock is wrong by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SkewId {
    /// Whose clock.
    pub(crate) node: u64,
    number: u64,
}

/// What all clocks are wrong by.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    last: u64,
    skews: BTreeMap<SkewId, Skew>,
}

impl Skew {
    /// From now on, so many milliseconds ahead and so many millionths faster.
    pub(crate) fn new(offset_ms: i64, rate_ppm: i64) -> Self {
        Self {
            offset_ms,
            rate_ppm,
            since: Instant::now(),
        }
    }

    fn ahead_ms(&self, at: Instant) -> i64 {
        let passed = at.saturating_duration_since(self.since).as_micros();
        let passed_us = i64::try_from(passed).unwrap_or(i64::MAX);
        self.offset_ms + passed_us.saturating_mul(self.rate_ppm) / 1_000_000_000
    }
}

impl Clocks {
    fn add(&mut self, node: u64, skew: Skew) -> SkewId {
        self.last += 1;
        let id = SkewId {
            node,
            number: self.last,
        };
        self.skews.insert(id, skew);
        id
    }

    /// How far ahead a node's clock is meant to be, in milliseconds, and how much faster it
    /// goes, in millionths; `None` if it is right.
    fn of(&self, node: u64, at: Instant) -> Option<(i64, i64)> {
        let all = self.skews.iter().filter(|(id, _)| id.node == node);
        all.fold(None, |sum, (_, skew)| {
            let (ahead_ms, rate_ppm) = sum.unwrap_or_default();
            Some((ahead_ms + skew.ahead_ms(at), rate_ppm + skew.rate_ppm))
        })
    }
}

impl Cluster {
    /// Makes a node's clock wrong by so much more.
    pub(crate) async fn skew_clock(&self, node: u64, skew: Skew) -> Result<SkewId, ClusterError> {
        let mut clocks = self.clocks.lock().await;
        let id = clocks.add(node, skew);
        if let Err(cause) = self.set_clock(node, &clocks).await {
            clocks.skews.remove(&id);
            // It may have been done all the same.
            let _ = self.set_clock(node, &clocks).await;
            return Err(cause);
        }
        Ok(id)
    }

    /// Takes it back. May be repeated.
    pub(crate) async fn unskew_clock(&self, id: SkewId) -> Result<(), ClusterError> {
        let mut clocks = self.clocks.lock().await;
        clocks.skews.remove(&id);
        self.set_clock(id.node, &clocks).await
    }

    /// How far ahead a node's clock is meant to be by this part alone, and by all, in
    /// milliseconds; `None` if the part was taken back.
    pub(crate) async fn clock_ahead_ms(&self, id: SkewId) -> Option<(i64, i64)> {
        let (clocks, now) = (self.clocks.lock().await, Instant::now());
        let (all_ms, _) = clocks.of(id.node, now)?;
        Some((clocks.skews.get(&id)?.ahead_ms(now), all_ms))
    }

    async fn set_clock(&self, node: u64, clocks: &Clocks) -> Result<(), ClusterError> {
        let admin = self.admin(node)?;
        let set = async {
            match clocks.of(node, Instant::now()) {
                None => admin.set_clock_right().await,
                Some((ahead_ms, rate_ppm)) => admin.set_clock(ahead_ms, rate_ppm).await,
            }
        };
        let late = |_| {
            Err(CallError::Unknown(
                "its clock is not set in time".to_owned(),
            ))
        };
        timeout(PATIENCE, set).await.unwrap_or_else(late)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clocks, Skew};

    #[test]
    fn skews_of_a_clock_add_up_and_each_takes_back_its_own() {
        let mut clocks = Clocks::default();
        let jump = Skew::new(5_000, 0);
        let drift = Skew {
            since: jump.since,
            ..Skew::new(0, -100_000)
        };
        let later = jump.since + Duration::from_secs(10);
        assert_eq!(clocks.of(1, later), None);
        let jumped = clocks.add(1, jump);
        let drifting = clocks.add(1, drift);
        clocks.add(2, jump);
        assert_eq!(clocks.of(1, later), Some((4_000, -100_000)));
        clocks.skews.remove(&jumped);
        assert_eq!(clocks.of(1, later), Some((-1_000, -100_000)));
        clocks.skews.remove(&drifting);
        assert_eq!(clocks.of(1, later), None);
        assert_eq!(clocks.of(2, later), Some((5_000, 0)));
    }
}
