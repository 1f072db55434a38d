//! How much of each channel may be under way: requests, and bytes of requests.
//!
//! Both sides keep such a budget. The caller's, for each peer, is sized so that all
//! channels together fit the peer's stream limit and window: then no channel can
//! take what another needs, and opening a stream never waits. The server's, over
//! all peers, bounds the memory and the work of this node (invariant 10).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::endpoint::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX};
use crate::{Channel, FRAME_BYTES_MAX, Refusal};

/// Bytes are counted in units of this size, because a semaphore hands out `u32`.
const UNIT_BYTES: usize = 1_024;

const MIB: usize = 1_024 * 1_024;

/// Bounds of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Requests under way.
    pub(crate) requests: usize,
    /// Bytes of those requests, answers not counted.
    pub(crate) request_bytes: usize,
}

/// What this node may have under way to one peer.
pub(crate) const fn outgoing(channel: Channel) -> Limits {
    let (requests, request_bytes) = match channel {
        // One append for each of a thousand awake groups; a few snapshots at once.
        Channel::Raft => (1_024, 24 * MIB),
        // At 220 ms a booking, 2,300 bookings a second from this node to that one.
        Channel::Forward => (512, 8 * MIB),
        // At 5 ms each within a region, 100,000 a second; bodies have 256 KiB at most.
        Channel::Requests => (512, 7 * MIB),
        // A question now and then, a map of at most 128 KiB with some.
        Channel::Layout => (8, MIB),
        // Batches of an import.
        Channel::Control => (64, 5 * MIB),
        // Long streams, which are read at once whatever their clients do.
        Channel::Watches => (1_024, MIB),
        // A comparison, and what has just been written, half a mebibyte at most.
        Channel::Registers => (16, MIB),
        // Questions of a few bytes; the answers are pages.
        Channel::Events => (64, MIB),
        // One long stream, and those that are being replaced.
        Channel::Pull => (8, 8 * MIB),
    };
    Limits {
        requests,
        request_bytes,
    }
}

/// What this node serves at once, over all peers.
pub(crate) const fn served(channel: Channel) -> Limits {
    let (requests, request_bytes) = match channel {
        // A few for each of a thousand awake groups.
        Channel::Raft => (4_096, 64 * MIB),
        Channel::Forward => (1_024, 16 * MIB),
        Channel::Requests => (2_048, 32 * MIB),
        // One from each node of a large cluster.
        Channel::Layout => (512, 4 * MIB),
        Channel::Control => (128, 32 * MIB),
        Channel::Watches => (4_096, 4 * MIB),
        Channel::Registers => (64, 8 * MIB),
        Channel::Events => (128, MIB),
        // A long stream to each peer of a large cluster, and some being replaced.
        Channel::Pull => (256, 16 * MIB),
    };
    Limits {
        requests,
        request_bytes,
    }
}

/// The outgoing bounds of all channels together.
const fn outgoing_sum() -> Limits {
    let mut sum = Limits {
        requests: 0,
        request_bytes: 0,
    };
    let mut index = 0;
    while index < Channel::ALL.len() {
        let limits = outgoing(Channel::ALL[index]);
        sum.requests += limits.requests;
        sum.request_bytes += limits.request_bytes;
        index += 1;
    }
    sum
}

// A call within its budget always finds a free stream and room in the window.
const _: () = assert!(outgoing_sum().requests <= STREAMS_MAX as usize);
const _: () = assert!(outgoing_sum().request_bytes <= CONNECTION_WINDOW_BYTES as usize);
// Even if nobody reads from any bulk stream, a quarter of the window is left for
// the answers of the other channels.
const _: () = assert!(
    outgoing(Channel::Pull).requests * STREAM_WINDOW_BYTES as usize
        <= CONNECTION_WINDOW_BYTES as usize / 4 * 3
);
// The longest request fits every budget.
const _: () = assert!(outgoing(Channel::Pull).request_bytes >= FRAME_BYTES_MAX);

/// A part of a budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _permit: OwnedSemaphorePermit,
}

/// Budgets of all channels.
#[derive(Debug)]
pub(crate) struct Budgets {
    channels: [(Channel, Budget); Channel::ALL.len()],
}

#[derive(Debug)]
struct Budget {
    requests: Arc<Semaphore>,
    units: Arc<Semaphore>,
}

impl Budgets {
    pub(crate) fn new(limits: fn(Channel) -> Limits) -> Self {
        let channels = Channel::ALL.map(|channel| {
            let limits = limits(channel);
            let budget = Budget {
                requests: Arc::new(Semaphore::new(limits.requests)),
                units: Arc::new(Semaphore::new(limits.request_bytes / UNIT_BYTES)),
            };
            (channel, budget)
        });
        Self { channels }
    }

    /// Room for one more request, now or not at all.
    pub(crate) fn request(&self, channel: Channel) -> Result<Share, Refusal> {
        share(Arc::clone(&self.of(channel).requests).try_acquire_owned())
    }

    /// Room for a request's bytes, now or not at all.
    pub(crate) fn bytes_now(&self, channel: Channel, bytes: usize) -> Result<Share, Refusal> {
        let units = Arc::clone(&self.of(channel).units);
        share(units.try_acquire_many_owned(units_of(bytes)))
    }

    /// Room for a request's bytes, as soon as there is some, first come first served.
    /// As many wait as have a share of the requests.
    pub(crate) async fn bytes(&self, channel: Channel, bytes: usize) -> Share {
        let units = Arc::clone(&self.of(channel).units);
        let permit = units.acquire_many_owned(units_of(bytes)).await;
        Share {
            _permit: permit.expect("nothing closes a budget"),
        }
    }

    fn of(&self, channel: Channel) -> &Budget {
        let found = self.channels.iter().find(|(of, _)| *of == channel);
        &found.expect("every channel has a budget").1
    }
}

fn share<E>(permit: Result<OwnedSemaphorePermit, E>) -> Result<Share, Refusal> {
    match permit {
        Ok(permit) => Ok(Share { _permit: permit }),
        Err(_exhausted) => Err(Refusal::Overloaded),
    }
}

fn units_of(frame_bytes: usize) -> u32 {
    let units = frame_bytes.div_ceil(UNIT_BYTES).max(1);
    u32::try_from(units).expect("a frame's length was checked before")
}

#[cfg(test)]
mod tests {
    use super::{Budgets, MIB, outgoing};
    use crate::{Channel, Refusal};

    #[test]
    fn full_channel_refuses_and_leaves_the_others_alone() {
        let budgets = Budgets::new(outgoing);
        let taken: Vec<_> = (0..outgoing(Channel::Pull).requests)
            .map(|_| budgets.request(Channel::Pull).expect("room"))
            .collect();
        let refused = budgets.request(Channel::Pull).expect_err("full");
        assert_eq!(refused, Refusal::Overloaded);
        assert!(budgets.request(Channel::Raft).is_ok());
        drop(taken);
        assert!(budgets.request(Channel::Pull).is_ok());
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let budgets = Budgets::new(outgoing);
        let first = budgets.bytes_now(Channel::Forward, 4 * MIB).expect("room");
        let _second = budgets.bytes_now(Channel::Forward, 4 * MIB).expect("room");
        assert!(budgets.bytes_now(Channel::Forward, 0).is_err(), "full");
        drop(first);
        assert!(budgets.bytes_now(Channel::Forward, MIB).is_ok());
    }
}
