//! How a step is asked of a leader, and what it answers.

use meridian_regions::{FormatLevel, Goal, NodeId};
use prost::Message;

use super::{Move, MoveError, Moving};
use crate::codec::{CodecError, GoalRecord};
use crate::electorate::ElectorateRecord;
use crate::envelope::Answer;

/// Asks the leader of a group for one step.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MoveCall {
    #[prost(uint64, repeated, tag = "1")]
    from: Vec<u64>,
    #[prost(uint64, repeated, tag = "2")]
    to: Vec<u64>,
    #[prost(uint64, tag = "3")]
    epoch: u64,
    /// Time for the step, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub(super) deadline_ms: u64,
    #[prost(message, optional, tag = "5")]
    goal: Option<GoalRecord>,
}

/// What came of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MoveAnswer {
    #[prost(enumeration = "Outcome", tag = "1")]
    outcome: i32,
    /// With `NotLeader`; zero for nobody known.
    #[prost(uint64, tag = "2")]
    leader: u64,
    /// With `Fenced`.
    #[prost(uint64, tag = "3")]
    epoch: u64,
    /// With `Settled`, `Changed` and `Moved`.
    #[prost(message, optional, tag = "4")]
    electorate: Option<ElectorateRecord>,
    /// With `Storage`.
    #[prost(string, tag = "5")]
    cause: String,
    /// With `Level`: what is written where it was asked.
    #[prost(uint32, tag = "6")]
    active_level: u32,
    /// With `Level`: what has to be.
    #[prost(uint32, tag = "7")]
    needed_level: u32,
    /// With `Learning`, which is all that earlier releases say and read: what is waited for.
    #[prost(enumeration = "Awaited", tag = "8")]
    awaited: i32,
}

/// What there has to be before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum Awaited {
    Learners = 0,
    Time = 1,
    Successor = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum Outcome {
    Unspecified = 0,
    Admitted = 1,
    Learning = 2,
    Joined = 3,
    HandedOver = 4,
    Settled = 5,
    NotLeader = 6,
    NotVoter = 7,
    Moved = 8,
    NoQuorum = 9,
    Fenced = 10,
    Changed = 11,
    Overloaded = 12,
    Misplaced = 13,
    Unknown = 14,
    Level = 15,
}

impl MoveCall {
    pub(super) fn new(order: &Move, deadline_ms: u64) -> Self {
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect();
        Self {
            from: numbers(&order.from),
            to: numbers(&order.to),
            epoch: order.epoch,
            deadline_ms,
            goal: order.goal.as_ref().map(GoalRecord::from),
        }
    }

    /// # Errors
    /// [`CodecError`] for a goal of a later version.
    pub(super) fn order(&self) -> Result<Move, CodecError> {
        let nodes = |numbers: &[u64]| numbers.iter().copied().filter_map(NodeId::new).collect();
        Ok(Move {
            from: nodes(&self.from),
            to: nodes(&self.to),
            epoch: self.epoch,
            goal: self.goal.clone().map(Goal::try_from).transpose()?,
        })
    }
}

