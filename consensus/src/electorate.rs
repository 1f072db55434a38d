//! Who votes on a group, as of an entry of its log, and what a node that is not among
//! them keeps of it.
//!
//! A group's first voters stand in its genesis record; later ones only in its log. A node
//! that has no log of a group keeps what it was told last, so that it can send whoever
//! asks to those who vote. A hint that is old costs a detour, never an answer: only
//! voters answer.
//!
//! A voter that has left forgets the group's log and ledger, and keeps its vote and how
//! far its log had come. It answers nothing from then on. Should the group come back, it
//! begins with an empty log, in which it votes no more than a stranger would until it has
//! applied everything that it had before: else a candidate of long ago, to whom this
//! node's old log would have been an obstacle, could win with its help.

use std::sync::{Arc, Mutex, PoisonError};

use meridian_regions::{Genesis, Goal, NodeId};
use meridian_storage::{Batch, Durability, StorageError};
use prost::Message;

use crate::codec::{CodecError, GoalRecord, LogIdRecord};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::records::{Records, put};
use crate::shared::Shared;
use crate::types::{LogIdOf, StoredMembershipOf};

/// Who votes on a group as of one entry of its log. A later entry may say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Electorate {
    /// Term of the entry.
    pub term: u64,
    /// Index of the entry.
    pub index: u64,
    /// The voters, in ascending order.
    pub voters: Vec<NodeId>,
    /// Who learns the log by that entry, and does not vote yet, in ascending order: none where
    /// somebody of an earlier release says so.
    pub learners: Vec<NodeId>,
    /// What home and survival goal were changed to last, as far as whoever says so knows.
    pub goal: Option<Goal>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ElectorateRecord {
    #[prost(message, required, tag = "1")]
    pub(crate) at: LogIdRecord,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) voters: Vec<u64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) goal: Option<GoalRecord>,
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) learners: Vec<u64>,
}

/// What a node that has no log of a group keeps of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ElsewhereRecord {
    #[prost(message, required, tag = "1")]
    pub(crate) electorate: ElectorateRecord,
    /// The end of the log that this node had and has forgotten.
    #[prost(message, optional, tag = "2")]
    pub(crate) forgotten: Option<LogIdRecord>,
    #[prost(bool, tag = "3")]
    pub(crate) returns: bool,
}

impl Electorate {
    /// Its bytes, for nodes that forward requests.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        ElectorateRecord::from(self).encode_to_vec()
    }

    /// Reads what [`Electorate::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        ElectorateRecord::decode(bytes).ok().map(Self::from)
    }

    /// What a membership that is committed says; `None` before the first.
    pub(crate) fn of(stored: &StoredMembershipOf) -> Option<Self> {
        let at = stored.log_id().as_ref()?;
        let voters: Vec<NodeId> = stored
            .membership()
            .voter_ids()
            .filter_map(NodeId::new)
            .collect();
        let members = stored.membership().nodes();
        let members = members.filter_map(|(node, _)| NodeId::new(*node));
        Some(Self {
            term: at.leader_id.term,
            index: at.index,
            learners: members.filter(|node| !voters.contains(node)).collect(),
            voters,
            goal: None,
        })
    }

    /// The same, with the later of its goal and another.
    pub(crate) fn with_goal(mut self, other: Option<Goal>) -> Self {
        let revision = |goal: &Option<Goal>| goal.as_ref().map_or(0, |goal| goal.revision);
        if revision(&other) > revision(&self.goal) {
            self.goal = other;
        }
        self
    }

    pub(crate) fn at(&self) -> LogIdOf {
        LogIdOf::new_term_index(self.term, self.index)
    }

    /// Whether this says more than another does: it is of a later entry, or of the same one with who
    /// learns, which earlier releases do not say.
    fn says_more_than(&self, other: &Self) -> bool {
        let word = |one: &Self| (one.at(), !one.learners.is_empty());
        word(self) > word(other)
    }

    /// Whether a node has a part in the group: it votes, or learns.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }
}

