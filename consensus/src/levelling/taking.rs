//! What one copy of a group takes over from another: log, if need be ledger, and a vote.
//!
//! What it is not: a decision about who has what happened. Whoever calls has found that out.

use meridian_storage::{Batch, Durability, StorageError};
use prost::Message;

use super::chain::Chain;
use super::held::Held;
use super::{Desk, LevelError, erase};
use crate::codec::{EntryRecord, LogIdRecord, VoteRecord};
use crate::fence::FencedWriter;
use crate::key_uses;
use crate::keys::{GroupKey, LOG, STATE, StateKind, UNSETTLED};
use crate::records::put;
use crate::state_machine::LedgerMachine;
use crate::types::{EntryOf, VoteOf};

/// One copy of a group that is given what another has.
pub(super) struct Taking<'a> {
    pub(super) to: &'a Desk,
    pub(super) has: &'a Held,
    pub(super) from: &'a Desk,
    pub(super) winner: &'a Held,
}

impl Taking<'_> {
    /// Gives it log, if need be ledger, and a vote that no copy has seen; answers how many
    /// entries.
    pub(super) async fn take(&self, group: &GroupKey, vote: &VoteOf) -> Result<u64, LevelError> {
        let mut entries = 0;
        if self.has.last != self.winner.last {
            entries = self.take_log(group).await?;
        }
        let mut batch = Batch::new();
        batch.delete(STATE, group.state(StateKind::SleepNote));
        batch.delete(STATE, group.state(StateKind::Elsewhere));
        if let Some(genesis) = &self.winner.genesis {
            put(&mut batch, STATE, group.state(StateKind::Genesis), genesis);
        }
        let vote = VoteRecord::from(vote).encode_to_vec();
        put(&mut batch, STATE, group.state(StateKind::Vote), &vote);
        // So that it is used once, and everything applied, by whoever is elected.
        batch.put(UNSETTLED, group.unsettled(self.to.node.get()), Vec::new());
        self.to.write(batch, Durability::Buffered).await?;
        Ok(entries)
    }

    async fn take_log(&self, group: &GroupKey) -> Result<u64, LevelError> {
        if self.has.next_to_apply() > self.winner.end() {
            return Err(LevelError::Foreign {
                node: self.to.node,
                listing: group.name(),
            });
        }
        let mut from = self.has.next_to_apply();
        if self.has.damaged || self.winner.first() > from {
            self.take_ledger(group).await?;
            from = self.winner.first();
        }
        let read = |index| self.from.entries(group, index);
        self.take_entries(group, from, read).await
    }

    /// Takes over what follows from an index on, as `chain` tells it: the log that is behind goes
    /// on with it.
    pub(super) async fn take_forward(
        &self,
        group: &GroupKey,
        from: u64,
        chain: &Chain<'_>,
    ) -> Result<u64, LevelError> {
        if let (None, Some(genesis)) = (&self.has.genesis, &self.winner.genesis) {
            let mut batch = Batch::new();
            put(&mut batch, STATE, group.state(StateKind::Genesis), genesis);
            self.to.write(batch, Durability::Buffered).await?;
        }
        let read = |index| chain.entries(group, index);
        self.take_entries(group, from, read).await
    }

    /// Has the log go on from an index on as what is read does, to the winner's end.
    async fn take_entries(
        &self,
        group: &GroupKey,
        mut from: u64,
        read: impl Fn(u64) -> Result<Vec<EntryOf>, LevelError>,
    ) -> Result<u64, LevelError> {
        let mut batch = Batch::new();
        batch.delete_range(LOG, group.entry(from), group.end());
        self.to.write(batch, Durability::Buffered).await?;
        let (mut taken, end) = (0, self.winner.end());
        loop {
            let mut page = read(from)?;
            page.retain(|entry| entry.log_id.index < end);
            let Some(last) = page.last() else {
                return Ok(taken);
            };
            from = last.log_id.index + 1;
            taken += page.len() as u64;
            let mut batch = Batch::new();
            for entry in &page {
                let record = EntryRecord::from(entry).encode_to_vec();
                put(&mut batch, LOG, group.entry(entry.log_id.index), &record);
                key_uses::note_entry(&mut batch, group, entry);
            }
            self.to.write(batch, Durability::Buffered).await?;
        }
    }

    /// The log does not reach back to what this copy has: as where a leader sends a snapshot,
    /// and what is new by it is told in the feed.
    async fn take_ledger(&self, group: &GroupKey) -> Result<(), LevelError> {
        let mut batch = Batch::new();
        if self.has.damaged {
            erase(&mut batch, group);
        } else {
            batch.delete_range(LOG, group.start(), group.end());
        }
        if let Some(purged) = &self.winner.purged {
            let record = LogIdRecord::from(purged).encode_to_vec();
            put(&mut batch, STATE, group.state(StateKind::Purged), &record);
        }
        self.to.write(batch, Durability::Buffered).await?;
        let applied = self
            .from
            .records
            .get(STATE, &group.state(StateKind::Applied));
        let applied = applied.map_err(|cause| self.from.failed(cause))?;
        let (Some(applied), Some(listing)) = (applied, group.listing()) else {
            return Ok(());
        };
        let failed = |cause: std::io::Error| self.to.failed(StorageError::Read(cause.to_string()));
        let writer = FencedWriter::new(self.to.writer.clone());
        let machine = LedgerMachine::open(group.clone(), &self.to.records, writer);
        let machine = machine
            .map_err(failed)?
            .heard_by(self.to.announcer.herald(&listing), &self.to.feed);
        machine.take_whole(&applied).await.map_err(failed)
    }
}
