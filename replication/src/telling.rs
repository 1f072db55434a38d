//! What a stream to a peer has told, so that it says nothing twice.
//!
//! A watermark goes out when something that it says has changed: when this node has written,
//! when another node's has come, and when more shards are served. A stream on which nothing
//! changes says where it stands once for each beat: so staleness is known elsewhere, and a
//! silence means something.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_regions::{Hlc, NodeId, Shards};
use tokio::time::Instant;

use crate::sequencer::{Issued, Sequencer};

/// How often a quiet stream tells that nothing has been written: what a reader
/// elsewhere knows of us is at most this much older than the way here.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// When everything was said last.
    beat: Option<Instant>,
    /// Whether this look says everything again.
    is_beat: bool,
    /// Until when this node's own log has been told, and which shards were served then.
    own: Option<(Issued, Shards)>,
    /// The same of others' logs.
    marks: BTreeMap<NodeId, (Vec<(Hlc, Shards)>, Shards)>,
}

impl Telling {
    /// Looks at what is to be told, now.
    pub(crate) fn look(&mut self) {
        let now = Instant::now();
        self.is_beat = self.beat.is_none_or(|last| now >= last + HEARTBEAT);
        if self.is_beat {
            self.beat = Some(now);
        }
    }

    /// When everything is said again.
    pub(crate) fn next_beat(&self) -> Instant {
        self.beat.unwrap_or_else(Instant::now) + HEARTBEAT
    }

    /// Whether this node's own log has something to be told: an entry of any shard. Who has
    /// read it here has a token that says its time, and is covered elsewhere by a watermark.
    pub(crate) fn owes_own(&self, sequencer: &Sequencer, whole: Shards) -> bool {
        let told = self.own.as_ref();
        let is_told =
            told.is_some_and(|(issued, then)| *then == whole && !sequencer.has_given_since(issued));
        self.is_beat || !is_told
    }

    pub(crate) fn told_own(&mut self, issued: Issued, whole: Shards) {
        self.own = Some((issued, whole));
    }

    /// Whether another node's watermarks are to be told. They are, from now on.
    pub(crate) fn owes(&mut self, origin: NodeId, marks: &[(Hlc, Shards)], whole: Shards) -> bool {
        let told = self.marks.get(&origin);
        if told.is_some_and(|(told, then)| told == marks && *then == whole) {
            return self.is_beat;
        }
        self.marks.insert(origin, (marks.to_vec(), whole));
        true
    }
}