impl From<Result<Moving, MoveError>> for MoveAnswer {
    fn from(result: Result<Moving, MoveError>) -> Self {
        let mut answer = Self::default();
        let outcome = match result {
            Ok(Moving::Admitted) => Outcome::Admitted,
            Ok(Moving::Learning) => Outcome::Learning,
            Ok(Moving::TooLate) => {
                answer.set_awaited(Awaited::Time);
                Outcome::Learning
            }
            Ok(Moving::NoSuccessor) => {
                answer.set_awaited(Awaited::Successor);
                Outcome::Learning
            }
            Ok(Moving::Joined) => Outcome::Joined,
            Ok(Moving::HandedOver) => Outcome::HandedOver,
            Ok(Moving::Settled(electorate)) => {
                answer.electorate = Some((&electorate).into());
                Outcome::Settled
            }
            Err(MoveError::NotLeader { leader }) => {
                answer.leader = leader.map_or(0, NodeId::get);
                Outcome::NotLeader
            }
            Err(MoveError::NotVoter) => Outcome::NotVoter,
            Err(MoveError::Moved(electorate)) => {
                answer.electorate = Some((&electorate).into());
                Outcome::Moved
            }
            Err(MoveError::NoQuorum) => Outcome::NoQuorum,
            Err(MoveError::Fenced { epoch }) => {
                answer.epoch = epoch;
                Outcome::Fenced
            }
            Err(MoveError::Changed(electorate)) => {
                answer.electorate = Some((&electorate).into());
                Outcome::Changed
            }
            Err(MoveError::Level { active, needed }) => {
                answer.active_level = active.get();
                answer.needed_level = needed.get();
                Outcome::Level
            }
            Err(MoveError::Overloaded) => Outcome::Overloaded,
            Err(MoveError::GenesisMismatch) => Outcome::Misplaced,
            Err(MoveError::Unknown(cause)) => {
                answer.cause = cause;
                Outcome::Unknown
            }
        };
        answer.set_outcome(outcome);
        answer
    }
}

impl From<MoveAnswer> for Answer {
    fn from(answer: MoveAnswer) -> Self {
        Self::Move(answer)
    }
}

impl From<MoveAnswer> for Result<Moving, MoveError> {
    fn from(answer: MoveAnswer) -> Self {
        let (outcome, awaited) = (answer.outcome(), answer.awaited());
        let levels = [answer.active_level, answer.needed_level].map(FormatLevel::new);
        let electorate = answer.electorate.map(Into::into);
        let unreadable = || MoveError::Unknown("an answer of a later version".to_owned());
        Err(match (outcome, electorate) {
            (Outcome::Admitted, _) => return Ok(Moving::Admitted),
            (Outcome::Learning, _) => {
                return Ok(match awaited {
                    Awaited::Learners => Moving::Learning,
                    Awaited::Time => Moving::TooLate,
                    Awaited::Successor => Moving::NoSuccessor,
                });
            }
            (Outcome::Joined, _) => return Ok(Moving::Joined),
            (Outcome::HandedOver, _) => return Ok(Moving::HandedOver),
            (Outcome::Settled, Some(electorate)) => return Ok(Moving::Settled(electorate)),
            (Outcome::NotLeader, _) => MoveError::NotLeader {
                leader: NodeId::new(answer.leader),
            },
            (Outcome::NotVoter, _) => MoveError::NotVoter,
            (Outcome::Moved, Some(electorate)) => MoveError::Moved(electorate),
            (Outcome::NoQuorum, _) => MoveError::NoQuorum,
            (Outcome::Fenced, _) => MoveError::Fenced {
                epoch: answer.epoch,
            },
            (Outcome::Changed, Some(electorate)) => MoveError::Changed(electorate),
            (Outcome::Level, _) => match levels {
                [Some(active), Some(needed)] => MoveError::Level { active, needed },
                _ => unreadable(),
            },
            (Outcome::Overloaded, _) => MoveError::Overloaded,
            (Outcome::Misplaced, _) => MoveError::GenesisMismatch,
            (Outcome::Unknown, _) => MoveError::Unknown(answer.cause),
            _ => unreadable(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Awaited, MoveAnswer, MoveError, Moving, Outcome};

    #[test]
    fn what_is_waited_for_is_told_and_earlier_releases_read_that_nothing_was_done() {
        for (moving, awaited) in [
            (Moving::Learning, Awaited::Learners),
            (Moving::TooLate, Awaited::Time),
            (Moving::NoSuccessor, Awaited::Successor),
        ] {
            let answer = MoveAnswer::from(Ok(moving.clone()));
            assert_eq!(
                (answer.outcome(), answer.awaited()),
                (Outcome::Learning, awaited)
            );
            let read: Result<Moving, MoveError> = answer.into();
            assert_eq!(read, Ok(moving));
        }
    }
}
