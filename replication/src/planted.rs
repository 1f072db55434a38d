//! Bugs that tests plant, to see that the simulation finds them. In no product build.

use std::cell::Cell;
use std::sync::Arc;

use meridian_replication_core::ReceivedEntry;
use meridian_storage::{Batch, Committed, Durability, KeyValue, WritePermit};

use crate::keys::{self, LOG};
use crate::replica::Inner;
use crate::submit::Submitted;

/// One for each thing that must not be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A write is acknowledged before it is on disk.
    AckBeforeDurable,
    /// An entry counts as here before what it changes is on disk.
    SeenBeforeApplied,
    /// A document that is loaded again has forgotten that it was deleted.
    TombstoneLost,
    /// A request does not wait for what its token has seen elsewhere.
    TokenIgnored,
    /// An entry is applied although the one before it has not come.
    GapAccepted,
    /// A watermark is sent before the entries that it speaks for.
    WatermarkFirst,
    /// Entries that another stream has submitted count as durable. No seed that was tried
    /// finds it.
    PassedOverAtOnce,
    /// A document begins anew before every node has had its changes, and the former one goes
    /// before they have had the marker.
    RenewalUnheard,
    /// The former document goes as soon as the new one begins.
    FormerForgotten,
    /// A node that has come back writes before it has its own log. No seed that was tried
    /// finds it.
    ReturnUnheard,
    /// A defect in what renders the answer to a write that is on its way to disk. Not for the
    /// simulation: the thread panics.
    RenderingPanics,
}

thread_local! {
    // A simulation is one thread, and so is the test that plants.
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

pub(crate) fn is_any_planted() -> bool {
    PLANTED.get().is_some()
}

/// See [`Bug::AckBeforeDurable`].
pub(crate) fn without_disk(submitted: Submitted) -> Submitted {
    if !is_planted(Bug::AckBeforeDurable) {
        return submitted;
    }
    let (answer, committed) = tokio::sync::oneshot::channel();
    let _ = answer.send(Ok(()));
    Submitted {
        committed: Committed::from(committed),
        ..submitted
    }
}

/// See [`Bug::RenderingPanics`].
pub(crate) fn before_rendering() {
    assert!(!is_planted(Bug::RenderingPanics), "a planted defect");
}

/// See [`Bug::SeenBeforeApplied`]: the entry alone, and by another write what it changes.
pub(crate) fn seen_first(
    inner: &Arc<Inner>,
    permit: WritePermit,
    entry: &ReceivedEntry,
    submit: impl FnOnce(WritePermit) + Send + 'static,
) {
    let (origin, shard, seq, hlc) = (entry.origin, entry.shard, entry.seq, entry.hlc);
    let mut batch = Batch::new();
    let place = keys::entry(origin, shard, seq);
    batch.put(LOG, place, entry.as_bytes().to_vec());
    let inner = Arc::clone(inner);
    permit.submit_then(batch, Durability::Synced, move |_written| {
        inner.progress.durable(origin, shard, seq, hlc);
        if let Ok(permit) = inner.writer.try_reserve() {
            submit(permit);
        }
    });
}

/// See [`Bug::TombstoneLost`].
pub(crate) fn without_tombstones(mut changes: Vec<KeyValue>) -> Vec<KeyValue> {
    if is_planted(Bug::TombstoneLost) {
        // What a change is called stands in it, and in no other change of the simulation.
        let is_deletion = |change: &[u8]| change.windows(6).any(|word| word == b"delete");
        changes.retain(|(_, change)| !is_deletion(change));
    }
    changes
}

/// See [`Bug::GapAccepted`]: what has not come counts as if it had. Answers the number that
/// is expected then.
pub(crate) fn past_gap(inner: &Arc<Inner>, entry: &ReceivedEntry, expected: u64) -> u64 {
    if !is_planted(Bug::GapAccepted) || entry.seq <= expected {
        return expected;
    }
    let (origin, shard, hlc) = (entry.origin, entry.shard, entry.hlc);
    for seq in expected..entry.seq {
        let Ok(permit) = inner.writer.try_reserve() else {
            return seq;
        };
        inner.accept(origin, shard, seq).expect("one by one");
        let inner = Arc::clone(inner);
        permit.submit_then(Batch::new(), Durability::Synced, move |_written| {
            inner.progress.durable(origin, shard, seq, hlc);
        });
    }
    entry.seq
}
