//! One group that is awake: its Raft instance and its ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use meridian_consensus_core::Ledger;
use meridian_failpoints::Failpoint;
use meridian_regions::{Genesis, NodeId};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::SnapshotResponse;
use openraft::type_config::alias::SnapshotOf;
use openraft::{RaftMetrics, ServerState, SnapshotMeta};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::applied_state::AppliedState;
use crate::codec::CodecError;
use crate::electorate::{Electorate, Elsewhere, Entrance, Hint};
use crate::envelope::{Answer, Append, AppendAnswer, BallotAnswer, Call, SnapshotCall};
use crate::fence::FencedWriter;
use crate::followed::FollowedEntries;
use crate::keys::GroupKey;
use crate::leadership::has_left;
use crate::moves::Steps;
use crate::shared::Shared;
use crate::state_machine::{LedgerMachine, SharedState};
use crate::types::{LogIdOf, Raft, Types, VoteOf};

/// How a group stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// `leader`, `follower`, `candidate`, `learner`; `asleep`: not in memory, and woken by
    /// its next use; `elsewhere`: other nodes vote on it; or `lost`: this node has lost its
    /// records, and has no part in it until it has been readmitted.
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

impl GroupDescription {
    /// A group that has no log here.
    pub(crate) fn elsewhere(electorate: Electorate) -> Self {
        Self::without_log("elsewhere", electorate.term, electorate.voters)
    }

    /// A group of which there is nothing here.
    pub(crate) const fn without_log(role: &'static str, term: u64, voters: Vec<NodeId>) -> Self {
        Self {
            role,
            term,
            leader: None,
            last_log_index: None,
            applied_index: None,
            voters,
        }
    }
}

/// One awake group.
pub(crate) struct Group {
    pub(crate) genesis: Genesis,
    pub(crate) key: GroupKey,
    pub(crate) raft: Raft,
    pub(crate) state: SharedState,
    /// Shares its state with openraft's.
    pub(crate) machine: LedgerMachine,
    pub(crate) fence: FencedWriter,
    /// Which of its entries are followed.
    pub(crate) followed: FollowedEntries,
    pub(crate) shared: Arc<Shared>,
    /// Places of those who use it: see [`GROUP_PART`].
    requests: Semaphore,
    /// One move at a time, as far as this leader is asked for them.
    pub(crate) moving: tokio::sync::Mutex<()>,
    /// The steps of moves that were asked for.
    pub(crate) steps: Steps,
    /// Whether it takes no commands, because it is handing over.
    pub(crate) hands_over: AtomicBool,
    /// Whether it has handed over to one who did not take it, and can only be woken afresh.
    pub(crate) is_stuck: AtomicBool,
    /// The term in which it has offered its leadership, and when it first did.
    pub(crate) offered: Mutex<Option<(u64, Instant)>>,
    /// Whether anybody but another node has wanted it since it woke.
    pub(crate) wanted: AtomicBool,
    /// What this node kept of the group while it had no log of it.
    elsewhere: Option<Elsewhere>,
    pub(crate) hint: Hint,
    /// The last term whose leader has asked for votes: it leads no longer, whatever its
    /// followers remember.
    disowned_term: AtomicU64,
}

/// What a group wakes with.
pub(crate) struct Instance {
    pub(crate) raft: Raft,
    pub(crate) machine: LedgerMachine,
    pub(crate) fence: FencedWriter,
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) hint: Hint,
    pub(crate) followed: FollowedEntries,
}

/// Part of all requests that one group may hold, as its inverse. One that is slow, or whose
/// voters do not answer, keeps the rest for others.
const GROUP_PART: usize = 8;

impl Group {
    pub(crate) fn new(shared: &Arc<Shared>, genesis: &Genesis, instance: Instance) -> Self {
        let Instance {
            raft,
            machine,
            fence,
            elsewhere,
            hint,
            followed,
        } = instance;
        Self {
            genesis: genesis.clone(),
            key: GroupKey::new(&genesis.listing),
            raft,
            state: machine.state(),
            machine,
            fence,
            followed,
            shared: Arc::clone(shared),
            requests: Semaphore::new(shared.requests_max.div_ceil(GROUP_PART)),
            moving: tokio::sync::Mutex::default(),
            steps: Steps::new(),
            hands_over: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            offered: Mutex::default(),
            wanted: AtomicBool::new(false),
            elsewhere,
            hint,
            disowned_term: AtomicU64::new(0),
        }
    }

