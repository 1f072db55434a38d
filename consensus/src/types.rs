//! openraft's types, filled in for our groups.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std;
use openraft::{EmptyNode, Entry, EntryPayload, LogId, Membership, StoredMembership, Vote};

use crate::state_machine::LedgerMachine;

/// A command of the ledger, encoded: what a log entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandBytes(pub(crate) Bytes);

impl fmt::Display for CommandBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a command of {} bytes", self.0.len())
    }
}

#[cfg(not(test))]
type Runtime = openraft::impls::TokioRuntime;
/// The same, but a seed decides everything.
#[cfg(test)]
type Runtime = crate::tests::sim::runtime::FairRuntime;

openraft::declare_raft_types!(
    /// Commands in, encoded answers out; one leader per term, as in the Raft paper.
    pub(crate) Types:
        D = CommandBytes,
        R = Bytes,
        Node = EmptyNode,
        LeaderId = leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = Runtime,
);

pub(crate) type Committed =
    <leader_id_std::LeaderId<u64, u64> as openraft::vote::RaftLeaderId>::Committed;
pub(crate) type LogIdOf = LogId<Committed>;
pub(crate) type VoteOf = Vote<leader_id_std::LeaderId<u64, u64>>;
pub(crate) type PayloadOf = EntryPayload<CommandBytes, u64, EmptyNode>;
pub(crate) type EntryOf = Entry<Committed, PayloadOf>;
pub(crate) type MembershipOf = Membership<u64, EmptyNode>;
pub(crate) type StoredMembershipOf = StoredMembership<Committed, u64, EmptyNode>;
pub(crate) type Raft = openraft::Raft<Types, LedgerMachine>;
