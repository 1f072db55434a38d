//! Gives every own write its time and its number, in one order.
//!
//! The lock of the sequencer is held from the tick of the clock to the submission
//! of the batch: entries reach the database in the order of their numbers and of
//! their timestamps. So a timestamp taken now, and a barrier behind it in the
//! writer's queue, say that every own entry up to that timestamp can be read. What is
//! announced is durable, too: a clock that is set back before a restart does not bring
//! this node below it. To that end a little time is reserved ahead, and an announcement
//! within it needs no sync of its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_regions::{ClockDrift, Hlc, HybridClock, NodeId, SHARD_COUNT, ShardId, UnixNanos};

use crate::WallClock;

/// How far ahead time is reserved. A node that restarts goes on from there: well below
/// the drift that its peers accept.
const RESERVED_AHEAD: Duration = Duration::from_millis(200);

/// This machine's clock.
pub(crate) fn now() -> UnixNanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos::from_millis(0).saturating_add(since)
}

#[derive(Debug)]
pub(crate) struct Sequencer {
    origin: NodeId,
    wall: WallClock,
    drift_max: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    clock: HybridClock,
    /// The latest number given in each shard.
    last: Vec<u64>,
    /// Until when time is reserved, by a batch that has been submitted.
    reserved: Hlc,
}

/// What a write is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) origin: NodeId,
    pub(crate) seq: u64,
    pub(crate) hlc: Hlc,
}

/// What has been given until a timestamp.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) through: Hlc,
    last: Vec<u64>,
}

impl Issued {
    /// The last number given in a shard until then.
    pub(crate) fn last(&self, shard: ShardId) -> u64 {
        self.last[usize::from(shard.get() % SHARD_COUNT)]
    }
}

impl Sequencer {
    /// Continues after what was found on disk.
    pub(crate) fn resume(
        origin: NodeId,
        (wall, drift_max): (WallClock, Duration),
        last_hlc: Hlc,
        last: impl Fn(ShardId) -> u64,
    ) -> Self {
        let mut clock = HybridClock::new(drift_max);
        clock.resume(last_hlc);
        Self {
            origin,
            wall,
            drift_max,
            state: Mutex::new(State {
                clock,
                last: ShardId::all().map(last).collect(),
                reserved: last_hlc,
            }),
        }
    }

    /// What this node's clock shows.
    pub(crate) fn now(&self) -> UnixNanos {
        self.wall.now()
    }

    /// The latest hybrid time given or observed.
    pub(crate) fn last(&self) -> Hlc {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.last()
    }

    /// The last number given in a shard.
    pub(crate) fn given(&self, shard: ShardId) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last[usize::from(shard.get() % SHARD_COUNT)]
    }

    /// Goes on behind numbers that were given in an earlier life and have been fetched.
    pub(crate) fn skip_to(&self, last: impl Fn(ShardId) -> u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (given, fetched) in state.last.iter_mut().zip(ShardId::all().map(last)) {
            *given = fetched.max(*given);
        }
    }

    /// Gives a ticket in `shard` and submits what `submit` makes of it, both under
    /// the lock. `submit` must be quick, because every writer of this node waits for it,
    /// and must not block; if it panics, the number is given again.
    pub(crate) fn issue<T>(&self, shard: ShardId, submit: impl FnOnce(Ticket) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let hlc = state.clock.tick(self.now());
        let index = usize::from(shard.get() % SHARD_COUNT);
        let ticket = Ticket {
            origin: self.origin,
            seq: state.last[index] + 1,
            hlc,
        };
        let submitted = submit(ticket);
        // Only now: a number that was given and not submitted would be a gap for ever.
        state.last[index] = ticket.seq;
        submitted
    }

    /// The hybrid time of a change that is about to be made: not before that of any change
    /// that is known here, whatever the wall clock says.
    pub(crate) fn time(&self) -> UnixNanos {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.tick(self.now()).to_unix_nanos()
    }

    /// A timestamp before every later write of this node and after every earlier one,
    /// and what `submit` makes of it under the lock: behind every earlier write in the
    /// writer's queue. It is told until when time has to be reserved, durably, if what is
    /// reserved does not reach so far. `submit` must not block.
    pub(crate) fn tick<T>(&self, submit: impl FnOnce(Option<Hlc>) -> T) -> (Issued, T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = Issued {
            through: state.clock.tick(self.now()),
            last: state.last.clone(),
        };
        let reserve = (issued.through > state.reserved).then(|| {
            let until = issued.through.to_unix_nanos();
            Hlc::from_unix_nanos(until.saturating_add(RESERVED_AHEAD))
        });
        let submitted = submit(reserve);
        state.reserved = reserve.unwrap_or(state.reserved);
        (issued, submitted)
    }

    /// Whether numbers have been given since.
    pub(crate) fn has_given_since(&self, issued: &Issued) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last != issued.last
    }

    /// Whether a timestamp is one that a node of this cluster can have given by now.
    pub(crate) fn check(&self, remote: Hlc) -> Result<(), ClockDrift> {
        let ahead = remote.to_unix_nanos().saturating_since(self.now());
        if ahead > self.drift_max {
            return Err(ClockDrift {
                ahead,
                max: self.drift_max,
            });
        }
        Ok(())
    }

    /// Takes note of another node's timestamp.
    pub(crate) fn observe(&self, remote: Hlc) -> Result<(), ClockDrift> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.observe(self.now(), remote)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use meridian_regions::{Hlc, NodeId, ShardId};

    use super::Sequencer;
    use crate::WallClock;

    fn clock() -> (WallClock, Duration) {
        (WallClock::default(), Duration::from_millis(500))
    }

    #[test]
    fn number_of_a_write_that_panicked_is_given_again() {
        let origin = NodeId::new(1).expect("not zero");
        let shard = ShardId::all().next().expect("there are shards");
        let sequencer = Sequencer::resume(origin, clock(), Hlc::default(), |_| 7);
        let defect = AssertUnwindSafe(|| sequencer.issue::<()>(shard, |_| panic!("a defect")));
        assert!(catch_unwind(defect).is_err());
        assert_eq!(sequencer.issue(shard, |ticket| ticket.seq), 8);
    }

    #[test]
    fn tick_knows_exactly_the_numbers_before_it() {
        let origin = NodeId::new(1).expect("not zero");
        let shard = ShardId::all().next().expect("there are shards");
        let sequencer = Sequencer::resume(origin, clock(), Hlc::default(), |_| 7);
        let before = sequencer.issue(shard, |ticket| ticket);
        let (issued, ()) = sequencer.tick(|_| ());
        let after = sequencer.issue(shard, |ticket| ticket);
        assert_eq!(issued.last(shard), before.seq);
        assert!(before.hlc < issued.through && issued.through < after.hlc);
    }
}
