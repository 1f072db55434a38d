//! The leader's part in a move: one step, guarded so that nobody else's comes between.
//!
//! What the step is based on is confirmed by a quorum first. The entry is appended only
//! if this is still the same leader's term and the membership still the one that was
//! looked at; openraft checks both where it appends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use meridian_regions::{Feature, NodeId};
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::raft::Precondition;
use openraft::{EntryPayload, RaftMetrics, ServerState};
use tokio::time::{Instant, timeout_at};

use super::step::{Step, Voters, next};
use super::{Move, MoveError, Moving};
use crate::electorate::Electorate;
use crate::group::Group;
use crate::leadership::votes;
use crate::types::{LogIdOf, MembershipOf, Proposal, StoredMembershipOf, Types};

/// Entries by which a learner may be behind to be called caught up: under load it always
/// is by some, which a round trip brings.
const BEHIND_MAX: u64 = 16;
/// How long a voter to whom the leadership is offered may take it: an election.
const HAND_OVER: Duration = Duration::from_secs(2);

/// What openraft says to a proposal.
type Refusal = RaftError<Types, ClientWriteError<Types>>;

impl Group {
    /// Takes one step of a move, if this node leads. While it waits for who comes, others take theirs:
    /// what has become of the group is looked at again afterwards, as if it had just been asked.
    pub(super) async fn step(&self, order: &Move, until: Instant) -> Result<Moving, MoveError> {
        let _under_way = self.steps.begin();
        loop {
            let turn = timeout_at(until, self.moving.lock()).await;
            let turn = turn.map_err(|_late| MoveError::NoQuorum)?;
            let come = match self.step_in_turn(order, until).await? {
                Turn::Taken(moving) => return Ok(moving),
                Turn::Waits(come) => come,
            };
            drop(turn);
            match self.learn(&come, until).await? {
                Learned::All if Instant::now() < until => {}
                Learned::All | Learned::NotYet => return Ok(Moving::Learning),
            }
        }
    }

    /// The same, as far as it goes with nobody else's step in between.
    async fn step_in_turn(&self, order: &Move, until: Instant) -> Result<Turn, MoveError> {
        let term = self.term()?;
        self.confirm(until).await?;
        self.fence_older(order, until).await?;
        self.set_goal(order, until).await?;
        loop {
            let now = self.committed_membership(until).await?;
            let [from, to] = [&order.from, &order.to].map(|nodes| numbers(nodes));
            let metrics = self.metrics();
            let step = next(now.membership(), &from, &to, |node| {
                is_caught_up(&metrics, node)
            });
            let (then, stage) = match step {
                Step::Done => return Ok(Turn::Taken(Moving::Settled(self.electorate(&now)?))),
                Step::Changed => return Err(MoveError::Changed(self.electorate(&now)?)),
                Step::Wait => return Ok(Turn::Waits(&to - &from)),
                Step::Admit(then) => (then, Moving::Admitted),
                Step::Join(then) => (then, Moving::Joined),
                Step::Leave(then) => {
                    if !then.voter_ids().any(|voter| voter == metrics.id) {
                        return self.offer_to(&then, until).await.map(Turn::Taken);
                    }
                    (then, Moving::Joined)
                }
            };
            let settles = then.nodes().count() == to.len() && then.voter_ids().eq(to);
            let new: Vec<u64> = then.nodes().map(|(node, _)| *node).collect();
            self.append(then, [term.clone(), upon(&now)], until).await?;
            self.welcome(&now, &new).await;
            if !settles {
                return Ok(Turn::Taken(stage));
            }
        }
    }

    /// That this node still leads in the term in which it leads now.
    pub(super) fn term(&self) -> Result<Precondition<Types>, MoveError> {
        let leader = self.raft.as_leader();
        let leader = leader.map_err(|elsewhere| MoveError::NotLeader {
            leader: elsewhere.leader_id.and_then(NodeId::new),
        })?;
        Ok(Precondition::CommittedLeaderId {
            committed_leader_id: leader.to_committed_leader_id(),
        })
    }

