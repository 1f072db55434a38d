//! openraft's types, filled in for our groups.

use std::fmt;

use bytes::Bytes;
use meridian_regions::Goal;
use openraft::impls::leader_id_std;
use openraft::{EmptyNode, Entry, EntryPayload, LogId, Membership, StoredMembership, Vote};

use crate::state_machine::LedgerMachine;

/// What a log entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proposal {
    /// A command of the ledger, encoded.
    Command(Bytes),
    /// No plan of an earlier epoch of the topology moves the group any more.
    MoveEpoch(u64),
    /// Where the listing is at home from now on, and what its bookings are to survive.
    Goal(Goal),
}

impl fmt::Display for Proposal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(bytes) => write!(formatter, "a command of {} bytes", bytes.len()),
            Self::MoveEpoch(epoch) => write!(formatter, "moves of epoch {epoch}"),
            Self::Goal(goal) => write!(formatter, "home {} as of {}", goal.home, goal.revision),
        }
    }
}

#[cfg(not(test))]
type Runtime = openraft::impls::TokioRuntime;
/// The same, but a seed decides everything.
#[cfg(test)]
type Runtime = crate::tests::sim::runtime::FairRuntime;

openraft::declare_raft_types!(
    /// Proposals in, encoded answers out; one leader per term, as in the Raft paper.
    pub(crate) Types:
        D = Proposal,
        R = Bytes,
        Node = EmptyNode,
        LeaderId = leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = Runtime,
);

pub(crate) type Committed =
    <leader_id_std::LeaderId<u64, u64> as openraft::vote::RaftLeaderId>::Committed;
pub(crate) type LogIdOf = LogId<Committed>;
pub(crate) type VoteOf = Vote<leader_id_std::LeaderId<u64, u64>>;
pub(crate) type PayloadOf = EntryPayload<Proposal, u64, EmptyNode>;
pub(crate) type EntryOf = Entry<Committed, PayloadOf>;
pub(crate) type MembershipOf = Membership<u64, EmptyNode>;
pub(crate) type StoredMembershipOf = StoredMembership<Committed, u64, EmptyNode>;
pub(crate) type Raft = openraft::Raft<Types, LedgerMachine>;
