//! One group that is awake: its Raft instance and its ledger.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus_core::Ledger;
use meridian_regions::{Genesis, NodeId};
use meridian_storage::{Batch, Durability, StorageError, Store, Writer};
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use openraft::raft::SnapshotResponse;
use openraft::type_config::alias::SnapshotOf;
use openraft::{Config, EmptyNode, ServerState, SnapshotMeta};

use crate::applied_state::AppliedState;
use crate::changes::Announcer;
use crate::envelope::{Answer, AppendAnswer, BallotAnswer, Call, SnapshotCall};
use crate::error::WakeError;
use crate::keys::{GroupKey, STATE, StateKind};
use crate::log_store::GroupLog;
use crate::network::GroupNetwork;
use crate::state_machine::{LedgerMachine, SharedState};
use crate::transport::GroupTransport;
use crate::types::{Raft, Types, VoteOf};

/// How a group stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// `leader`, `follower`, `candidate` or `learner`.
    pub role: &'static str,
    /// Raft's term.
    pub term: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<NodeId>,
    /// Index of the last entry in this node's log.
    pub last_log_index: Option<u64>,
    /// Index of the last entry that this node has applied.
    pub applied_index: Option<u64>,
    /// Voters of the group now.
    pub voters: Vec<NodeId>,
}

/// What every group of a node shares.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) transport: Arc<dyn GroupTransport>,
    pub(crate) announcer: Announcer,
}

/// One awake group.
pub(crate) struct Group {
    pub(crate) genesis: Genesis,
    pub(crate) raft: Raft,
    state: SharedState,
}

impl Group {
    /// Wakes the group from its records, or founds it from its genesis record.
    pub(crate) async fn wake(shared: &Shared, genesis: &Genesis) -> Result<Self, WakeError> {
        if !genesis.voters.contains(&shared.node) {
            return Err(WakeError::NotVoter);
        }
        let key = GroupKey::new(&genesis.listing);
        found(shared, &key, genesis).await?;
        let (store, writer) = (shared.store.clone(), shared.writer.clone());
        let log = GroupLog::new(key.clone(), store, writer.clone());
        let machine = LedgerMachine::open(key, &shared.store, writer)
            .map_err(storage)?
            .heard_by(shared.announcer.herald(&genesis.listing));
        let state = machine.state();
        let network = GroupNetwork::new(genesis, Arc::clone(&shared.transport));
        let config = Arc::clone(&shared.config);
        let raft = Raft::new(shared.node.get(), config, network, log, machine)
            .await
            .map_err(|cause| storage(io::Error::other(cause)))?;
        Ok(Self {
            genesis: genesis.clone(),
            raft,
            state,
        })
    }

    /// Sees to it that the group gets a leader, because somebody here wants to use
    /// it. The first use anywhere writes the first membership, the same on every
    /// node that does so, and stands for election.
    pub(crate) async fn call_election(&self) {
        let metrics = self.raft.metrics().borrow_watched().clone();
        if metrics.current_leader.is_some() {
            return;
        }
        if metrics.last_log_index.is_none() && metrics.vote.leader_id.term == 0 {
            let voters: std::collections::BTreeMap<u64, EmptyNode> = self
                .genesis
                .voters
                .iter()
                .map(|voter| (voter.get(), EmptyNode {}))
                .collect();
            match self.raft.initialize(voters).await {
                // Another use was quicker.
                Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
                Err(cause) => tracing::warn!(%cause, "cannot found a group"),
            }
        } else if metrics.state == ServerState::Follower && self.is_preferred(metrics.id) {
            // The preferred leader need not wait for its election timeout.
            if let Err(cause) = self.raft.trigger().elect(true).await {
                tracing::warn!(%cause, "cannot stand for election");
            }
        }
    }

    /// Waits until somebody leads, at most for `patience`.
    pub(crate) async fn leader(&self, patience: Duration) -> Option<NodeId> {
        self.call_election().await;
        let waited = self
            .raft
            .wait(Some(patience))
            .metrics(|metrics| metrics.current_leader.is_some(), "a leader")
            .await;
        waited
            .ok()
            .and_then(|metrics| metrics.current_leader)
            .and_then(NodeId::new)
    }

