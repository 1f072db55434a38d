//! What happened, as the checkers need it: plain data, in an order of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Names one write. Those of which a listing shows it for good are all of one length, so
/// that none is a part of another.
pub(super) type Mark = String;

/// Places of log entries: origin, shard and number.
pub(super) type Place = (u64, u16, u64);

/// What a write does, as its change says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Create,
    /// Leaves its mark: an amenity, or characters of the description.
    Edit,
    /// Adds so much to a counter.
    Count(i64),
    /// Sets the price.
    Patch,
    Delete,
    /// Ends a conflict.
    Decide,
}

impl Kind {
    /// What the change of such a write is called; `None` where it may have been none, as
    /// for who deletes what is deleted.
    pub(super) const fn message(self) -> Option<&'static str> {
        match self {
            Self::Create => Some("create"),
            Self::Edit => Some("edit"),
            Self::Count(_) => Some("count"),
            Self::Patch => Some("patch"),
            Self::Delete | Self::Decide => None,
        }
    }
}

/// A write that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) listing: u64,
    pub(super) node: u64,
    /// What its session had seen of the listing, if it was waited for.
    pub(super) saw: BTreeSet<Mark>,
    pub(super) acked: bool,
}

/// What somebody sees of a listing that only ever grows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(super) struct Sight {
    pub(super) marks: BTreeSet<Mark>,
    pub(super) count: i64,
    /// It was deleted, and nothing is left of it.
    pub(super) buried: bool,
}

/// An answer that showed a listing, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Read {
    pub(super) client: u64,
    pub(super) node: u64,
    pub(super) listing: u64,
    /// What it had to show, the listing itself for the least; `None` if that was waived, or
    /// the session knew nothing of it.
    pub(super) must: Option<Sight>,
    pub(super) shown: Option<Sight>,
}

/// What a node held for true: that it has everything of an origin through a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) node: u64,
    /// How often the node had crashed.
    pub(super) life: u64,
    pub(super) origin: u64,
    pub(super) through: u64,
    /// An entry of that time that another node had and this one had not.
    pub(super) lacks: Option<Place>,
}

/// A listing on a node, once all is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(super) struct Final {
    pub(super) etag: String,
    pub(super) json: String,
    pub(super) conflicts: String,
    /// Of all its changes, byte for byte, in an order that is the same everywhere (ADR 9).
    pub(super) changes: u64,
    /// How many changes of which node are called so; not known of a listing that has begun
    /// anew.
    pub(super) made: Option<BTreeMap<(u64, String), usize>>,
    pub(super) sight: Sight,
}

/// Everything that is checked.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) writes: BTreeMap<Mark, Write>,
    pub(super) reads: Vec<Read>,
    pub(super) claims: Vec<Claim>,
    /// What went with the only disk that had it, as that was put back.
    pub(super) lost: BTreeSet<Mark>,
    /// Listings that a change went with in that way, and of which node.
    pub(super) lost_of: BTreeSet<(u64, u64)>,
    /// Listings that went as a whole.
    pub(super) lost_listings: BTreeSet<u64>,
    /// Numbers that were seen to be given twice.
    pub(super) reused: Vec<String>,
    /// Of every listing and node, once all is quiet; `None` where it is not known.
    pub(super) finals: BTreeMap<(u64, u64), Option<Final>>,
    /// Digests of the entries in each node's log, once all is quiet.
    pub(super) logs: BTreeMap<u64, BTreeMap<Place, u64>>,
    /// What never ended, or ended as it must not.
    pub(super) stuck: Vec<String>,
    /// Of every frame that was sent.
    pub(super) wire: u64,
    /// What to tell of it, with milliseconds since the world began.
    pub(super) story: Vec<(u64, String)>,
}

impl History {
    pub(super) fn sent(&mut self, from: u64, to: u64, frame: &[u8]) {
        self.wire = digest(&(self.wire, from, to, frame));
    }

    /// Something was lost of a listing: what only adds up is no longer known to the number.
    pub(super) fn has_lost_of(&self, listing: u64) -> bool {
        self.lost_of.iter().any(|(of, _)| *of == listing)
    }

    /// Stands for everything that clients and the wire have seen, and when: two runs of one
    /// seed have the same.
    pub(super) fn digest(&self) -> u64 {
        let seen = (&self.writes, &self.reads, &self.story);
        digest(&(self.wire, seen, self.claims.len(), &self.finals))
    }
}

pub(super) fn digest(value: &impl Hash) -> u64 {
    // Its keys are fixed.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
