//! What the streams to each peer have carried.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use meridian_regions::NodeId;

/// What a peer has been sent of change logs since this node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentTo {
    /// Entries.
    pub entries: u64,
    /// Bytes of the frames with these entries, packed, before encryption. Watermarks are
    /// not counted.
    pub bytes: u64,
    /// Watermarks, in frames of their own.
    pub watermarks: u64,
}

/// By peer; only those that have been sent something.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<BTreeMap<NodeId, SentTo>>);

impl Sent {
    pub(crate) fn add(&self, peer: NodeId, entries: u64, bytes: u64) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sent.entry(peer).or_default();
        sent.entries += entries;
        sent.bytes += bytes;
    }

    pub(crate) fn add_watermark(&self, peer: NodeId) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.entry(peer).or_default().watermarks += 1;
    }

    pub(crate) fn all(&self) -> BTreeMap<NodeId, SentTo> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