    /// Who leads, as far as this node knows.
    pub(crate) fn known_leader(&self) -> Option<NodeId> {
        let leader = self.raft.metrics().borrow_watched().current_leader;
        leader.and_then(NodeId::new)
    }

    /// The ledger as it is applied here, and the log index that it has reached.
    pub(crate) fn ledger(&self) -> (Ledger, Option<u64>) {
        self.state.ledger()
    }

    pub(crate) fn describe(&self) -> GroupDescription {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let voters = metrics.membership_config.membership().voter_ids();
        GroupDescription {
            role: match metrics.state {
                ServerState::Leader => "leader",
                ServerState::Follower => "follower",
                ServerState::Candidate => "candidate",
                _ => "learner",
            },
            term: metrics.current_term,
            leader: metrics.current_leader.and_then(NodeId::new),
            last_log_index: metrics.last_log_index,
            applied_index: metrics.last_applied.map(|id| id.index),
            voters: voters.filter_map(NodeId::new).collect(),
        }
    }

    /// Whether its Raft instance still runs.
    pub(crate) fn is_running(&self) -> bool {
        self.raft.metrics().borrow_watched().running_state.is_ok()
    }

    /// Answers a message of another voter.
    pub(crate) async fn answer(&self, call: Call) -> Answer {
        let answered = match call {
            Call::Append(append) => match append.try_into() {
                Ok(request) => self
                    .raft
                    .append_entries(request)
                    .await
                    .map(|response| Answer::Append(AppendAnswer::from(response)))
                    .map_err(|cause| cause.to_string()),
                Err(cause) => Err(cause.to_string()),
            },
            Call::Vote(ballot) => self
                .raft
                .vote(ballot.into())
                .await
                .map(|response| Answer::Vote(BallotAnswer::from(&response)))
                .map_err(|cause| cause.to_string()),
            Call::PreVote(ballot) => self
                .raft
                .pre_vote(ballot.into())
                .await
                .map(|response| Answer::Vote(BallotAnswer::from(&response)))
                .map_err(|cause| cause.to_string()),
            Call::Snapshot(snapshot) => self.install(snapshot).await,
            Call::TransferLeader(transfer) => self
                .raft
                .handle_transfer_leader(transfer.into())
                .await
                .map(|response| Answer::TransferLeader(response.is_ok()))
                .map_err(|cause| cause.to_string()),
        };
        answered.unwrap_or_else(Answer::Refused)
    }

    async fn install(&self, call: SnapshotCall) -> Result<Answer, String> {
        let state = AppliedState::decode(&call.state).map_err(|cause| cause.to_string())?;
        let snapshot = SnapshotOf::<Types, Vec<u8>> {
            meta: SnapshotMeta {
                last_log_id: state.log_id,
                last_membership: state.membership,
            },
            snapshot: call.state,
        };
        let response: SnapshotResponse<Types> = self
            .raft
            .install_full_snapshot(VoteOf::from(call.vote), snapshot)
            .await
            .map_err(|cause| cause.to_string())?;
        Ok(Answer::from(&response))
    }

    fn is_preferred(&self, node: u64) -> bool {
        self.genesis.voters.first().map(|voter| voter.get()) == Some(node)
    }
}

/// Writes the genesis record, or checks that it is the one that is there.
async fn found(shared: &Shared, key: &GroupKey, genesis: &Genesis) -> Result<(), WakeError> {
    let place = key.state(StateKind::Genesis);
    let encoded = genesis.encode();
    match shared
        .store
        .get(STATE, &place)
        .map_err(WakeError::Storage)?
    {
        Some(stored) if stored == encoded => Ok(()),
        Some(_) => Err(WakeError::GenesisMismatch),
        None => {
            let permit = shared.writer.reserve().await.map_err(WakeError::Storage)?;
            let mut batch = Batch::new();
            batch.put(STATE, place, encoded);
            // Older in the write-ahead log than everything that the group will write.
            permit
                .submit(batch, Durability::Buffered)
                .await
                .map_err(WakeError::Storage)
        }
    }
}

fn storage(cause: io::Error) -> WakeError {
    WakeError::Storage(StorageError::Read(cause.to_string()))
}