impl From<&Electorate> for ElectorateRecord {
    fn from(electorate: &Electorate) -> Self {
        Self {
            at: (&electorate.at()).into(),
            voters: electorate.voters.iter().map(|voter| voter.get()).collect(),
            goal: electorate.goal.as_ref().map(GoalRecord::from),
            learners: electorate.learners.iter().map(|node| node.get()).collect(),
        }
    }
}

impl From<ElectorateRecord> for Electorate {
    fn from(record: ElectorateRecord) -> Self {
        let at = LogIdOf::from(record.at);
        let voters = record.voters.into_iter();
        Self {
            term: at.leader_id.term,
            index: at.index,
            voters: voters.filter_map(NodeId::new).collect(),
            learners: record
                .learners
                .into_iter()
                .filter_map(NodeId::new)
                .collect(),
            // Of a later version: a hint without it is a hint still.
            goal: record.goal.and_then(|goal| Goal::try_from(goal).ok()),
        }
    }
}

/// What a node that has no log of a group knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) electorate: Electorate,
    /// The end of the log that this node had and has forgotten.
    pub(crate) forgotten: Option<LogIdOf>,
    /// Whether it has left to come back: see `returning.rs`.
    pub(crate) returns: bool,
}

impl Elsewhere {
    /// Reads a group's record, if there is one.
    pub(crate) fn read(records: &Records, key: &GroupKey) -> Result<Option<Self>, StorageError> {
        let record = records.get(STATE, &key.state(StateKind::Elsewhere))?;
        let unreadable = |cause: CodecError| StorageError::Read(cause.to_string());
        let decoded = record.map(|bytes| ElsewhereRecord::decode(bytes.as_slice()));
        let decoded = decoded
            .transpose()
            .map_err(|cause| unreadable(cause.into()))?;
        Ok(decoded.map(|record| Self {
            electorate: record.electorate.into(),
            forgotten: record.forgotten.map(LogIdOf::from),
            returns: record.returns,
        }))
    }

    /// What is known once something else was told: who votes by the later entry, who learns by it if
    /// either says so, the later goal, and what this node had itself.
    fn merged(&self, told: Self) -> Self {
        let (later, other) = if told.electorate.says_more_than(&self.electorate) {
            (told.electorate, &self.electorate)
        } else {
            (self.electorate.clone(), &told.electorate)
        };
        let goal = other.goal.clone();
        Self {
            electorate: later.with_goal(goal),
            forgotten: told.forgotten.max(self.forgotten),
            returns: self.returns,
        }
    }

    pub(crate) fn put(&self, batch: &mut Batch, genesis: &Genesis, key: &GroupKey) {
        let record = ElsewhereRecord {
            electorate: (&self.electorate).into(),
            forgotten: self.forgotten.as_ref().map(LogIdRecord::from),
            returns: self.returns,
        };
        let place = key.state(StateKind::Elsewhere);
        put(batch, STATE, place, &record.encode_to_vec());
        let place = key.state(StateKind::Genesis);
        put(batch, STATE, place, &genesis.encode());
    }
}

/// How a node comes to use a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// It wants to, or a voter asks it for its vote.
    Asked,
    /// A leader sends it entries or a ledger, up to what it has committed: that makes it
    /// a member, whether it knows or not.
    Led(Option<LogIdOf>),
}

/// How a node stands to a group, by its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has a log.
    Member,
    /// It votes by the genesis record, and the group has never been used here.
    Founder,
    /// It has no log, and knows who has.
    Elsewhere(Elsewhere),
    /// It has no log, and knows nothing.
    Stranger,
    /// It knows nothing, and may have had a log and given its vote: see `returning.rs`.
    Lost,
}

