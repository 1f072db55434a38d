//! Waking a group from its records, and putting it to sleep again.
//!
//! Sleeping is no protocol: everything that Raft needs is on disk, so that an instance
//! may be dropped whenever it is idle, as if its node had been restarted. One thing more
//! is written down: a leader that goes to sleep in good order, with every entry fsynced
//! and applied, leaves a note of its vote and its last entry. If it wakes and finds both
//! unchanged, it leads on without an election.
//!
//! The note is taken away, durably, before the group is awake. A leader sends entries
//! before they are fsynced here; one that crashed and took its leadership up again could
//! give the same index of the same term to another entry. So a note must never survive a
//! time in which its leader was awake.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_failpoints::Failpoint;
use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability};
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use openraft::{EntryPayload, RaftLogReader};
use prost::Message;

use crate::codec::{EntryRecord, LogIdRecord, VoteRecord};
use crate::electorate::{Elsewhere, Entrance, Hint, Standing};
use crate::error::WakeError;
use crate::fence::FencedWriter;
use crate::followed::FollowedEntries;
use crate::group::{Group, Instance};
use crate::keys::{GroupKey, LOG, STATE, StateKind};
use crate::log_store::{GroupLog, io_error, storage_error};
use crate::network::GroupNetwork;
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::records::put;
use crate::shared::Shared;
use crate::state_machine::LedgerMachine;
use crate::types::{EntryOf, LogIdOf, MembershipOf, Raft};

/// How long an instance may take to begin: it reads a few records.
const BEGIN_DEADLINE: Duration = Duration::from_secs(5);

/// A leader's note to itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct SleepNote {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: VoteRecord,
    #[prost(message, required, tag = "2")]
    pub(crate) last: LogIdRecord,
}

impl Group {
    /// Wakes the group from its records, or founds it from its genesis record, for a
    /// caller of this number.
    pub(crate) async fn wake(
        shared: &Arc<Shared>,
        genesis: &Genesis,
        entrance: Entrance,
        caller: u64,
    ) -> Result<Self, WakeError> {
        let key = GroupKey::new(&genesis.listing);
        shared.records.check(&key).map_err(WakeError::Storage)?;
        let fence = FencedWriter::new(shared.writer.clone());
        let mut log =
            GroupLog::new(key.clone(), shared.records.clone(), fence.clone()).awake_on(shared.node);
        let followed = FollowedEntries::default();
        log = log.followed_in(&followed);
        let last = log.get_log_state().await.map_err(storage)?.last_log_id;
        let standing = Standing::read(shared, genesis, &key, last.is_some());
        let standing = standing.map_err(WakeError::Storage)?;
        if !standing.admits(entrance) {
            return Err(match standing {
                Standing::Elsewhere(elsewhere) => WakeError::Moved(elsewhere.electorate),
                Standing::Lost => WakeError::Lost,
                _ => WakeError::NotVoter,
            });
        }
        found(shared, &key, genesis, standing == Standing::Founder).await?;
        Failpoint::WakeBefore.hit();
        let has_log = last.is_some() || standing == Standing::Founder;
        let elsewhere = Elsewhere::read(&shared.records, &key).map_err(WakeError::Storage)?;
        let mut machine =
            LedgerMachine::open(key.clone(), &shared.records, fence.clone()).map_err(storage)?;
        machine = machine
            .followed_in(&followed)
            .heard_by(shared.announcer.herald(&genesis.listing), &shared.feed);
        let resumes = take_note(shared, &key, &mut log, &mut machine).await?;
        let config = if resumes {
            shared.counts.resumed.fetch_add(1, Ordering::Relaxed);
            &shared.resuming
        } else {
            &shared.config
        };
        let hint = Hint::default();
        let network = GroupNetwork::new(genesis, shared, hint.clone(), caller);
        let network = network.followed_in(&followed);
        let raft = Raft::new(
            shared.node.get(),
            Arc::clone(config),
            network,
            log,
            machine.clone(),
        )
        .await
        .map_err(|cause| storage(io::Error::other(cause)))?;
        begun(&raft, has_log).await.map_err(storage)?;
        shared.counts.woken.fetch_add(1, Ordering::Relaxed);
        Failpoint::WakeAfter.hit();
        let instance = Instance {
            raft,
            machine,
            fence,
            elsewhere,
            hint,
            followed,
        };
        Ok(Self::new(shared, genesis, instance))
    }