    /// A place among those who use this group; `None` if they are too many.
    pub(crate) fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.requests.try_acquire().ok();
        if turn.is_none() {
            self.shared.counts.crowded.fetch_add(1, Ordering::Relaxed);
        }
        turn
    }

    pub(crate) fn metrics(&self) -> RaftMetrics<Types> {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Whether this node may give its vote to anybody, itself included: not with less of
    /// the log than it once had.
    pub(crate) fn may_vote(&self, metrics: &RaftMetrics<Types>) -> bool {
        let forgotten = self.elsewhere.as_ref().and_then(|it| it.forgotten);
        forgotten.is_none() || metrics.last_applied >= forgotten
    }

    /// Whether a message is from a leader that knows nothing of this node's having left:
    /// until it has applied that itself, another's message may have woken the group.
    fn is_from_before(&self, metrics: &RaftMetrics<Types>, call: &Call) -> bool {
        let left = self.elsewhere.as_ref().map(|it| it.electorate.at());
        if metrics.last_applied >= left {
            return false;
        }
        match call.entrance() {
            Ok(Entrance::Led(committed)) => committed < left,
            Ok(Entrance::Asked) => false,
            Err(_unreadable) => true,
        }
    }

    /// Who votes on the group, if somebody has said that this node does not any more, and
    /// its log does not know better. It may learn again by then, and keeps what it has.
    pub(crate) fn led_by_others(&self) -> Option<Electorate> {
        let told = self.hint.read()?;
        let known = self.metrics().membership_config;
        let later = Some(told.at()) > *known.log_id();
        (later && !told.voters.contains(&self.shared.node)).then_some(told)
    }

    /// The same where this node has no part in the group at all: it has to forget it.
    pub(crate) fn moved_to(&self) -> Option<Electorate> {
        let told = self.led_by_others();
        told.filter(|told| !told.has(self.shared.node))
    }

    /// Who votes on the group, for a candidate that does not, and whose log ends before
    /// that was decided.
    pub(crate) fn moved_from(
        &self,
        candidate: NodeId,
        last: Option<LogIdOf>,
    ) -> Option<Electorate> {
        let electorate = Electorate::of(&self.state.membership())?;
        let outdated = last < Some(electorate.at());
        (outdated && !electorate.voters.contains(&candidate)).then_some(electorate)
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
        let metrics = self.metrics();
        self.leader_by(&metrics)
            .filter(|leader| !has_left(&metrics, *leader))
    }

    /// The ledger as it is applied here, and the log index that it has reached.
    pub(crate) fn ledger(&self) -> (Arc<Ledger>, Option<u64>) {
        self.state.ledger()
    }

    /// The last entry that is applied here.
    pub(crate) fn applied(&self) -> Option<LogIdOf> {
        self.state.log_id()
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

    /// Whether its Raft instance still runs, and may.
    pub(crate) fn is_running(&self) -> bool {
        let runs = self.raft.metrics().borrow_watched().running_state.is_ok();
        runs && self.shared.records.check(&self.key).is_ok()
    }

    /// Answers a message of another voter.
    pub(crate) async fn answer(&self, from: NodeId, call: Call) -> Answer {
        self.heed(from, &call);
        if matches!(call, Call::Vote(_) | Call::PreVote(_)) {
            self.let_go_of_leader().await;
        }
        let metrics = self.metrics();
        if self.is_from_before(&metrics, &call) {
            return Answer::Refused("this node has left the group since".to_owned());
        }
        if !self.may_vote(&metrics) {
            match call {
                Call::Vote(_) | Call::PreVote(_) => {
                    return Answer::Vote(BallotAnswer::refusing(&metrics.vote));
                }
                Call::TransferLeader(_) => return Answer::TransferLeader(false),
                _ => {}
            }
        }
        let answered = match call {
            Call::Append(append) => self.take_entries(append).await,
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
            Call::TransferLeader(transfer) => {
                Failpoint::TransferTakeBefore.hit();
                let taken = self.raft.handle_transfer_leader(transfer.into()).await;
                Failpoint::TransferTakeAfter.hit();
                taken
                    .map(|response| Answer::TransferLeader(response.is_ok()))
                    .map_err(|cause| cause.to_string())
            }
            Call::Move(_) | Call::Settled(_) => Err("not a message of a voter".to_owned()),
        };
        answered.unwrap_or_else(Answer::Refused)
    }

    async fn take_entries(&self, mut append: Append) -> Result<Answer, String> {
        let carried = std::mem::take(&mut append.carried);
        let request = append.try_into();
        let request = request.map_err(|cause: CodecError| cause.to_string())?;
        self.followed.hear(&self.shared.tracer, &request, &carried);
        let answered = self.raft.append_entries(request).await;
        answered
            .map(|response| Answer::Append(AppendAnswer::from(response)))
            .map_err(|cause| cause.to_string())
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
