//! Which changes of listings belong to a request that is followed.
//!
//! Beside the log and never in it, as in the booking plane: an entry is the same on every
//! node, followed or not, and what this table loses is some spans of a trace. It goes to
//! other nodes beside the entries of a frame, and on from there to others.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_regions::{NodeId, ShardId};
use meridian_replication_core::FollowedEntry;
use meridian_trace::{Kind, Step, Trace, Tracer};

/// Changes that are followed at once: those that are on their way to other nodes, of a
/// hundredth of some thousands in a second. The oldest go.
const CHANGES_MAX: usize = 256;

/// A place in the logs.
pub(crate) type Place = (NodeId, ShardId, u64);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct FollowedChanges {
    tracer: Tracer,
    changes: Mutex<VecDeque<(Place, Trace)>>,
}

impl FollowedChanges {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            changes: Mutex::default(),
        }
    }

    /// A change has got its place.
    pub(crate) fn keep(&self, place: Place, trace: Trace) {
        if !trace.is_followed() {
            return;
        }
        let mut changes = self.changes();
        // The same by way of another node: the first that came is the one that is applied.
        if changes.iter().any(|(known, _)| *known == place) {
            return;
        }
        if changes.len() >= CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back((place, trace));
    }

    /// A step of a change, in whose trace it is.
    pub(crate) fn step(&self, name: &'static str, place: Place) -> Step {
        self.find(place).step(name, Kind::Within)
    }

    /// What goes beside an entry that is sent.
    pub(crate) fn beside(&self, place: Place) -> Option<FollowedEntry> {
        let traceparent = self.find(place).traceparent()?;
        let (origin, shard, seq) = place;
        Some(FollowedEntry {
            origin,
            shard,
            seq,
            traceparent,
        })
    }

    /// A frame has come; `is_asked` says whether a log was asked for.
    pub(crate) fn hear(&self, frame: &[u8], is_asked: impl Fn(NodeId, ShardId) -> bool) {
        if !self.tracer.is_on() {
            return;
        }
        let followed = meridian_replication_core::PullFrame::followed(frame);
        let wanted = followed.into_iter().take(CHANGES_MAX);
        for one in wanted.filter(|one| is_asked(one.origin, one.shard)) {
            let place = (one.origin, one.shard, one.seq);
            self.keep(place, self.tracer.go_on(&one.traceparent));
        }
    }

    fn find(&self, place: Place) -> Trace {
        let changes = self.changes();
        let known = changes.iter().rev().find(|(known, _)| *known == place);
        known.map_or_else(Trace::none, |(_, trace)| trace.clone())
    }

    // A panic cannot leave it half changed.
    fn changes(&self) -> MutexGuard<'_, VecDeque<(Place, Trace)>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, ShardId};
    use meridian_replication_core::PullFrame;
    use meridian_trace::{Resource, Tracer};

    use super::{CHANGES_MAX, FollowedChanges, Place};

    fn place(seq: u64) -> Place {
        let origin = NodeId::new(1).expect("not zero");
        (origin, ShardId::new(3).expect("a shard"), seq)
    }

    #[test]
    fn change_is_followed_to_nodes_that_asked_for_it_and_the_oldest_go() {
        let tracer = || Tracer::new(Resource::builder_empty().build(), 4);
        let ((tracer_here, _here), (tracer_there, mut finished)) = (tracer(), tracer());
        let here = FollowedChanges::new(tracer_here.clone());
        let write = tracer_here.begin("PATCH /v1/listings/{id}".to_owned(), None);
        here.keep(place(1), write.trace());
        assert_eq!(here.beside(place(2)), None);
        let mut frame = PullFrame::Entries(Vec::new()).encode();
        PullFrame::put_followed(&mut frame, here.beside(place(1)));

        let there = FollowedChanges::new(tracer_there);
        there.hear(&frame, |_, _| false);
        assert!(!there.step("apply", place(1)).trace().is_followed());
        there.hear(&frame, |_, _| true);
        drop(there.step("apply", place(1)));
        // On to a third node, still as the write's own.
        assert_eq!(there.beside(place(1)), here.beside(place(1)));
        let spans = finished.ready(4);
        assert_eq!(spans.len(), 1, "{spans:?}");
        let id = write.trace().id().expect("followed");
        assert_eq!(spans[0].span_context.trace_id().to_string(), id);

        for seq in 2..=CHANGES_MAX as u64 + 1 {
            here.keep(place(seq), write.trace());
        }
        assert_eq!(here.beside(place(1)), None);
        assert_eq!(here.changes().len(), CHANGES_MAX);
    }

    #[test]
    fn node_that_follows_nothing_hears_nothing() {
        let (tracer, _finished) = Tracer::new(Resource::builder_empty().build(), 1);
        let here = FollowedChanges::new(tracer.clone());
        here.keep(place(1), tracer.begin("write".to_owned(), None).trace());
        let mut frame = PullFrame::Entries(Vec::new()).encode();
        PullFrame::put_followed(&mut frame, here.beside(place(1)));
        let off = FollowedChanges::default();
        off.hear(&frame, |_, _| true);
        assert!(off.changes().is_empty());
    }
}
