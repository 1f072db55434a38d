//! The datagrams of one direction that are under way: pure, with time and seed from outside.
//! The same seed, model and datagrams give the same fates.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Bandwidth, LinkModel, LinkState};

/// Datagrams under way in one direction. Beyond it the newest is dropped, as a full
/// router's queue does.
const UNDER_WAY_MAX: usize = 8_192;
/// Bytes of them: packets of 1,500 bytes reach the other limit first, datagrams of 64 KiB this.
const UNDER_WAY_BYTES_MAX: usize = 32 * 1_024 * 1_024;

/// The seed of one lane: each has its own chance, whatever the others see.
pub(crate) fn seed_of(seed: u64, lane: [u64; 3]) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014): neighbours come out far apart.
    lane.into_iter().fold(seed, |state, part| {
        let mixed = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// Why a datagram is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Cut,
    TooLong,
    Chance,
    Burst,
    Overflow,
}

/// What is decided about a datagram as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost(Loss),
    Passes {
        duplicated: bool,
        corrupted: bool,
        queued: bool,
    },
}

/// A datagram that is let out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    /// How much later than the model says.
    pub(crate) late: Duration,
    /// Since it came.
    pub(crate) under_way: Duration,
    /// Whether one that came after it was let out before.
    pub(crate) overtaken: bool,
}

/// Datagrams under way in one direction.
#[derive(Debug)]
pub(crate) struct Lane {
    under_way: BinaryHeap<Reverse<Waiting>>,
    under_way_bytes: usize,
    /// First bytes of each that are not counted, and not damaged.
    headers: usize,
    /// Datagrams that were not lost, copies included.
    admitted: u64,
    /// The number up to which any has been let out.
    let_out: u64,
    /// When the last of those that keep their order is let out.
    last: Option<Instant>,
    /// Until when the bandwidth is used by those that have come.
    busy_until: Option<Instant>,
    bad: bool,
    random: StdRng,
}

impl Lane {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            under_way: BinaryHeap::new(),
            under_way_bytes: 0,
            headers: 0,
            admitted: 0,
            let_out: 0,
            last: None,
            busy_until: None,
            bad: false,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The same for datagrams that come with so many bytes of headers.
    pub(crate) const fn with_headers(mut self, bytes: usize) -> Self {
        self.headers = bytes;
        self
    }

    /// Takes in a datagram that comes `now`.
    pub(crate) fn admit(&mut self, model: &LinkModel, now: Instant, datagram: &[u8]) -> Fate {
        let payload = datagram.len().saturating_sub(self.headers);
        if let Some(loss) = self.loses(model, payload) {
            return Fate::Lost(loss);
        }
        let Some(out) = self.out_at(model.bandwidth, now, payload) else {
            return Fate::Lost(Loss::Overflow);
        };
        let mut bytes = datagram.to_vec();
        let corrupted = payload > 0 && self.happens(model.corrupt);
        if corrupted {
            let at = self.random.random_range(self.headers..bytes.len());
            bytes[at] ^= 1 << self.random.random_range(0..8_u32);
        }
        let duplicated = self.happens(model.duplicate);
        if duplicated {
            self.queue(model, now, out, bytes.clone());
        }
        self.queue(model, now, out, bytes);
        Fate::Passes {
            duplicated,
            corrupted,
            queued: out > now,
        }
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(next)| next.at)
    }

    /// Lets one out that is due.
    pub(crate) fn let_out(&mut self, now: Instant) -> Option<Parcel> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse(due) = self.under_way.pop()?;
        self.under_way_bytes -= due.bytes.len();
        let overtaken = due.number < self.let_out;
        self.let_out = self.let_out.max(due.number);
        Some(Parcel {
            bytes: due.bytes,
            late: now.duration_since(due.at),
            under_way: now.duration_since(due.came),
            overtaken,
        })
    }

    fn loses(&mut self, model: &LinkModel, bytes: usize) -> Option<Loss> {
        if model.state == LinkState::Cut {
            return Some(Loss::Cut);
        }
        if model.mtu_bytes.is_some_and(|most| bytes > most) {
            return Some(Loss::TooLong);
        }
        if self.happens(model.loss) {
            return Some(Loss::Chance);
        }
        if let Some(burst) = model.burst
            && burst.loses(&mut self.bad, &mut self.random)
        {
            return Some(Loss::Burst);
        }
        let is_full =
            self.under_way.len() >= UNDER_WAY_MAX || self.under_way_bytes >= UNDER_WAY_BYTES_MAX;
        is_full.then_some(Loss::Overflow)
    }

    /// When the last byte has gone out; `None` if too many wait before it.
    fn out_at(&mut self, limit: Option<Bandwidth>, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(Bandwidth { bytes_per_s, queue }) = limit else {
            self.busy_until = None;
            return Some(now);
        };
        let begins = self.busy_until.map_or(now, |busy| busy.max(now));
        if begins - now > queue {
            return None;
        }
        let out = begins + Duration::from_secs_f64(bytes as f64 / bytes_per_s.max(1) as f64);
        self.busy_until = Some(out);
        Some(out)
    }

    fn queue(&mut self, model: &LinkModel, came: Instant, out: Instant, bytes: Vec<u8>) {
        let jitter = if model.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.random.random_range(Duration::ZERO..=model.jitter)
        };
        let at = out + model.delay + jitter;
        let in_order = self.last.map_or(at, |last| at.max(last));
        let at = match model.reorder {
            Some(reorder) if self.happens(reorder.share) => in_order + reorder.by,
            _ => {
                self.last = Some(in_order);
                in_order
            }
        };
        self.admitted += 1;
        self.under_way_bytes += bytes.len();
        self.under_way.push(Reverse(Waiting {
            at,
            number: self.admitted,
            came,
            bytes,
        }));
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random_bool(share.clamp(0.0, 1.0))
    }
}

/// One that is under way: first out is who is due first, and of those who came first.
#[derive(Debug, PartialEq, Eq)]
struct Waiting {
    at: Instant,
    number: u64,
    came: Instant,
    bytes: Vec<u8>,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
