//! Gives every own write its time and its number, in one order.
//!
//! The lock of the sequencer is held from the tick of the clock to the submission
//! of the batch: entries reach the database in the order of their numbers and of
//! their timestamps. So a timestamp taken now, and a barrier behind it in the
//! writer's queue, say that every own entry up to that timestamp can be read.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_regions::{ClockDrift, Hlc, HybridClock, NodeId, SHARD_COUNT, ShardId, UnixNanos};

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
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    clock: HybridClock,
    /// The latest number given in each shard.
    last: Vec<u64>,
}

/// What a write is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) origin: NodeId,
    pub(crate) seq: u64,
    pub(crate) hlc: Hlc,
}

impl Sequencer {
    /// Continues after what was found on disk.
    pub(crate) fn resume(
        origin: NodeId,
        drift_max: Duration,
        last_hlc: Hlc,
        last: impl Fn(ShardId) -> u64,
    ) -> Self {
        let mut clock = HybridClock::new(drift_max);
        clock.resume(last_hlc);
        Self {
            origin,
            state: Mutex::new(State {
                clock,
                last: ShardId::all().map(last).collect(),
            }),
        }
    }

    /// Gives a ticket in `shard` and submits what `submit` makes of it, both under
    /// the lock. `submit` must not block.
    pub(crate) fn issue<T>(&self, shard: ShardId, submit: impl FnOnce(Ticket) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let hlc = state.clock.tick(now());
        let last = &mut state.last[usize::from(shard.get() % SHARD_COUNT)];
        *last += 1;
        let ticket = Ticket {
            origin: self.origin,
            seq: *last,
            hlc,
        };
        submit(ticket)
    }

    /// A timestamp before every later write of this node.
    pub(crate) fn tick(&self) -> Hlc {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.tick(now())
    }

    /// Takes note of another node's timestamp.
    pub(crate) fn observe(&self, remote: Hlc) -> Result<(), ClockDrift> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.observe(now(), remote)
    }
}
