//! After a move: who votes no more forgets the group, and everybody hears who votes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, StorageError};
use openraft::storage::RaftLogStorage;
use openraft::{EntryPayload, RaftLogReader};

use crate::Groups;
use crate::electorate::{self, Electorate, Elsewhere};
use crate::envelope::Answer;
use crate::error::WakeError;
use crate::groups::InUse;
use crate::keys::{GroupKey, LOG, STATE, StateKind, TODO, UNSETTLED};
use crate::log_store::{GroupLog, storage_error};
use crate::saved::todo_of;
use crate::types::{LogIdOf, MembershipOf};

/// How long a leader whose move is over waits for its followers before it sleeps.
const SEE_THROUGH: Duration = Duration::from_secs(1);

/// What a node answers who was told of an electorate.
pub(crate) struct Heard(bool);

impl From<Heard> for Answer {
    fn from(heard: Heard) -> Self {
        Self::Settled(heard.0)
    }
}

impl Groups {
    /// Takes note of who votes on a group, committed: forgets it if this node does not,
    /// and lets it sleep if it was woken for the move only.
    pub(crate) async fn hear(&self, genesis: &Genesis, told: Electorate) -> Heard {
        if told.voters.contains(&self.node()) {
            self.rest(genesis).await;
            return Heard(true);
        }
        let is_awake = self.places().peek(&genesis.listing).is_some();
        if is_awake && told.learners.contains(&self.node()) {
            // Its leader sends it the log, of which it may have as good as nothing yet.
            return Heard(true);
        }
        let left = self.leave(genesis, told).await;
        if let Err(cause) = &left {
            tracing::warn!(listing = %genesis.listing, %cause, "cannot forget a group");
        }
        Heard(left.is_ok())
    }

    /// Takes note of what a leader has said of a group that is not where somebody thought,
    /// perhaps in the midst of a move: who was not told of a goal, or of who votes, knows it
    /// from then on. Who votes is told by its log, and so is who learns.
    pub(crate) async fn overhear(&self, genesis: &Genesis, told: &Electorate) {
        if told.voters.contains(&self.node()) {
            return;
        }
        if let Some(group) = self.places().peek(&genesis.listing) {
            group.hint.note(told.clone());
            if group.moved_to().is_none() {
                return;
            }
        }
        self.hear(genesis, told.clone()).await;
    }

    /// Lets a group sleep that nobody has wanted but for its move.
    pub(crate) async fn rest(&self, genesis: &Genesis) {
        let places = self.places();
        let Some(group) = places.peek(&genesis.listing) else {
            return;
        };
        if group.leads() {
            // A leader sees its followers through, as ever. Late or in time: if it is
            // not done, it sleeps when its time comes.
            let wait = group.raft.wait(Some(SEE_THROUGH));
            let _ = wait
                .metrics(|_| group.work_is_done(), "its work to be done")
                .await;
            if !group.work_is_done() {
                return;
            }
        }
        if !group.wanted.load(Ordering::Relaxed)
            && let Some(closing) = places.close_idle(&genesis.listing)
        {
            self.put_to_sleep(closing);
        }
    }

    /// Forgets a group of which another node has said that others vote on it, unless this one learns
    /// it again: then it is sent what it lacks.
    pub(crate) async fn settle_hint(
        &self,
        genesis: &Genesis,
        group: InUse,
    ) -> Result<(), WakeError> {
        let Some(told) = group.led_by_others() else {
            return Ok(());
        };
        let is_gone = group.moved_to().is_some();
        drop(group);
        if is_gone {
            let left = self.leave(genesis, told.clone()).await;
            left.map_err(WakeError::Storage)?;
        }
        Err(WakeError::Moved(told))
    }

