//! Raft's own records as prost messages: field tags are the upgrade path.

use std::collections::BTreeSet;

use bytes::Bytes;
use meridian_regions::{Goal, Survival};
use openraft::{EntryPayload, LogId};
use prost::Message;

use crate::types::{EntryOf, LogIdOf, MembershipOf, Proposal, StoredMembershipOf, VoteOf};

/// Bytes that are no record of ours: damage, or a later version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record of a group: {0}")]
pub(crate) struct CodecError(pub(crate) String);

impl From<prost::DecodeError> for CodecError {
    fn from(cause: prost::DecodeError) -> Self {
        Self(cause.to_string())
    }
}

impl From<CodecError> for std::io::Error {
    fn from(error: CodecError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct LogIdRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    index: u64,
}

impl From<&LogIdOf> for LogIdRecord {
    fn from(id: &LogIdOf) -> Self {
        Self {
            term: id.leader_id.term,
            index: id.index,
        }
    }
}

impl From<LogIdRecord> for LogIdOf {
    fn from(record: LogIdRecord) -> Self {
        LogId::new_term_index(record.term, record.index)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct VoteRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    voted_for: u64,
    #[prost(bool, tag = "3")]
    committed: bool,
}

impl From<&VoteOf> for VoteRecord {
    fn from(vote: &VoteOf) -> Self {
        Self {
            term: vote.leader_id.term,
            voted_for: vote.leader_id.voted_for,
            committed: vote.committed,
        }
    }
}

impl From<VoteRecord> for VoteOf {
    fn from(record: VoteRecord) -> Self {
        if record.committed {
            Self::new_committed(record.term, record.voted_for)
        } else {
            Self::new(record.term, record.voted_for)
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MembershipRecord {
    /// More than one set of voters only while a membership change is under way.
    #[prost(message, repeated, tag = "1")]
    configs: Vec<VoterSet>,
    #[prost(uint64, repeated, tag = "2")]
    members: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct VoterSet {
    #[prost(uint64, repeated, tag = "1")]
    voters: Vec<u64>,
}

impl From<&MembershipOf> for MembershipRecord {
    fn from(membership: &MembershipOf) -> Self {
        Self {
            configs: membership
                .get_joint_config()
                .iter()
                .map(|voters| VoterSet {
                    voters: voters.iter().copied().collect(),
                })
                .collect(),
            members: membership.nodes().map(|(id, _)| *id).collect(),
        }
    }
}

impl From<MembershipRecord> for MembershipOf {
    fn from(record: MembershipRecord) -> Self {
        let configs = record
            .configs
            .into_iter()
            .map(|set| set.voters.into_iter().collect::<BTreeSet<u64>>())
            .collect();
        let members: BTreeSet<u64> = record.members.into_iter().collect();
        Self::new_with_defaults(configs, members)
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredMembershipRecord {
    #[prost(message, optional, tag = "1")]
    log_id: Option<LogIdRecord>,
    #[prost(message, required, tag = "2")]
    membership: MembershipRecord,
}

impl From<&StoredMembershipOf> for StoredMembershipRecord {
    fn from(stored: &StoredMembershipOf) -> Self {
        Self {
            log_id: stored.log_id().as_ref().map(LogIdRecord::from),
            membership: stored.membership().into(),
        }
    }
}

impl From<StoredMembershipRecord> for StoredMembershipOf {
    fn from(record: StoredMembershipRecord) -> Self {
        Self::new(record.log_id.map(LogIdOf::from), record.membership.into())
    }
}

/// Where a listing is at home, and what its bookings survive.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GoalRecord {
    #[prost(string, tag = "1")]
    home: String,
    /// As in the genesis record: 1 for a region, 2 for a zone.
    #[prost(int32, tag = "2")]
    survival: i32,
    #[prost(uint64, tag = "3")]
    revision: u64,
}

impl From<&Goal> for GoalRecord {
    fn from(goal: &Goal) -> Self {
        Self {
            home: goal.home.to_string(),
            survival: match goal.survival {
                Survival::Region => 1,
                Survival::Zone => 2,
            },
            revision: goal.revision,
        }
    }
}

impl TryFrom<GoalRecord> for Goal {
    type Error = CodecError;

    fn try_from(record: GoalRecord) -> Result<Self, CodecError> {
        let unreadable = |cause: String| CodecError(format!("a goal of a listing: {cause}"));
        Ok(Self {
            home: record
                .home
                .parse()
                .map_err(|cause: meridian_regions::IdError| unreadable(cause.to_string()))?,
            survival: match record.survival {
                1 => Survival::Region,
                2 => Survival::Zone,
                other => {
                    return Err(unreadable(format!(
                        "survival {other} is of a later version"
                    )));
                }
            },
            revision: record.revision,
        })
    }
}

/// One entry of a group's log.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EntryRecord {
    #[prost(message, required, tag = "1")]
    log_id: LogIdRecord,
    #[prost(oneof = "PayloadRecord", tags = "2, 3, 4, 5, 6")]
    payload: Option<PayloadRecord>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PayloadRecord {
    #[prost(message, tag = "2")]
    Blank(BlankRecord),
    #[prost(bytes = "bytes", tag = "3")]
    Command(Bytes),
    #[prost(message, tag = "4")]
    Membership(MembershipRecord),
    #[prost(uint64, tag = "5")]
    MoveEpoch(u64),
    #[prost(message, tag = "6")]
    Goal(GoalRecord),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct BlankRecord {}

impl From<&EntryOf> for EntryRecord {
    fn from(entry: &EntryOf) -> Self {
        let payload = match &entry.payload {
            EntryPayload::Blank => PayloadRecord::Blank(BlankRecord {}),
            EntryPayload::Normal(Proposal::Command(command)) => {
                PayloadRecord::Command(command.clone())
            }
            EntryPayload::Normal(Proposal::MoveEpoch(epoch)) => PayloadRecord::MoveEpoch(*epoch),
            EntryPayload::Normal(Proposal::Goal(goal)) => PayloadRecord::Goal(goal.into()),
            EntryPayload::Membership(membership) => PayloadRecord::Membership(membership.into()),
        };
        Self {
            log_id: (&entry.log_id).into(),
            payload: Some(payload),
        }
    }
}

impl TryFrom<EntryRecord> for EntryOf {
    type Error = CodecError;

    fn try_from(record: EntryRecord) -> Result<Self, CodecError> {
        let payload = match record.payload {
            Some(PayloadRecord::Blank(_)) => EntryPayload::Blank,
            Some(PayloadRecord::Command(bytes)) => EntryPayload::Normal(Proposal::Command(bytes)),
            Some(PayloadRecord::MoveEpoch(epoch)) => {
                EntryPayload::Normal(Proposal::MoveEpoch(epoch))
            }
            Some(PayloadRecord::Goal(goal)) => {
                EntryPayload::Normal(Proposal::Goal(goal.try_into()?))
            }
            Some(PayloadRecord::Membership(record)) => EntryPayload::Membership(record.into()),
            // To guess would make replicas differ.
            None => return Err(CodecError("an entry of a later version".to_owned())),
        };
        Ok(Self {
            log_id: record.log_id.into(),
            payload,
        })
    }
}

/// Reads one entry.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<EntryOf, CodecError> {
    EntryRecord::decode(bytes)?.try_into()
}
