//! What the clocks of the other voters say beside this node's.
//!
//! A ledger's time comes from its log and never goes back: a leader whose clock is far
//! ahead would let every hold lapse and forget every key. So a leader proposes only while
//! a quorum of voters, itself included, is not surely behind its clock. Every answer
//! carries the wall clock of who gave it. A sample holds for as long as this node's own
//! clock has not jumped since, which its monotonic clock tells.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use tokio::time::Instant;

use crate::options::WallClock;
#[cfg(test)]
use crate::planted::{Bug, is_planted};

/// Clocks drift apart slowly, too: then a sample has to be taken again. At 200 ppm, more
/// than any quartz is off, this is 60 ms.
const SAMPLE_AGE_MAX: Duration = Duration::from_secs(300);
/// A step of the wall clock against the monotonic one that ends a sample.
const STEP_MS_MAX: i64 = 100;

/// Both clocks of this node, read together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) wall_ms: u64,
    monotonic: Instant,
}

impl Reading {
    /// How much further the wall clock has gone than the monotonic one, since `earlier`.
    fn step_since(&self, earlier: &Self) -> i64 {
        let passed = self.monotonic.saturating_duration_since(earlier.monotonic);
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        difference(self.wall_ms, earlier.wall_ms).saturating_sub(passed_ms)
    }
}

/// How this node's clock stands to those of a group's voters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// A quorum is not behind.
    Agreed,
    /// Too few have been heard: ask a quorum first.
    Unheard,
    /// So many are surely behind that no quorum is left.
    Ahead,
}

/// One sample for each node of the topology.
#[derive(Debug)]
pub(crate) struct Clocks {
    ahead_ms_max: i64,
    wall: WallClock,
    samples: Mutex<HashMap<NodeId, Sample>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// By how much this node's clock is ahead of the other's, at the least.
    ahead_ms: i64,
    /// By how much the other's is ahead, at the least.
    behind_ms: i64,
    at: Reading,
}

impl Clocks {
    pub(crate) fn new(ahead_max: Duration, wall: WallClock) -> Self {
        Self {
            ahead_ms_max: i64::try_from(ahead_max.as_millis()).unwrap_or(i64::MAX),
            wall,
            samples: Mutex::default(),
        }
    }

    /// Reads both clocks of this node.
    pub(crate) fn read(&self) -> Reading {
        Reading {
            wall_ms: self.wall.now_ms(),
            monotonic: Instant::now(),
        }
    }

    /// Takes note of another node's clock, read at some time from `asked` to `answered`.
    /// If this node's has jumped meanwhile, nothing is known.
    pub(crate) fn note(&self, node: NodeId, asked: Reading, answered: Reading, their_wall_ms: u64) {
        if answered.step_since(&asked).abs() > STEP_MS_MAX {
            self.samples().remove(&node);
            return;
        }
        let sample = Sample {
            ahead_ms: difference(asked.wall_ms, their_wall_ms),
            behind_ms: difference(their_wall_ms, answered.wall_ms),
            at: answered,
        };
        self.samples().insert(node, sample);
    }

    /// Whether another node's clock is surely further ahead of this one's than is good
    /// for a leader.
    pub(crate) fn is_ahead(&self, node: NodeId) -> bool {
        self.samples()
            .get(&node)
            .is_some_and(|sample| sample.behind_ms > self.ahead_ms_max)
    }

    /// The nodes from whose clocks this one's is surely further away than is good for a
    /// leader, each with the milliseconds that this one's is ahead; less than 0 is behind.
    pub(crate) fn apart(&self, now: Reading) -> Vec<(NodeId, i64)> {
        let samples = self.samples();
        let known = samples.iter().filter(|(_, sample)| sample.holds(now));
        let apart = known.filter_map(|(node, sample)| {
            let ahead = Some(sample.ahead_ms).filter(|ahead| *ahead > self.ahead_ms_max);
            let behind = Some(-sample.behind_ms).filter(|ahead| *ahead < -self.ahead_ms_max);
            Some((*node, ahead.or(behind)?))
        });
        apart.collect()
    }