    /// Makes sure that a quorum follows this leader, and that it has applied what it had
    /// to know.
    pub(super) async fn confirm(&self, until: Instant) -> Result<(), MoveError> {
        let confirmed = self.raft.ensure_linearizable(self.read_index());
        match timeout_at(until, confirmed).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(elsewhere)))) => {
                Err(MoveError::NotLeader {
                    leader: elsewhere.leader_id.and_then(NodeId::new),
                })
            }
            Ok(Err(_)) | Err(_) => Err(MoveError::NoQuorum),
        }
    }

    /// Refuses a plan that was made by an earlier topology than one that has moved this
    /// group already, and sees to it that earlier ones are refused from now on, unless somebody
    /// only asks: that leaves nothing behind.
    async fn fence_older(&self, order: &Move, until: Instant) -> Result<(), MoveError> {
        let epoch = order.epoch;
        let known = |group: &Self| group.state.move_epoch().max(group.genesis.map_epoch);
        if epoch > known(self) && !order.is_question() {
            let proposal = Proposal::MoveEpoch(epoch);
            let written = timeout_at(until, self.raft.client_write(proposal)).await;
            written.map_err(|_late| late())?.map_err(refused)?;
        }
        match known(self) {
            latest if latest > epoch => Err(MoveError::Fenced { epoch: latest }),
            _ => Ok(()),
        }
    }

    /// Writes the goal that an order moves the group for, if it follows the one that stands.
    /// Refuses an order that was made for another than stands then.
    async fn set_goal(&self, order: &Move, until: Instant) -> Result<(), MoveError> {
        let Some(goal) = &order.goal else {
            return Ok(());
        };
        if goal.revision == self.goal().revision.saturating_add(1) {
            let active = self.shared.format_level;
            if !active.has(Feature::Goals) {
                let needed = Feature::Goals.since();
                return Err(MoveError::Level { active, needed });
            }
            let listing = &self.genesis.listing;
            tracing::info!(%listing, home = %goal.home, survival = ?goal.survival, "a new goal");
            let written = self.raft.client_write(Proposal::Goal(goal.clone()));
            let written = timeout_at(until, written).await;
            written.map_err(|_late| late())?.map_err(refused)?;
        }
        if self.goal() == *goal {
            return Ok(());
        }
        let now = self.committed_membership(until).await?;
        Err(MoveError::Changed(self.electorate(&now)?))
    }

    pub(super) fn electorate(&self, now: &StoredMembershipOf) -> Result<Electorate, MoveError> {
        let known = Electorate::of(now);
        let known = known.ok_or_else(|| MoveError::Unknown("no membership is known".to_owned()))?;
        Ok(known.with_goal(self.state.goal()))
    }

    /// The latest membership of the log, once it is committed and applied here.
    pub(super) async fn committed_membership(
        &self,
        until: Instant,
    ) -> Result<StoredMembershipOf, MoveError> {
        loop {
            let applied = self.state.membership();
            let metrics = self.metrics();
            if metrics.state != ServerState::Leader {
                return Err(not_leader(&metrics));
            }
            if metrics.membership_config.log_id() <= applied.log_id() {
                return Ok(applied);
            }
            let latest = metrics.membership_config.log_id().map(|at| at.index);
            let left = until.saturating_duration_since(Instant::now());
            let wait = self.raft.wait(Some(left));
            let applied = wait.applied_index_at_least(latest, "a membership").await;
            applied.map_err(|_late| late())?;
        }
    }

    /// Waits until those who come have caught up, as long as there is time. Not for who votes
    /// already: a voter that is dead, or has yet to be taken out itself, would keep the move waiting.
    async fn learn(&self, come: &Voters, until: Instant) -> Result<Learned, MoveError> {
        let all =
            |metrics: &RaftMetrics<Types>| come.iter().all(|node| is_caught_up(metrics, *node));
        let left = until.saturating_duration_since(Instant::now());
        // Late or in time: the metrics say how it stands.
        let _ = self
            .raft
            .wait(Some(left))
            .metrics(
                |metrics| metrics.state != ServerState::Leader || all(metrics),
                "learners that have caught up",
            )
            .await;
        let metrics = self.metrics();
        if metrics.state != ServerState::Leader {
            return Err(not_leader(&metrics));
        }
        Ok(if all(&metrics) {
            Learned::All
        } else {
            Learned::NotYet
        })
    }

    /// Offers the leadership to a living voter of the membership that is next, in which
    /// this node does not vote: the last step is for one who stays. Takes no commands
    /// meanwhile, so that somebody has everything.
    pub(crate) async fn offer_to(
        &self,
        then: &MembershipOf,
        until: Instant,
    ) -> Result<Moving, MoveError> {
        let _quiet = Quiet::begin(&self.hands_over);
        self.offer(then, until).await
    }

    async fn offer(&self, then: &MembershipOf, until: Instant) -> Result<Moving, MoveError> {
        // Nobody is given less than an election to take it: a leader that is taken for stuck in the
        // midst of handing over is closed, well as it may be.
        let left = until.saturating_duration_since(Instant::now());
        let Some(spare) = left.checked_sub(HAND_OVER) else {
            return Ok(Moving::TooLate);
        };
        let stays = |metrics: &RaftMetrics<Types>| self.successor(metrics, then);
        let wait = self.raft.wait(Some(spare.min(HAND_OVER)));
        // Late or in time: the metrics say how it stands.
        let _ = wait
            .metrics(
                |metrics| stays(metrics).is_some(),
                "somebody to have everything",
            )
            .await;
        let Some(successor) = stays(&self.metrics()) else {
            return Ok(Moving::NoSuccessor);
        };
        let term = self.metrics().current_term;
        let offered = self.send_offer(term, successor.get()).await;
        offered.map_err(|cause| MoveError::Unknown(cause.to_string()))?;
        let wait = self.raft.wait(Some(HAND_OVER));
        let taken = wait.metrics(
            |metrics| metrics.state != ServerState::Leader,
            "the leadership to be taken",
        );
        if taken.await.is_ok() {
            return Ok(Moving::HandedOver);
        }
        // It proposes nothing any more, whoever did not take it.
        self.is_stuck.store(true, Ordering::Relaxed);
        Err(MoveError::NotLeader {
            leader: Some(successor),
        })
    }

    /// A living voter, now and next, that has everything; one at home if possible.
    fn successor(&self, metrics: &RaftMetrics<Types>, then: &MembershipOf) -> Option<NodeId> {
        let home = self.goal().home;
        let is_home = |node: NodeId| self.shared.transport.region(node).as_ref() == Some(&home);
        then.voter_ids()
            .filter(|voter| votes(metrics, *voter) && has_everything(metrics, *voter))
            .filter_map(NodeId::new)
            .filter(|voter| self.shared.is_alive(*voter) && !self.shared.clocks.is_ahead(*voter))
            .min_by_key(|voter| (!is_home(*voter), *voter))
    }

    /// A node that is taken in again may forget its old log only now, for want of having
    /// been told before: then the leader sends it everything from the beginning.
    async fn welcome(&self, before: &StoredMembershipOf, members: &[u64]) {
        let known = |node: &u64| before.membership().get_node(node).is_some();
        for node in members.iter().filter(|node| !known(node)) {
            let allowed = self.raft.trigger().allow_next_revert(node, true).await;
            if !matches!(allowed, Ok(Ok(()))) {
                tracing::debug!(listing = %self.genesis.listing, node, "it leads no more");
            }
        }
    }

    pub(super) async fn append(
        &self,
        then: MembershipOf,
        only_if: [Precondition<Types>; 2],
        until: Instant,
    ) -> Result<(), MoveError> {
        let listing = &self.genesis.listing;
        tracing::info!(%listing, membership = %then, "a group is being moved");
        let appended = self
            .raft
            .append_membership(then, EntryPayload::Blank, only_if);
        let appended = timeout_at(until, appended).await;
        appended.map_err(|_late| late())?.map_err(refused)?;
        Ok(())
    }
}

