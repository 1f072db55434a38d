//! Bugs that tests plant, to see that the simulation finds them. In no product build.

use std::cell::Cell;

use meridian_consensus_core::{Applied, Command, Ledger};

use crate::group::Group;

/// One for each thing that must not be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A vote is answered before it is on disk.
    VoteBeforePersist,
    /// A leader's note outlives its sleep.
    NoteKept,
    /// A leader that has just woken reads without asking a quorum.
    ReadIndexSkipped,
    /// A key is looked up before its command is proposed, and not when it is applied.
    KeyBeforeLog,
    /// A voter that refuses a candidate with a shorter log lets it ask for ever.
    RefusedAlone,
    /// The log is read from disk first, then from the tail, and holes are passed over. No
    /// seed that was tried finds it.
    DiskFirst,
    /// A booking is admitted by what is applied here, and proposed without waiting.
    AdmittedByCopy,
    /// An entry is acknowledged before it is synced.
    AckBeforeSync,
    /// A leader proposes whatever its clock shows.
    ClockUnbounded,
    /// A group is woken again while its last instance may still write.
    NoFence,
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

/// See [`Bug::KeyBeforeLog`]: what the leader knows of a key before it proposes.
pub(crate) fn known_before_log(group: &Group, command: &Command) -> Option<Applied> {
    let key = command.idempotency.as_ref()?;
    is_planted(Bug::KeyBeforeLog).then(|| group.ledger().0.recall(key))?
}

/// See [`Bug::AdmittedByCopy`]: what the command would come to, if the copy were all there is.
pub(crate) fn admitted_by_copy(group: &Group, command: &Command) -> Option<Applied> {
    if !is_planted(Bug::AdmittedByCopy) {
        return None;
    }
    let mut copy = Ledger::clone(&group.ledger().0);
    let applied = copy.apply(command);
    applied.outcome().rejection().is_none().then_some(applied)
}

/// See [`Bug::KeyBeforeLog`]: a known key is no reason to do nothing.
pub(crate) fn without_known_key(ledger: &Ledger, mut command: Command) -> Command {
    let key = command.idempotency.as_ref();
    if is_planted(Bug::KeyBeforeLog) && key.is_some_and(|key| ledger.recall(key).is_some()) {
        command.idempotency = None;
    }
    command
}
