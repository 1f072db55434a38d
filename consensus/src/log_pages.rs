//! A group's log as this node has it, page by page: for whoever compares what the voters
//! have written down.
//!
//! It wakes nobody, and shows only what is applied here, which is never taken back. A ledger that
//! came whole stands ahead of the log for a moment: what the log has then was perhaps agreed on by
//! nobody, and is not shown. What it is not: a way to learn of bookings; entries that were purged
//! are gone.

use bytes::Bytes;
use meridian_regions::{Goal, ListingId};
use meridian_storage::StorageError;
use openraft::storage::RaftLogStorage;
use openraft::{EntryPayload, RaftLogReader};

use crate::Groups;
use crate::log_store::storage_error;
use crate::types::{EntryOf, Proposal};

/// Entries of one page: with commands of some hundred bytes, far less than an answer may
/// have.
pub const LOG_PAGE_MAX: u64 = 256;

/// A part of a group's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Index of the last entry that is applied here.
    pub applied_index: u64,
    /// Entries one behind the other, from the first that was asked for and is still there.
    pub entries: Vec<LogEntry>,
}

/// An entry of a group's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub index: u64,
    /// Term of the leader that has proposed it.
    pub term: u64,
    /// What it holds.
    pub what: Logged,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// Nothing: a new leader begins with it.
    Nothing,
    /// A command of the ledger, encoded.
    Command(Bytes),
    /// Who votes, and who learns, in words that are equal where they are.
    Voters(String),
    /// No plan of an earlier epoch of the topology moves the group any more.
    MoveEpoch(u64),
    /// Where the listing is at home from now on, and what its bookings are to survive.
    Goal(Goal),
}

impl Groups {
    /// At most [`LOG_PAGE_MAX`] entries of a listing's group from `from` on, of those that
    /// are applied here; `None` if nothing is.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub async fn log_page(
        &self,
        listing: &ListingId,
        from: u64,
    ) -> Result<Option<LogPage>, StorageError> {
        let Some(applied) = self.applied(listing)? else {
            return Ok(None);
        };
        let applied_index = applied.index;
        let mut log = self.log(listing);
        let at_applied = log
            .try_get_log_entries(applied_index..applied_index.saturating_add(1))
            .await
            .map_err(storage_error)?;
        // With that entry every one before it is applied, too (log matching); none is without it.
        if at_applied.first().map(|entry| entry.log_id) != Some(applied) {
            return Ok(Some(LogPage {
                applied_index,
                entries: Vec::new(),
            }));
        }
        let state = log.get_log_state().await.map_err(storage_error)?;
        let purged = state.last_purged_log_id;
        let from = from.max(purged.map_or(0, |purged| purged.index.saturating_add(1)));
        let until = applied_index
            .saturating_add(1)
            .min(from.saturating_add(LOG_PAGE_MAX));
        let entries = if from < until {
            let read = log.try_get_log_entries(from..until).await;
            read.map_err(storage_error)?
        } else {
            Vec::new()
        };
        Ok(Some(LogPage {
            applied_index,
            entries: entries.into_iter().map(shown).collect(),
        }))
    }
}

fn shown(entry: EntryOf) -> LogEntry {
    LogEntry {
        index: entry.log_id.index,
        term: entry.log_id.leader_id.term,
        what: match entry.payload {
            EntryPayload::Blank => Logged::Nothing,
            EntryPayload::Normal(Proposal::Command(command)) => Logged::Command(command),
            EntryPayload::Normal(Proposal::MoveEpoch(epoch)) => Logged::MoveEpoch(epoch),
            EntryPayload::Normal(Proposal::Goal(goal)) => Logged::Goal(goal),
            EntryPayload::Membership(membership) => {
                let members: Vec<u64> = membership.nodes().map(|(id, _)| *id).collect();
                let voters = membership.get_joint_config();
                Logged::Voters(format!("{voters:?} of {members:?}"))
            }
        },
    }
}
