//! Hearing that every node has had what is here, and having what they had by then.

use std::collections::BTreeMap;

use meridian_regions::{NodeId, ShardId};

#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::replica::Inner;

/// What is waited for, of a shard's logs.
#[derive(Debug, Clone)]
pub(super) struct Hearing {
    /// How far they had come here when it began.
    had: BTreeMap<NodeId, u64>,
    /// How far anywhere, once every other node had had as much.
    written: Option<BTreeMap<NodeId, u64>>,
}

/// How much of it has been heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// Every other node has had what was here, and what any of them had then is here.
    Everything,
    /// The former, and something that one of them had is not here yet.
    NotHere,
    /// Not from these.
    Less {
        /// By their latest words they have had less.
        behind: Vec<NodeId>,
        /// They have not spoken of every log since this node started.
        unheard: Vec<NodeId>,
    },
}

impl Inner {
    /// Begins with what has been submitted by now.
    pub(super) fn hear(&self, shard: ShardId) -> Hearing {
        Hearing {
            had: self.logs_of(shard),
            written: None,
        }
    }

    /// Whether every other node has had what was here when it began, and everything is here
    /// that any of them had when that was so.
    pub(super) fn is_heard(&self, shard: ShardId, hearing: &mut Hearing) -> bool {
        #[cfg(test)]
        if is_planted(Bug::RenewalUnheard) {
            return true;
        }
        self.heard(shard, hearing) == Heard::Everything
    }

    /// The same, and what is missing.
    pub(super) fn heard(&self, shard: ShardId, hearing: &mut Hearing) -> Heard {
        let written = match hearing.written.take() {
            Some(written) => written,
            None => match self.written_by(shard, &hearing.had) {
                Ok(written) => written,
                Err(less) => return less,
            },
        };
        let mut logs = written.iter();
        let is_here = logs.all(|(origin, seq)| self.progress.durable_of(*origin, shard) >= *seq);
        hearing.written = Some(written);
        if is_here {
            Heard::Everything
        } else {
            Heard::NotHere
        }
    }

    fn logs_of(&self, shard: ShardId) -> BTreeMap<NodeId, u64> {
        let (this, given) = (self.this(), self.sequencer.given(shard));
        let accepted = self.accepted_mut();
        let logs = accepted.iter();
        let others = logs.filter(|(origin, of, _)| *of == shard && *origin != this);
        let others = others.map(|(origin, _, seq)| (origin, seq));
        // What it writes itself is counted where it is numbered.
        others.chain([(this, given)]).collect()
    }

    /// What any other node had of a shard's logs when it had had as much as `had`; else which
    /// have not. What a node has of single logs is no word of what it has written.
    fn written_by(
        &self,
        shard: ShardId,
        had: &BTreeMap<NodeId, u64>,
    ) -> Result<BTreeMap<NodeId, u64>, Heard> {
        let mut all: BTreeMap<NodeId, u64> = BTreeMap::new();
        let (mut behind, mut unheard) = (Vec::new(), Vec::new());
        for other in self.progress.others() {
            let Some(word) = self.told.had_at_once(other.node) else {
                unheard.push(other.node);
                continue;
            };
            let mut logs = had.iter();
            if !logs.all(|(origin, seq)| word.get(*origin, shard) >= *seq) {
                behind.push(other.node);
                continue;
            }
            for (origin, _, seq) in word.iter().filter(|(_, of, _)| *of == shard) {
                let last = all.entry(origin).or_default();
                *last = seq.max(*last);
            }
        }
        if behind.is_empty() && unheard.is_empty() {
            Ok(all)
        } else {
            Err(Heard::Less { behind, unheard })
        }
    }
}