    /// How the clock of node `own` stands to those of `voters` at `now`.
    pub(crate) fn compare(
        &self,
        own: NodeId,
        voters: impl Iterator<Item = NodeId>,
        now: Reading,
    ) -> Agreement {
        #[cfg(test)]
        if is_planted(Bug::ClockUnbounded) {
            return Agreement::Agreed;
        }
        let (mut total, mut agreeing, mut behind) = (0, 0, 0);
        let samples = self.samples();
        for voter in voters {
            total += 1;
            if voter == own {
                agreeing += 1;
                continue;
            }
            let sample = samples.get(&voter).filter(|sample| sample.holds(now));
            match sample.map(|sample| sample.ahead_ms > self.ahead_ms_max) {
                Some(true) => behind += 1,
                Some(false) => agreeing += 1,
                None => {}
            }
        }
        if 2 * agreeing > total {
            Agreement::Agreed
        } else if 2 * (total - behind) > total {
            Agreement::Unheard
        } else {
            Agreement::Ahead
        }
    }

    fn samples(&self) -> MutexGuard<'_, HashMap<NodeId, Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sample {
    fn holds(&self, now: Reading) -> bool {
        let age = now.monotonic.saturating_duration_since(self.at.monotonic);
        age <= SAMPLE_AGE_MAX && now.step_since(&self.at).abs() <= STEP_MS_MAX
    }
}

fn difference(one: u64, other: u64) -> i64 {
    let (one, other) = (i64::try_from(one), i64::try_from(other));
    one.unwrap_or(i64::MAX)
        .saturating_sub(other.unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::NodeId;
    use tokio::time::Instant;

    use super::{Agreement, Clocks, Reading, SAMPLE_AGE_MAX};
    use crate::options::WallClock;

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    struct Fixture {
        clocks: Clocks,
        start: Reading,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                clocks: Clocks::new(Duration::from_millis(500), WallClock::System),
                start: Reading {
                    wall_ms: 1_000_000,
                    monotonic: Instant::now(),
                },
            }
        }

        fn note(&self, voter: u64, wall_ms: u64) {
            self.clocks
                .note(node(voter), self.start, self.start, wall_ms);
        }

        fn after(&self, passed: Duration, jump_ms: u64) -> Reading {
            let passed_ms = u64::try_from(passed.as_millis()).expect("short");
            Reading {
                wall_ms: self.start.wall_ms + passed_ms + jump_ms,
                monotonic: self.start.monotonic + passed,
            }
        }

        fn compare(&self, now: Reading) -> Agreement {
            let voters = [1, 2, 3].map(node);
            self.clocks.compare(node(1), voters.into_iter(), now)
        }
    }

    #[test]
    fn one_voter_that_is_not_behind_makes_a_quorum() {
        let fixture = Fixture::new();
        assert_eq!(fixture.compare(fixture.start), Agreement::Unheard);
        fixture.note(2, 1_000_100);
        fixture.note(3, 0);
        assert_eq!(fixture.compare(fixture.start), Agreement::Agreed);
    }

    #[test]
    fn clocks_far_apart_are_named_with_how_far() {
        let fixture = Fixture::new();
        fixture.note(2, 1_000_100);
        fixture.note(3, 990_000);
        fixture.note(4, 1_002_000);
        let mut apart = fixture.clocks.apart(fixture.start);
        apart.sort_unstable();
        assert_eq!(apart, [(node(3), 10_000), (node(4), -2_000)]);
        let old = fixture.after(SAMPLE_AGE_MAX * 2, 0);
        assert_eq!(fixture.clocks.apart(old), []);
    }

    #[test]
    fn clock_that_two_of_three_are_behind_is_ahead() {
        let fixture = Fixture::new();
        for voter in [2, 3] {
            fixture.note(voter, 999_000);
        }
        assert_eq!(fixture.compare(fixture.start), Agreement::Ahead);
    }

    /// Found by the simulation: the sample said that the clock of before the jump was
    /// not ahead, and held for the clock of after it.
    #[test]
    fn jump_while_an_answer_is_under_way_leaves_no_sample() {
        let fixture = Fixture::new();
        let answered = fixture.after(Duration::from_millis(50), 3_600_000);
        let clocks = &fixture.clocks;
        clocks.note(node(2), fixture.start, answered, 1_000_020);
        assert_eq!(fixture.compare(answered), Agreement::Unheard);
    }

    #[test]
    fn sample_ends_with_a_jump_of_the_own_clock_and_with_age() {
        let fixture = Fixture::new();
        fixture.note(2, 1_000_000);
        let later = Duration::from_secs(60);
        assert_eq!(fixture.compare(fixture.after(later, 0)), Agreement::Agreed);
        let jumped = fixture.after(later, 3_600_000);
        assert_eq!(fixture.compare(jumped), Agreement::Unheard);
        let old = fixture.after(SAMPLE_AGE_MAX + later, 0);
        assert_eq!(fixture.compare(old), Agreement::Unheard);
    }
}