    /// Drops the instance; the group can be woken again once this has returned. A leader
    /// whose work is done leaves its note.
    pub(crate) async fn sleep(&self) {
        // The records alone do not tell: one that crashed as a leader, and has not led since,
        // may have sent entries that its log has lost.
        let leads = self.leads();
        self.retire().await;
        if let Err(cause) = self.leave_word(leads).await {
            // Without a note, the next wake elects; marks that stand are used once more.
            tracing::debug!(listing = %self.genesis.listing, %cause, "no word was left");
        }
        self.shared.counts.slept.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the instance, and waits until nothing of it can be written any more.
    pub(crate) async fn retire(&self) {
        let was_well = self.is_running();
        if let Err(cause) = self.raft.shutdown().await {
            tracing::error!(listing = %self.genesis.listing, %cause, "its task had panicked");
        } else if was_well && let Err(cause) = self.machine.settle().await {
            // Nothing is lost: it is in the log.
            tracing::debug!(listing = %self.genesis.listing, %cause, "its ledger was not written");
        }
        if let Err(cause) = self.fence.close().await {
            // The node stops on it; nothing more is written in any case.
            tracing::debug!(listing = %self.genesis.listing, %cause, "the writer has ended");
        }
    }

    /// Leaves a note, if this node has led to the end and leads on, and how the group
    /// stands.
    async fn leave_word(&self, has_led: bool) -> io::Result<()> {
        let shared = &self.shared;
        let fence = FencedWriter::new(shared.writer.clone());
        let mut log = GroupLog::new(self.key.clone(), shared.records.clone(), fence.clone());
        let mut machine = LedgerMachine::open(self.key.clone(), &shared.records, fence.clone())?;
        let (mut batch, mut durability) = (Batch::new(), Durability::Buffered);
        let note = note(shared, &mut log, &mut machine).await?;
        if let Some(note) = note.filter(|_| has_led) {
            let place = self.key.state(StateKind::SleepNote);
            put(&mut batch, STATE, place, &note.encode_to_vec());
            durability = Durability::Synced;
        }
        let last = log.get_log_state().await?.last_log_id;
        let (applied, _) = machine.applied_state().await?;
        self.write_marks(&mut batch, last, applied)
            .map_err(io_error)?;
        if batch.is_empty() {
            return Ok(());
        }
        let is_note = durability == Durability::Synced;
        if is_note {
            Failpoint::NoteWriteBefore.hit();
        }
        fence.write(batch, durability).await?;
        if is_note {
            Failpoint::NoteWriteAfter.hit();
        }
        Ok(())
    }
}

/// Waits until the instance's task has begun: before that it says nothing true about
/// itself.
async fn begun(raft: &Raft, has_log: bool) -> io::Result<()> {
    if !has_log {
        let asked = tokio::time::timeout(BEGIN_DEADLINE, raft.with_raft_state(|_| ())).await;
        return asked.map_err(io::Error::other)?.map_err(io::Error::other);
    }
    raft.wait(Some(BEGIN_DEADLINE))
        .metrics(|metrics| metrics.last_log_index.is_some(), "begun")
        .await
        .map(drop)
        .map_err(io::Error::other)
}

/// The note that fits the records as they are: only a leader has one, and only if it has
/// applied everything in its log.
async fn note(
    shared: &Shared,
    log: &mut GroupLog,
    machine: &mut LedgerMachine,
) -> io::Result<Option<SleepNote>> {
    let vote = log.read_vote().await?;
    let last = log.get_log_state().await?.last_log_id;
    let (applied, _) = machine.applied_state().await?;
    let (Some(vote), Some(last)) = (vote, last) else {
        return Ok(None);
    };
    let leads = vote.committed && vote.leader_id.voted_for == shared.node.get();
    // Its own first entry is in the log: else it has not led yet.
    let has_led = last.leader_id.term == vote.leader_id.term;
    Ok(
        (leads && has_led && applied == Some(last)).then(|| SleepNote {
            vote: (&vote).into(),
            last: (&last).into(),
        }),
    )
}

/// Takes the note away, if there is one; answers whether it still fits.
async fn take_note(
    shared: &Shared,
    key: &GroupKey,
    log: &mut GroupLog,
    machine: &mut LedgerMachine,
) -> Result<bool, WakeError> {
    let place = key.state(StateKind::SleepNote);
    let left = shared
        .records
        .get(STATE, &place)
        .map_err(WakeError::Storage)?;
    let Some(left) = left else {
        return Ok(false);
    };
    let fits = match note(shared, log, machine).await.map_err(storage)? {
        Some(now) => SleepNote::decode(left.as_slice()).is_ok_and(|left| left == now),
        None => false,
    };
    #[cfg(test)]
    if is_planted(Bug::NoteKept) {
        return Ok(fits);
    }
    Failpoint::NoteRemoveBefore.hit();
    let mut batch = Batch::new();
    batch.delete(STATE, place);
    let permit = shared.writer.reserve().await.map_err(WakeError::Storage)?;
    permit
        .submit(batch, Durability::Synced)
        .await
        .map_err(WakeError::Storage)?;
    Failpoint::NoteRemoveAfter.hit();
    Ok(fits)
}

/// Writes the genesis record and the first entry of the log, the same on every voter, or
/// checks that it is the record that is there. Every voter knows who votes from the first
/// message on: whoever dies, the others can elect. Who comes later writes the record only:
/// a leader sends it the log.
async fn found(
    shared: &Shared,
    key: &GroupKey,
    genesis: &Genesis,
    founds: bool,
) -> Result<(), WakeError> {
    let place = key.state(StateKind::Genesis);
    let encoded = genesis.encode();
    let stored = shared
        .records
        .get(STATE, &place)
        .map_err(WakeError::Storage)?;
    match stored {
        Some(stored) if stored == encoded => Ok(()),
        Some(_) => Err(WakeError::GenesisMismatch),
        None => {
            Failpoint::FoundBefore.hit();
            let permit = shared.writer.reserve().await.map_err(WakeError::Storage)?;
            let mut batch = Batch::new();
            put(&mut batch, STATE, place, &encoded);
            if founds {
                let first = first_entry(genesis);
                let record = EntryRecord::from(&first).encode_to_vec();
                put(&mut batch, LOG, key.entry(first.log_id.index), &record);
            }
            // Older in the write-ahead log than everything that the group will write.
            permit
                .submit(batch, Durability::Buffered)
                .await
                .map_err(WakeError::Storage)?;
            Failpoint::FoundAfter.hit();
            Ok(())
        }
    }
}

/// The first membership, at term 0: what `Raft::initialize` would write on one node.
fn first_entry(genesis: &Genesis) -> EntryOf {
    let voters: BTreeSet<u64> = genesis.voters.iter().map(|voter| voter.get()).collect();
    let membership = MembershipOf::new_with_defaults(vec![voters], []);
    EntryOf::new(
        LogIdOf::new_term_index(0, 0),
        EntryPayload::Membership(membership),
    )
}

fn storage(cause: io::Error) -> WakeError {
    WakeError::Storage(storage_error(cause))
}
