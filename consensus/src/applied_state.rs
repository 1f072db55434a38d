//! What a group has applied: log id, membership, epoch and ledger in one record, so that
//! none can be newer than the others.

use std::sync::Arc;

use meridian_consensus_core::Ledger;
use meridian_regions::Goal;
use prost::Message;

use crate::codec::{CodecError, GoalRecord, LogIdRecord, StoredMembershipRecord};
use crate::types::{LogIdOf, StoredMembershipOf};

/// A group's applied state. Readers share its ledger, which is copied only where an entry
/// is applied under their eyes.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppliedState {
    pub(crate) log_id: Option<LogIdOf>,
    pub(crate) membership: StoredMembershipOf,
    pub(crate) ledger: Arc<Ledger>,
    /// No plan of an earlier epoch of the topology moves the group any more.
    pub(crate) move_epoch: u64,
    /// What the listing's home and survival goal were changed to last.
    pub(crate) goal: Option<Goal>,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, optional, tag = "1")]
    log_id: Option<LogIdRecord>,
    #[prost(message, optional, tag = "2")]
    membership: Option<StoredMembershipRecord>,
    #[prost(bytes = "vec", tag = "3")]
    ledger: Vec<u8>,
    #[prost(uint64, tag = "4")]
    move_epoch: u64,
    #[prost(message, optional, tag = "5")]
    goal: Option<GoalRecord>,
}

impl AppliedState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Record {
            log_id: self.log_id.as_ref().map(LogIdRecord::from),
            membership: Some((&self.membership).into()),
            ledger: self.ledger.encode(),
            move_epoch: self.move_epoch,
            goal: self.goal.as_ref().map(GoalRecord::from),
        }
        .encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let record = Record::decode(bytes)?;
        Ok(Self {
            log_id: record.log_id.map(LogIdOf::from),
            membership: record
                .membership
                .map(StoredMembershipOf::from)
                .unwrap_or_default(),
            ledger: Ledger::decode(&record.ledger)
                .map(Arc::new)
                .map_err(|cause| CodecError(cause.to_string()))?,
            move_epoch: record.move_epoch,
            goal: record.goal.map(Goal::try_from).transpose()?,
        })
    }

    /// The log id alone, for who does not care for the ledger.
    pub(crate) fn log_id_in(bytes: &[u8]) -> Result<Option<LogIdOf>, CodecError> {
        Ok(Record::decode(bytes)?.log_id.map(LogIdOf::from))
    }

    /// The goal alone, for who does not care for the ledger.
    pub(crate) fn goal_in(bytes: &[u8]) -> Result<Option<Goal>, CodecError> {
        Record::decode(bytes)?.goal.map(Goal::try_from).transpose()
    }

    /// Takes a goal that follows the one that stands. One that was decided upon another than
    /// that comes too late, and changes nothing.
    pub(crate) fn take_goal(&mut self, goal: &Goal) {
        let standing = self.goal.as_ref().map_or(0, |goal| goal.revision);
        if goal.revision == standing.saturating_add(1) {
            self.goal = Some(goal.clone());
        }
    }

    /// The membership alone, for who does not care for the ledger.
    pub(crate) fn membership_in(bytes: &[u8]) -> Result<StoredMembershipOf, CodecError> {
        let membership = Record::decode(bytes)?.membership;
        Ok(membership.map(StoredMembershipOf::from).unwrap_or_default())
    }
}