/// While it lives a leader takes no commands. Whoever waits for a step may give up at any point of
/// it, and a leader that is left behind so has to take commands again.
struct Quiet<'a>(&'a AtomicBool);

impl<'a> Quiet<'a> {
    fn begin(hands_over: &'a AtomicBool) -> Self {
        hands_over.store(true, Ordering::Relaxed);
        Self(hands_over)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What has come of a turn.
enum Turn {
    Taken(Moving),
    /// Nothing, before these have caught up.
    Waits(Voters),
}

/// Whether learners have caught up.
enum Learned {
    All,
    NotYet,
}

/// That no other membership was appended since this one.
pub(super) fn upon(now: &StoredMembershipOf) -> Precondition<Types> {
    Precondition::LastMembershipLogId {
        last_membership_log_id: *now.log_id(),
    }
}

fn numbers(nodes: &[NodeId]) -> Voters {
    nodes.iter().map(|node| node.get()).collect()
}

fn matched(metrics: &RaftMetrics<Types>, node: u64) -> Option<LogIdOf> {
    metrics.replication.as_ref()?.get(&node).copied().flatten()
}

fn is_caught_up(metrics: &RaftMetrics<Types>, node: u64) -> bool {
    let last = metrics.last_log_index.unwrap_or(0);
    node == metrics.id
        || matched(metrics, node).is_some_and(|at| at.index.saturating_add(BEHIND_MAX) >= last)
}

fn has_everything(metrics: &RaftMetrics<Types>, node: u64) -> bool {
    matched(metrics, node).map(|at| at.index) == metrics.last_log_index
}

fn late() -> MoveError {
    MoveError::Unknown("no answer in time".to_owned())
}

fn not_leader(metrics: &RaftMetrics<Types>) -> MoveError {
    MoveError::NotLeader {
        leader: metrics.current_leader.and_then(NodeId::new),
    }
}

/// Nothing was appended, or it is not known: either way the next step begins with a look.
fn refused(refusal: Refusal) -> MoveError {
    match refusal {
        RaftError::APIError(ClientWriteError::ForwardToLeader(elsewhere)) => MoveError::NotLeader {
            leader: elsewhere.leader_id.and_then(NodeId::new),
        },
        other => MoveError::Unknown(other.to_string()),
    }
}
