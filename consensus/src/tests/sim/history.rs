//! What happened, as the checkers need it: plain data, in an order of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use meridian_consensus_core::{Applied, Ledger};
use meridian_storage::FeedPosition;

/// Whose keys the simulated requests are.
pub(super) const CALLER: &str = "guest";

/// The place of an event in the order of all of them.
pub(super) type Stamp = u64;

/// An answer that a client has received.
#[derive(Debug, Clone)]
pub(super) struct Ack {
    pub(super) listing: u64,
    pub(super) key: String,
    /// First and last night, if it takes some, with how many units.
    pub(super) nights: Option<Nights>,
    pub(super) applied: Applied,
    pub(super) ended: Stamp,
}

/// Nights that were asked for, by their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nights {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) units: u32,
}

/// A linearizable read that was answered.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) listing: u64,
    pub(super) ledger: Arc<Ledger>,
    pub(super) began: Stamp,
    pub(super) ended: Stamp,
}

/// A message of a leader: who said that it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Led {
    pub(super) listing: u64,
    pub(super) term: u64,
    pub(super) node: u64,
}

/// An entry that a leader has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sent {
    pub(super) listing: u64,
    pub(super) term: u64,
    pub(super) index: u64,
    pub(super) digest: u64,
}

/// A piece of a log, in a message or on a disk: what follows the entry `after`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) place: String,
    pub(super) after: Option<u64>,
    pub(super) indexes: Vec<u64>,
}

/// What a disk says of one group, read at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) place: String,
    pub(super) purged: Option<u64>,
    pub(super) applied: Option<u64>,
    /// Terms of the entries in the log, in its order.
    pub(super) terms: Vec<u64>,
    /// When the applied ledger wants something done.
    pub(super) due_ms: Option<u64>,
    /// Where the group stands in the to-do index.
    pub(super) todo_ms: Vec<u64>,
}

/// A ledger as a node has applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    pub(super) listing: u64,
    pub(super) applied: u64,
    pub(super) digest: u64,
    pub(super) node: u64,
}

/// Everything that is checked.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) clock: Stamp,
    pub(super) units: u32,
    pub(super) acks: Vec<Ack>,
    pub(super) reads: Vec<Read>,
    /// Holds that somebody has tried to give back, by listing and number.
    pub(super) given_back: BTreeSet<(u64, u64)>,
    pub(super) leaders: BTreeSet<Led>,
    pub(super) entries: BTreeSet<Sent>,
    pub(super) pieces: Vec<Piece>,
    pub(super) records: Vec<Records>,
    pub(super) samples: BTreeSet<Sample>,
    /// Of every listing and node, once all is quiet.
    pub(super) finals: BTreeMap<(u64, u64), Arc<Ledger>>,
    /// Numbers of events as a consumer has read them, by listing and node.
    pub(super) told: BTreeMap<(u64, u64), Vec<u64>>,
    /// How far that consumer has come, on each node.
    pub(super) heard: BTreeMap<u64, FeedPosition>,
    /// Numbers of events as they stand in the feeds at last, by listing and node.
    pub(super) feeds: BTreeMap<(u64, u64), Vec<u64>>,
    /// By how much a ledger's time was ahead of the true one, at the most.
    pub(super) ahead_ms: i64,
    /// What never ended, or ended as it must not.
    pub(super) stuck: Vec<String>,
}

impl History {
    pub(super) const fn stamp(&mut self) -> Stamp {
        self.clock += 1;
        self.clock
    }

    /// Stands for everything that clients and the wire have seen: two runs of one seed
    /// have the same.
    pub(super) fn digest(&self) -> u64 {
        let acks: Vec<_> = self
            .acks
            .iter()
            .map(|ack| (ack.listing, &ack.key, ack.ended, ack.applied.encode()))
            .collect();
        let sent: Vec<_> = self
            .entries
            .iter()
            .map(|one| (one.index, one.digest))
            .collect();
        digest(&(self.clock, acks, sent, self.samples.len()))
    }
}

pub(super) fn digest(value: &impl Hash) -> u64 {
    // Its keys are fixed.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
