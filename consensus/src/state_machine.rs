//! Applies committed entries to the ledger.
//!
//! The applied state is written now and then (see `saved.rs`), and without an fsync of
//! its own: it can be made again from the log, whose entries were fsynced before. One
//! write-ahead log holds both, in order, so that a power cut never leaves a state that is
//! newer than its log. Only a snapshot is fsynced, because entries are purged on its word.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use meridian_consensus_core::{Command, Ledger};
use meridian_failpoints::Failpoint;
use meridian_regions::Goal;
use meridian_storage::{Batch, Committed, Durability, WritePermit};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::{EntryPayload, OptionalSend, SnapshotMeta, StoredMembership};

use crate::applied_state::AppliedState;
use crate::changes::Herald;
use crate::events::{Feed, News, Told};
use crate::fence::FencedWriter;
use crate::followed::FollowedEntries;
use crate::keys::{GroupKey, STATE, StateKind};
use crate::log_store::io_error;
use crate::records::Records;
use crate::saved::Saved;
use crate::types::{LogIdOf, Proposal, StoredMembershipOf, Types};

/// The applied state as readers see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedState(Arc<RwLock<AppliedState>>);

impl SharedState {
    /// The ledger and the log index that it has applied.
    pub(crate) fn ledger(&self) -> (Arc<Ledger>, Option<u64>) {
        self.read(|state| {
            let index = state.log_id.as_ref().map(|id| id.index);
            (Arc::clone(&state.ledger), index)
        })
    }

    /// The last entry that is applied.
    pub(crate) fn log_id(&self) -> Option<LogIdOf> {
        self.read(|state| state.log_id)
    }

    /// The membership that is applied.
    pub(crate) fn membership(&self) -> StoredMembershipOf {
        self.read(|state| state.membership.clone())
    }

    /// No plan of an earlier epoch of the topology moves the group.
    pub(crate) fn move_epoch(&self) -> u64 {
        self.read(|state| state.move_epoch)
    }

    /// What the listing's home and survival goal were changed to last.
    pub(crate) fn goal(&self) -> Option<Goal> {
        self.read(|state| state.goal.clone())
    }

    fn read<T>(&self, look: impl FnOnce(&AppliedState) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut AppliedState) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is done about an entry that does not follow the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gaps {
    /// The group ends.
    Refused,
    #[cfg(test)]
    Taken,
}

/// One group's state machine. A clone builds snapshots of the same state.
#[derive(Debug, Clone)]
pub(crate) struct LedgerMachine {
    key: GroupKey,
    writer: FencedWriter,
    state: SharedState,
    voice: Option<Voice>,
    gaps: Gaps,
    saved: Arc<Mutex<Saved>>,
    followed: FollowedEntries,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The ledger too.
    Whole(Durability),
    /// What the indexes beside the ledger have to know; the ledger where it is far behind.
    News,
}

/// Whom a group tells what has happened.
#[derive(Debug, Clone)]
struct Voice {
    herald: Herald,
    feed: Arc<Feed>,
}

impl LedgerMachine {
    /// Takes up the state where it was left.
    pub(crate) fn open(key: GroupKey, records: &Records, writer: FencedWriter) -> io::Result<Self> {
        let record = records
            .get(STATE, &key.state(StateKind::Applied))
            .map_err(io_error)?;
        let state = record
            .map(|bytes| AppliedState::decode(&bytes))
            .transpose()?
            .unwrap_or_default();
        Ok(Self {
            writer,
            saved: Arc::new(Mutex::new(Saved::read(records, &key, &state)?)),
            key,
            state: SharedState(Arc::new(RwLock::new(state))),
            voice: None,
            gaps: Gaps::Refused,
            followed: FollowedEntries::default(),
        })
    }

    /// Looks up there whether an entry is followed.
    pub(crate) fn followed_in(mut self, followed: &FollowedEntries) -> Self {
        self.followed = followed.clone();
        self
    }

    /// Lets watchers hear of every change, and the feed have every event.
    pub(crate) fn heard_by(mut self, herald: Herald, feed: &Arc<Feed>) -> Self {
        let feed = Arc::clone(feed);
        self.voice = Some(Voice { herald, feed });
        self
    }