    /// Forgets a group on which others vote, unless its log knows better. It goes on to its end
    /// where whoever has asked for it waits no more: half of it would leave an instance that still
    /// writes beside the next one.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub(crate) async fn leave(
        &self,
        genesis: &Genesis,
        told: Electorate,
    ) -> Result<(), StorageError> {
        let (groups, genesis) = (self.clone(), genesis.clone());
        let leaving = async move { groups.leave_now(&genesis, told).await };
        let left = self.tracker().spawn(leaving).await;
        left.unwrap_or(Err(StorageError::Stopped))
    }

    async fn leave_now(&self, genesis: &Genesis, told: Electorate) -> Result<(), StorageError> {
        // Until this is dropped nobody wakes it.
        let closing = loop {
            match self.places().close(&genesis.listing) {
                Ok(closing) => break closing,
                Err(given_up) => given_up.cancelled().await,
            }
        };
        if let Some(group) = closing.group().await {
            group.sleep().await;
        }
        let mut log = self.log(&genesis.listing);
        let last = log
            .get_log_state()
            .await
            .map_err(storage_error)?
            .last_log_id;
        let learns = told.learners.contains(&self.node());
        if last.is_some() && (learns || self.is_known(genesis, &told)?) {
            return Ok(());
        }
        if self.knows_better(genesis, &mut log, &told).await? {
            return Ok(());
        }
        let listing = &genesis.listing;
        match last {
            None => electorate::note(self.shared(), genesis, outside(told, None)).await,
            Some(last) => {
                tracing::info!(%listing, voters = ?told.voters, "this node votes on it no more");
                self.forget(genesis, outside(told, Some(last))).await
            }
        }
    }

    /// Whether a log here is of afterwards: this node knew as much when it had none, and has been
    /// taken in since. Who learns may be far from the entry by which it was, and a leader sends it
    /// the log from the beginning once, not twice.
    fn is_known(&self, genesis: &Genesis, told: &Electorate) -> Result<bool, StorageError> {
        let known = Elsewhere::read(self.records(), &GroupKey::new(&genesis.listing))?;
        Ok(known.is_some_and(|known| told.at() <= known.electorate.at()))
    }

    /// Whether the log here has a membership that is later than what was told, or the same
    /// one with this node as one who learns: then this node has been taken in again.
    async fn knows_better(
        &self,
        genesis: &Genesis,
        log: &mut GroupLog,
        told: &Electorate,
    ) -> Result<bool, StorageError> {
        let node = self.node().get();
        let is_better = |at: LogIdOf, membership: &MembershipOf| {
            let learns = at == told.at() && membership.get_node(&node).is_some();
            at > told.at() || learns
        };
        let applied = self.stored_state(&genesis.listing)?.membership;
        if applied
            .log_id()
            .is_some_and(|at| is_better(at, applied.membership()))
        {
            return Ok(true);
        }
        let entries = log.try_get_log_entries(told.index..u64::MAX).await;
        let entries = entries.map_err(storage_error)?;
        Ok(entries.iter().any(|entry| match &entry.payload {
            EntryPayload::Membership(membership) => is_better(entry.log_id, membership),
            _ => false,
        }))
    }

    /// Removes log and ledger, and leaves the vote and where the group is, in one batch.
    async fn forget(&self, genesis: &Genesis, left: Elsewhere) -> Result<(), StorageError> {
        let key = GroupKey::new(&genesis.listing);
        let before = Elsewhere::read(self.records(), &key)?;
        let state = self.stored_state(&genesis.listing)?;
        let known = before
            .as_ref()
            .and_then(|before| before.electorate.goal.clone());
        let electorate = left
            .electorate
            .with_goal(state.goal.clone())
            .with_goal(known);
        let returns = before
            .as_ref()
            .is_some_and(|before| before.is_to_return(&electorate, &state.membership, self.node()));
        let left = Elsewhere {
            electorate,
            forgotten: left
                .forgotten
                .max(before.and_then(|before| before.forgotten)),
            returns: left.returns || returns,
        };
        let mut batch = Batch::new();
        left.put(&mut batch, genesis, &key);
        batch.delete_range(LOG, key.entry(0), key.end());
        if let Some(due) = todo_of(self.records(), &key, &state)? {
            batch.delete(TODO, key.todo(due));
        }
        for kind in [
            StateKind::Applied,
            StateKind::Progress,
            StateKind::Purged,
            StateKind::SleepNote,
        ] {
            batch.delete(STATE, key.state(kind));
        }
        // Who votes now settles among themselves.
        let members = state.membership.membership();
        let members = members.nodes().map(|(node, _)| *node);
        let others = genesis.voters.iter().chain(&left.electorate.voters);
        for node in members.chain(others.map(|node| node.get())) {
            batch.delete(UNSETTLED, key.unsettled(node));
        }
        batch.delete(UNSETTLED, key.unsettled(self.node().get()));
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await
    }
}

fn outside(electorate: Electorate, forgotten: Option<LogIdOf>) -> Elsewhere {
    Elsewhere {
        electorate,
        forgotten,
        returns: false,
    }
}
