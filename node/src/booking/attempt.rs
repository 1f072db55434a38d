//! What is asked of a group, what came of it, and both on the wire.

use std::sync::Arc;

use bytes::Bytes;
use meridian_consensus::{Electorate, ProposeError, ReadError};
use meridian_consensus_core::{Applied, Command, Ledger};
use meridian_regions::NodeId;
use prost::Message;

use super::wire::{Answered, Asked, Failure, NotLeader, Read, Reply};

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeskError {
    /// Surely nothing happened.
    #[error("no majority of this listing's voters can be reached from here: nothing was done")]
    NoQuorum,
    /// It may have happened, or may happen yet.
    #[error(
        "the answer was lost on the way: repeat the request with the same key to learn the outcome"
    )]
    Unknown,
    /// Surely nothing happened.
    #[error("too many bookings are under way: nothing was done")]
    Overloaded,
    /// Another request with the same key is under way. Nothing was done for this one.
    #[error("a request with this key is under way: repeat it in a moment to learn its outcome")]
    InFlight,
    /// The key has an outcome in another listing's ledger. Nothing was done.
    #[error("this key was used for another listing: send a fresh one with a new request")]
    KeyUsed,
    /// Nodes disagree about who votes for this listing.
    #[error("the voters of this listing do not agree on its genesis: tell the operator")]
    Misplaced,
}

/// What an attempt at one node came to.
pub(super) enum Attempt {
    /// Another node leads, perhaps this one.
    Elsewhere(Option<NodeId>),
    /// Not executed: other nodes vote on the listing.
    Moved(Electorate),
    /// Not executed, and another node may do it.
    NotExecuted,
    /// Perhaps executed.
    Unknown,
    /// No other node would answer otherwise.
    Final(DeskError),
}

/// What is asked of a group, before it is known where its leader is.
pub(super) enum Ask {
    Propose(Command),
    /// Propose a command that begins a payment, and drive the payment.
    Book(Command),
    Read,
}

/// What came of it.
pub(super) enum Answer {
    Applied(Box<Applied>),
    Ledger(Arc<Ledger>),
}

pub(super) fn proposal_attempt(error: ProposeError) -> Attempt {
    match error {
        ProposeError::NotLeader { leader } => Attempt::Elsewhere(leader),
        ProposeError::Moved(electorate) => Attempt::Moved(electorate),
        ProposeError::NotVoter
        | ProposeError::NoQuorum
        | ProposeError::ClockAhead
        | ProposeError::Lost
        | ProposeError::Ill(_) => Attempt::NotExecuted,
        ProposeError::Unknown => Attempt::Unknown,
        ProposeError::Overloaded => Attempt::Final(DeskError::Overloaded),
        ProposeError::GenesisMismatch => Attempt::Final(DeskError::Misplaced),
        ProposeError::Storage(_) => Attempt::Unknown,
    }
}

pub(super) fn read_attempt(error: ReadError) -> Attempt {
    match error {
        ReadError::NotLeader { leader } => Attempt::Elsewhere(leader),
        ReadError::Moved(electorate) => Attempt::Moved(electorate),
        ReadError::NotVoter | ReadError::NoQuorum | ReadError::Lost | ReadError::Storage(_) => {
            Attempt::NotExecuted
        }
        ReadError::Overloaded => Attempt::Final(DeskError::Overloaded),
        ReadError::GenesisMismatch => Attempt::Final(DeskError::Misplaced),
    }
}

pub(super) fn to_wire(ask: &Ask) -> Asked {
    match ask {
        Ask::Propose(command) => Asked::Propose(command.encode()),
        Ask::Book(command) => Asked::Book(command.encode()),
        Ask::Read => Asked::Read(Read {}),
    }
}

pub(super) fn from_wire(reply: &Bytes) -> Result<Answer, Attempt> {
    // Whoever answers something unreadable may have done what was asked.
    let reply = Reply::decode(reply.clone()).map_err(|_malformed| Attempt::Unknown)?;
    match reply.answered.ok_or(Attempt::Unknown)? {
        Answered::Applied(applied) => Applied::decode(&applied)
            .map(|applied| Answer::Applied(Box::new(applied)))
            .map_err(|_malformed| Attempt::Unknown),
        Answered::Ledger(ledger) => Ledger::decode(&ledger)
            .map(|ledger| Answer::Ledger(Arc::new(ledger)))
            .map_err(|_malformed| Attempt::NotExecuted),
        Answered::NotLeader(hint) => Err(Attempt::Elsewhere(hint.leader())),
        Answered::Moved(told) => {
            Err(Electorate::decode(&told).map_or(Attempt::NotExecuted, Attempt::Moved))
        }
        // Not what was asked.
        Answered::Groups(_) | Answered::Guest(_) => Err(Attempt::Unknown),
        Answered::Failed(code) => Err(match Failure::try_from(code) {
            Ok(Failure::NoQuorum | Failure::Malformed) => Attempt::NotExecuted,
            Ok(Failure::Overloaded) => Attempt::Final(DeskError::Overloaded),
            Ok(Failure::InFlight) => Attempt::Final(DeskError::InFlight),
            Ok(Failure::Misplaced) => Attempt::Final(DeskError::Misplaced),
            Ok(Failure::Unknown | Failure::Unspecified) | Err(_) => Attempt::Unknown,
        }),
    }
}

/// What was asked for, on the wire.
pub(super) fn answered(answer: &Answer) -> Answered {
    match answer {
        Answer::Applied(applied) => Answered::Applied(Applied::encode(applied)),
        Answer::Ledger(ledger) => Answered::Ledger(Ledger::encode(ledger)),
    }
}

/// Why there is no answer, on the wire.
pub(super) fn unanswered(attempt: Attempt) -> Answered {
    match attempt {
        Attempt::Elsewhere(leader) => Answered::NotLeader(NotLeader {
            leader: leader.map_or(0, NodeId::get),
        }),
        Attempt::Moved(electorate) => Answered::Moved(electorate.encode()),
        Attempt::NotExecuted => Answered::Failed(Failure::Malformed.into()),
        Attempt::Unknown => Answered::Failed(Failure::Unknown.into()),
        Attempt::Final(error) => Answered::Failed(failure_of(&error).into()),
    }
}

fn failure_of(error: &DeskError) -> Failure {
    match error {
        DeskError::NoQuorum => Failure::NoQuorum,
        DeskError::Unknown => Failure::Unknown,
        DeskError::Overloaded => Failure::Overloaded,
        DeskError::InFlight => Failure::InFlight,
        // Said where a request is asked, and never by whom it is forwarded to.
        DeskError::KeyUsed => Failure::Malformed,
        DeskError::Misplaced => Failure::Misplaced,
    }
}