    /// For openraft's own suite, which leaves entries out.
    #[cfg(test)]
    pub(crate) fn with_gaps(mut self) -> Self {
        self.gaps = Gaps::Taken;
        self
    }

    fn saved(&self) -> MutexGuard<'_, Saved> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_news(&self) {
        let mut saved = self.saved();
        self.state.read(|state| saved.take_news(&state.ledger));
    }

    fn revision(&self) -> u64 {
        self.state.read(|state| state.ledger.revision())
    }

    /// Tells watchers if the ledger is not at `before` any more.
    fn announce_since(&self, before: u64) {
        if let Some(voice) = self.voice.as_ref().filter(|_| self.revision() != before) {
            voice.herald.announce();
        }
    }

    pub(crate) fn state(&self) -> SharedState {
        self.state.clone()
    }

    /// Writes the ledger if it is not on disk as it is here: what was applied is not
    /// applied again when the group wakes. Not after a panic, which may have left half
    /// of an entry in it.
    pub(crate) async fn settle(&self) -> io::Result<()> {
        let is_behind = {
            let saved = self.saved();
            self.state.read(|state| saved.is_behind(state))
        };
        if !is_behind || self.state.0.is_poisoned() {
            return Ok(());
        }
        self.save(Extent::Whole(Durability::Buffered)).await
    }

    /// Writes what has changed, in one batch: neither the ledger, nor where the group
    /// stands in the to-do index, nor what the feed is told can be newer than the others.
    async fn save(&self, extent: Extent) -> io::Result<()> {
        let permit = self.writer.reserve().await?;
        // Held until the batch is queued: what is written later is as new as this.
        let (committed, moves) = {
            let mut saved = self.saved();
            let mut batch = Batch::new();
            let (whole, durability) = match extent {
                Extent::Whole(durability) => (true, durability),
                Extent::News => (false, Durability::Buffered),
            };
            let mut advance = self.state.read(|state| {
                let whole = whole || saved.is_far_behind(state);
                saved.put(&mut batch, &self.key, state, whole)
            });
            if batch.is_empty() && advance.told.is_empty() {
                saved.advance(&advance);
                return Ok(());
            }
            if advance.moves {
                Failpoint::TodoBefore.hit();
            }
            let told = std::mem::take(&mut advance.told);
            let committed = self.submit(permit, batch, durability, told)?;
            saved.advance(&advance);
            (committed, advance.moves)
        };
        committed.await.map_err(io_error)?;
        if moves {
            Failpoint::TodoAfter.hit();
        }
        Ok(())
    }

    fn submit(
        &self,
        permit: WritePermit,
        batch: Batch,
        durability: Durability,
        told: Vec<Told>,
    ) -> io::Result<Committed> {
        let Some(voice) = &self.voice else {
            return self.writer.submit(permit, batch, durability);
        };
        let news = News {
            listing: voice.herald.listing(),
            told,
        };
        voice
            .feed
            .submit(&self.writer, permit, (batch, durability), &news)
    }

    /// Takes an applied state in the place of the one here, and tells what is new by it.
    pub(crate) async fn take_whole(&self, encoded: &[u8]) -> io::Result<()> {
        let installed = AppliedState::decode(encoded)?;
        let before = self.revision();
        {
            let mut saved = self.saved();
            self.state.change(|state| *state = installed);
            saved.came_whole();
        }
        Failpoint::SnapshotInstallBefore.hit();
        self.save(Extent::Whole(Durability::Synced)).await?;
        Failpoint::SnapshotInstallAfter.hit();
        self.announce_since(before);
        Ok(())
    }

    fn snapshot(&self) -> SnapshotOf<Types, Vec<u8>> {
        self.state.read(|state| SnapshotOf::<Types, Vec<u8>> {
            meta: SnapshotMeta {
                last_log_id: state.log_id,
                last_membership: state.membership.clone(),
            },
            snapshot: state.encode(),
        })
    }
}

