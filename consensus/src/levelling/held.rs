//! What one copy has of a group, as far as levelling asks.

use std::collections::BTreeSet;

use meridian_regions::{Genesis, NodeId};
use meridian_storage::StorageError;
use openraft::EntryPayload;
use prost::Message;

use super::{Desk, ENTRIES_PAGE, LevelError};
use crate::applied_state::AppliedState;
use crate::codec::{CodecError, LogIdRecord, VoteRecord, decode_entry};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::records::Records;
use crate::types::{EntryOf, LogIdOf, MembershipOf, VoteOf};

/// What a copy has of a group. Of one in which a record is damaged it is as if nothing were
/// there: the group does not run on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    /// The last entry of its log; `None` if it has no log.
    pub(super) last: Option<LogIdOf>,
    pub(super) purged: Option<LogIdOf>,
    pub(super) vote: Option<VoteOf>,
    pub(super) genesis: Option<Vec<u8>>,
    pub(super) damaged: bool,
    pub(super) applied: Option<LogIdOf>,
    /// Whether the log has the entry that the ledger has executed last, or had it before it was
    /// cut off.
    reaches_applied: bool,
}

impl Held {
    /// Reads every record of the group, entries included: a copy that is taken for what has
    /// happened has to be whole.
    pub(super) fn read(records: &Records, group: &GroupKey) -> Result<Self, StorageError> {
        match Self::try_read(records, group) {
            Err(StorageError::Damaged(_)) => Ok(Self {
                damaged: true,
                ..Self::default()
            }),
            read => read,
        }
    }

    fn try_read(records: &Records, group: &GroupKey) -> Result<Self, StorageError> {
        let get = |kind| records.get(STATE, &group.state(kind));
        let log_id = |record: Vec<u8>| LogIdRecord::decode(record.as_slice()).map(LogIdOf::from);
        let vote = |record: Vec<u8>| VoteRecord::decode(record.as_slice()).map(VoteOf::from);
        let purged = get(StateKind::Purged)?.map(log_id).transpose();
        let purged = purged.map_err(|cause| unreadable(&cause.into()))?;
        let applied = get(StateKind::Applied)?.map(|record| AppliedState::log_id_in(&record));
        let applied = applied.transpose().map_err(|cause| unreadable(&cause))?;
        let applied = applied.flatten();
        let (mut last, mut reaches_applied) = (purged, purged >= applied);
        loop {
            let from = last.map_or(0, |last| last.index + 1);
            let page = entries(records, group, from, ENTRIES_PAGE)?;
            let Some(entry) = page.last() else {
                break;
            };
            last = Some(entry.log_id);
            reaches_applied |= page.iter().any(|entry| Some(entry.log_id) == applied);
        }
        let vote = get(StateKind::Vote)?.map(vote).transpose();
        Ok(Self {
            last,
            purged,
            vote: vote.map_err(|cause| unreadable(&cause.into()))?,
            genesis: get(StateKind::Genesis)?,
            damaged: false,
            applied,
            reaches_applied,
        })
    }

    /// What its ledger has executed last, where that is no part of its log.
    pub(super) fn overtaken_by(&self) -> Option<LogIdOf> {
        self.applied.filter(|_| !self.reaches_applied)
    }

    /// Index of the first entry that its ledger on disk lacks.
    pub(super) fn next_to_apply(&self) -> u64 {
        self.applied.map_or(0, |applied| applied.index + 1)
    }

    /// Index of the first entry of its log.
    pub(super) fn first(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index + 1)
    }

    /// Index behind its last entry.
    pub(super) fn end(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// The latest term that it has seen.
    pub(super) fn latest_term(&self) -> u64 {
        let voted = self.vote.map_or(0, |vote| vote.leader_id.term);
        let logged = self.last.map_or(0, |last| last.leader_id.term);
        voted.max(logged)
    }

    /// Who is to have the group, by its log: as Raft counts, from the last entry about it on,
    /// committed or not.
    pub(super) fn members(&self, desk: &Desk, group: &GroupKey) -> Result<Members, LevelError> {
        let failed = |cause| desk.failed(cause);
        let mut found: Option<MembershipOf> = None;
        let mut from = self.first();
        loop {
            let page = desk.entries(group, from)?;
            let Some(last) = page.last() else {
                break;
            };
            from = last.log_id.index + 1;
            for entry in page {
                if let EntryPayload::Membership(membership) = entry.payload {
                    found = Some(membership);
                }
            }
        }
        if let Some(membership) = found {
            return Ok(Members(membership));
        }
        let applied = desk.records.get(STATE, &group.state(StateKind::Applied));
        if let Some(record) = applied.map_err(failed)? {
            let stored = AppliedState::membership_in(&record);
            let stored = stored.map_err(|cause| failed(unreadable(&cause)))?;
            return Ok(Members(stored.membership().clone()));
        }
        let genesis = self.genesis.as_deref().map(Genesis::decode);
        let voters = genesis.and_then(Result::ok).map(|genesis| genesis.voters);
        let voters = voters.into_iter().flatten().map(NodeId::get);
        let voters: BTreeSet<u64> = voters.collect();
        let membership = MembershipOf::new_with_defaults(vec![voters.clone()], voters);
        Ok(Members(membership))
    }
}

/// Who is to have a group.
pub(super) struct Members(MembershipOf);

impl Members {
    pub(super) fn has(&self, node: NodeId) -> bool {
        self.0.nodes().any(|(member, _)| *member == node.get())
    }

    /// Whether the copies include most voters of each set that decides. Where one is damaged whose
    /// node has no part in the group by this log, the group may have gone on to others since: who
    /// has forgotten its log, as whoever has left does, then vouches for nothing.
    pub(super) fn suffice<'a>(
        &self,
        copies: impl Iterator<Item = (&'a Desk, &'a Held)> + Clone,
    ) -> bool {
        let is_foreign = |(desk, held): (&Desk, &Held)| held.damaged && !self.has(desk.node);
        let may_have_gone = copies.clone().any(is_foreign);
        let vouches = |held: &Held| !held.damaged && (held.last.is_some() || !may_have_gone);
        let whole = copies.filter(|(_, held)| vouches(held));
        let whole: BTreeSet<u64> = whole.map(|(desk, _)| desk.node.get()).collect();
        let mut sets = self.0.get_joint_config().iter();
        sets.all(|voters| voters.intersection(&whole).count() > voters.len() / 2)
    }
}

/// Entries of a group from `index` on, at most `limit`.
pub(super) fn entries(
    records: &Records,
    group: &GroupKey,
    index: u64,
    limit: usize,
) -> Result<Vec<EntryOf>, StorageError> {
    let page = records.entries(&group.entry(index), &group.end(), limit)?;
    let decoded = page.iter().map(|(_, record)| decode_entry(record));
    let decoded: Result<_, _> = decoded.collect();
    decoded.map_err(|cause| unreadable(&cause))
}

fn unreadable(cause: &CodecError) -> StorageError {
    StorageError::Read(cause.to_string())
}
