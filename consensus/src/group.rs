//! One group that is awake: its Raft instance and its ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use meridian_consensus_core::Ledger;
use meridian_regions::{Genesis, NodeId};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::SnapshotResponse;
use openraft::type_config::alias::SnapshotOf;
use openraft::{RaftMetrics, ServerState, SnapshotMeta};

use crate::applied_state::AppliedState;
use crate::envelope::{Answer, AppendAnswer, BallotAnswer, Call, SnapshotCall};
use crate::fence::FencedWriter;
use crate::keys::GroupKey;
use crate::shared::Shared;
use crate::state_machine::SharedState;
use crate::types::{Raft, Types, VoteOf};

/// How a group stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// `leader`, `follower`, `candidate`, `learner` or `asleep`: not in memory, and
    /// woken by its next use.
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

/// One awake group.
pub(crate) struct Group {
    pub(crate) genesis: Genesis,
    pub(crate) key: GroupKey,
    pub(crate) raft: Raft,
    pub(crate) state: SharedState,
    pub(crate) fence: FencedWriter,
    pub(crate) shared: Arc<Shared>,
    /// The last term whose leader has asked for votes: it leads no longer, whatever its
    /// followers remember.
    disowned_term: AtomicU64,
}

impl Group {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        genesis: &Genesis,
        raft: Raft,
        state: SharedState,
        fence: FencedWriter,
    ) -> Self {
        Self {
            genesis: genesis.clone(),
            key: GroupKey::new(&genesis.listing),
            raft,
            state,
            fence,
            shared: Arc::clone(shared),
            disowned_term: AtomicU64::new(0),
        }
    }

    pub(crate) fn metrics(&self) -> RaftMetrics<Types> {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Who leads, unless it has said itself that it does not.
    pub(crate) fn leader_by(&self, metrics: &RaftMetrics<Types>) -> Option<NodeId> {
        let disowned = self.disowned_term.load(Ordering::Relaxed);
        metrics
            .current_leader
            .filter(|leader| *leader == metrics.id || disowned < metrics.current_term)
            .and_then(NodeId::new)
    }

    /// Who leads, as far as this node knows.
    pub(crate) fn known_leader(&self) -> Option<NodeId> {
        self.leader_by(&self.metrics())
    }

    /// The ledger as it is applied here, and the log index that it has reached.
    pub(crate) fn ledger(&self) -> (Ledger, Option<u64>) {
        self.state.ledger()
    }

    pub(crate) fn describe(&self) -> GroupDescription {
        let metrics = self.metrics();
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
    pub(crate) async fn answer(&self, from: NodeId, call: Call) -> Answer {
        self.heed(from, &call);
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

    /// A leader that asks for votes has been restarted and leads no longer: whoever is
    /// asked here next may stand, without waiting for it to die.
    fn heed(&self, from: NodeId, call: &Call) {
        if !matches!(call, Call::Vote(_) | Call::PreVote(_)) {
            return;
        }
        let metrics = self.metrics();
        if metrics.current_leader == Some(from.get()) {
            self.disowned_term
                .fetch_max(metrics.current_term, Ordering::Relaxed);
        }
    }
}