impl Standing {
    pub(crate) fn read(
        shared: &Shared,
        genesis: &Genesis,
        key: &GroupKey,
        has_log: bool,
    ) -> Result<Self, StorageError> {
        let records = &shared.records;
        if has_log
            || records
                .get(STATE, &key.state(StateKind::Applied))?
                .is_some()
        {
            return Ok(Self::Member);
        }
        if let Some(elsewhere) = Elsewhere::read(records, key)? {
            return Ok(Self::Elsewhere(elsewhere));
        }
        if shared.returns() {
            return Ok(Self::Lost);
        }
        // Founding writes the genesis record and the first entry together.
        let is_known = records
            .get(STATE, &key.state(StateKind::Genesis))?
            .is_some();
        Ok(if genesis.voters.contains(&shared.node) && !is_known {
            Self::Founder
        } else {
            Self::Stranger
        })
    }

    /// Whether a node that stands so may take part, coming by this entrance.
    pub(crate) fn admits(&self, entrance: Entrance) -> bool {
        match (self, entrance) {
            (Self::Member | Self::Founder, _) => true,
            (Self::Lost, _) | (Self::Elsewhere(_) | Self::Stranger, Entrance::Asked) => false,
            (Self::Stranger, Entrance::Led(_)) => true,
            // A message that was under way when this node left does not bring it back.
            (Self::Elsewhere(elsewhere), Entrance::Led(committed)) => {
                committed >= Some(elsewhere.electorate.at())
            }
        }
    }
}

/// Writes down who votes on a group that has no log here, unless something later is known.
/// Not for a node that has lost its log: what it is told may be from before.
pub(crate) async fn note(
    shared: &Shared,
    genesis: &Genesis,
    told: Elsewhere,
) -> Result<(), StorageError> {
    let key = GroupKey::new(&genesis.listing);
    let known = Elsewhere::read(&shared.records, &key)?;
    if known.is_none() && shared.returns() {
        return Ok(());
    }
    let told = match &known {
        Some(known) => known.merged(told),
        None => told,
    };
    if known.as_ref() == Some(&told) {
        return Ok(());
    }
    let mut batch = Batch::new();
    told.put(&mut batch, genesis, &key);
    let permit = shared.writer.reserve().await?;
    permit.submit(batch, Durability::Synced).await
}

/// What another node has told this instance of a group about who votes on it, if this
/// node does not any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hint(Arc<Mutex<Option<Electorate>>>);

impl Hint {
    pub(crate) fn note(&self, told: Electorate) {
        let mut hint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hint.as_ref().is_none_or(|known| told.says_more_than(known)) {
            *hint = Some(told);
        }
    }

    pub(crate) fn read(&self) -> Option<Electorate> {
        let hint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hint.clone()
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::{Electorate, Elsewhere, Hint};

    /// As of an entry, with who learns by it.
    fn electorate(index: u64, learners: &[u64]) -> Electorate {
        let nodes = |ids: &[u64]| ids.iter().copied().filter_map(NodeId::new).collect();
        Electorate {
            term: 2,
            index,
            voters: nodes(&[1, 2, 3]),
            learners: nodes(learners),
            goal: None,
        }
    }

    fn elsewhere(electorate: Electorate) -> Elsewhere {
        Elsewhere {
            electorate,
            forgotten: None,
            returns: false,
        }
    }

    /// An earlier release has said first who votes, and not who learns.
    #[test]
    fn who_learns_is_taken_note_of_though_who_votes_by_the_same_entry_is_known() {
        let (silent, whole, next) = (electorate(9, &[]), electorate(9, &[4]), electorate(10, &[]));
        for (first, then, known) in [
            (&silent, &whole, &whole),
            (&whole, &silent, &whole),
            (&whole, &next, &next),
            (&next, &whole, &next),
        ] {
            let merged = elsewhere(first.clone()).merged(elsewhere(then.clone()));
            assert_eq!(merged.electorate, *known, "{first:?}, then {then:?}");
            let hint = Hint::default();
            hint.note(first.clone());
            hint.note(then.clone());
            assert_eq!(hint.read().as_ref(), Some(known));
        }
    }
}