/// No entry is ever passed over: openraft counts an entry as applied that a stream with
/// a hole has left out.
fn follows(state: &AppliedState, next: LogIdOf) -> io::Result<()> {
    let due = state.log_id.map_or(0, |last| last.index.saturating_add(1));
    if next.index == due {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "entry {} is to be applied where {due} is due",
        next.index
    )))
}

/// Applies one entry; answers what the proposer is told.
fn apply_entry(
    state: &mut AppliedState,
    log_id: LogIdOf,
    payload: &crate::types::PayloadOf,
) -> io::Result<Bytes> {
    let answer = match payload {
        EntryPayload::Blank => Bytes::new(),
        EntryPayload::Membership(membership) => {
            state.membership = StoredMembership::new(Some(log_id), membership.clone());
            Bytes::new()
        }
        EntryPayload::Normal(Proposal::MoveEpoch(epoch)) => {
            state.move_epoch = state.move_epoch.max(*epoch);
            Bytes::new()
        }
        EntryPayload::Normal(Proposal::Goal(goal)) => {
            state.take_goal(goal);
            Bytes::new()
        }
        EntryPayload::Normal(Proposal::Command(command)) => {
            let command = readable(command)?;
            #[cfg(test)]
            let command = crate::planted::without_known_key(&state.ledger, command);
            Arc::make_mut(&mut state.ledger)
                .apply(&command)
                .encode()
                .into()
        }
    };
    state.log_id = Some(log_id);
    Ok(answer)
}

/// Whether whoever looks for the group's voters without waking it has to see this entry.
const fn decides_who_votes(payload: &crate::types::PayloadOf) -> bool {
    matches!(
        payload,
        EntryPayload::Membership(_)
            | EntryPayload::Normal(Proposal::MoveEpoch(_) | Proposal::Goal(_))
    )
}

/// A command that this version does not know ends the group on this node: others execute
/// it, and a ledger that had passed it over would differ from theirs for ever.
fn readable(command: &[u8]) -> io::Result<Command> {
    match Command::decode(command) {
        Ok(command) if command.op.is_some() => Ok(command),
        Ok(_) => Err(io::Error::other(
            "an operation of a later version is in the log: upgrade this node",
        )),
        Err(cause) => Err(io::Error::other(cause)),
    }
}

impl RaftSnapshotBuilder<Types> for LedgerMachine {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, Vec<u8>>, io::Error> {
        let snapshot = self.snapshot();
        // At least as new as what the snapshot says, and fsynced before a purge.
        Failpoint::SnapshotBuildBefore.hit();
        self.save(Extent::Whole(Durability::Synced)).await?;
        Failpoint::SnapshotBuildAfter.hit();
        Ok(snapshot)
    }
}

impl RaftStateMachine<Types> for LedgerMachine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogIdOf>, StoredMembershipOf), io::Error> {
        Ok(self
            .state
            .read(|state| (state.log_id, state.membership.clone())))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let before = self.revision();
        let mut answers = Vec::new();
        let mut steps = Vec::new();
        let mut extent = Extent::News;
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            if self.gaps == Gaps::Refused {
                self.state.read(|state| follows(state, entry.log_id))?;
            }
            if decides_who_votes(&entry.payload) {
                extent = Extent::Whole(Durability::Buffered);
            }
            let step = self.followed.step("apply", entry.log_id);
            if step.trace().is_followed() {
                steps.push(step);
            }
            let answer = self
                .state
                .change(|state| apply_entry(state, entry.log_id, &entry.payload))?;
            self.take_news();
            answers.extend(responder.map(|responder| (responder, answer)));
        }
        Failpoint::ApplyBefore.hit();
        self.save(extent).await?;
        Failpoint::ApplyAfter.hit();
        drop(steps);
        self.announce_since(before);
        for (responder, answer) in answers {
            responder.send(answer);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMetaOf<Types>,
        snapshot: Vec<u8>,
    ) -> Result<(), io::Error> {
        self.take_whole(&snapshot).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<Types, Vec<u8>>>, io::Error> {
        let snapshot = self.snapshot();
        Ok(snapshot.meta.last_log_id.is_some().then_some(snapshot))
    }
}
