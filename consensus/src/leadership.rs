//! Who leads an awake group, when to stand for election, and the way home.
//!
//! No group has timers: a group is asked for its leader only because somebody wants to
//! use it, and whether that leader lives is told by the one pulse between two nodes. So a
//! node's death wakes nobody, and the first request after it starts the election at once.
//!
//! The pulse stands for the lease, too. A leader takes commands for as long as it has heard
//! a quorum's nodes without a break since that quorum last answered it; its followers elect
//! nobody else for as long as its node lives, and let go of it once that is silent. Neither
//! decides anything: what is committed is decided by a quorum's logs, and what is read
//! linearizably is confirmed by a quorum first.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use openraft::errors::Fatal;
use openraft::raft::TransferLeaderRequest;
use openraft::{Instant as _, LinearizerOption, RaftMetrics, ReadPolicy, ServerState};
use tokio::time::Instant;

use crate::clocks::{Agreement, Reading};
use crate::group::Group;
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::types::Types;

/// A pre-vote and a vote across the longest link that we plan for, twice 220 ms, and the
/// disks: whoever stands again sooner only disturbs its own election.
const STAND_AGAIN: Duration = Duration::from_millis(600);
/// Spread over candidates, so that two that met do not meet again.
const STAND_AGAIN_SPREAD_MS: u64 = 400;
/// How long a leadership that is offered may go untaken: the other awaits what it lacks, and
/// asks for votes, across the longest link.
const OFFER_PATIENCE: Duration = Duration::from_secs(3);
impl Group {
    /// The living leader of the group. Stands for election if there is none, because
    /// somebody here wants to use the group; waits at most for `patience`.
    pub(crate) async fn leader(&self, patience: Duration) -> Option<NodeId> {
        let until = Instant::now() + patience;
        loop {
            let metrics = self.metrics();
            if let Some(leader) = self.living_leader(&metrics) {
                return Some(leader);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.may_stand(&metrics) || !self.reaches_quorum(&metrics) {
                return None;
            }
            // Whoever would have to vote for it has said that it does not vote any more.
            if self.led_by_others().is_some() {
                return None;
            }
            self.stand().await;
            let pause = STAND_AGAIN + Duration::from_millis(self.spread_ms(&metrics));
            // Late or in time: the metrics say how it stands.
            let _ = self
                .raft
                .wait(Some(pause.min(left)))
                .metrics(|metrics| self.living_leader(metrics).is_some(), "a leader")
                .await;
            if !self.is_running() {
                return None;
            }
        }
    }

    /// Stands in place of a candidate that this voter has refused because its own log is
    /// longer: who is used may be the one who cannot win, and nobody else would be asked.
    pub(crate) async fn stand_instead(&self) {
        #[cfg(test)]
        if is_planted(Bug::RefusedAlone) {
            return;
        }
        let metrics = self.metrics();
        let is_led = self.living_leader(&metrics).is_some();
        if !is_led && self.may_stand(&metrics) && self.reaches_quorum(&metrics) {
            self.stand().await;
        }
    }

    fn living_leader(&self, metrics: &RaftMetrics<Types>) -> Option<NodeId> {
        self.leader_by(metrics)
            .filter(|leader| self.shared.is_alive(*leader))
            .filter(|leader| !has_left(metrics, *leader))
    }

    /// Lets this node vote for another than the leader that it follows, if that has said
    /// that it leads no longer, votes no more, or is silent. Its lease outlasts all of it.
    pub(crate) async fn let_go_of_leader(&self) {
        let metrics = self.metrics();
        let Some(leader) = metrics.current_leader.and_then(NodeId::new) else {
            return;
        };
        let is_gone = self.leader_by(&metrics).is_none()
            || has_left(&metrics, leader)
            || self.shared.transport.is_quiet(leader);
        if leader == self.shared.node || !is_gone {
            return;
        }
        // What openraft does with a transfer to somebody else: it lets go of the leader
        // whose vote this is, and does nothing more.
        let nobody = 0;
        let request = TransferLeaderRequest::new(metrics.vote, nobody, None);
        if let Err(cause) = self.raft.handle_transfer_leader(request).await {
            tracing::debug!(listing = %self.genesis.listing, %cause, "the lease runs on");
        }
    }

    /// Whether this node may lead: it votes, and has what it once had.
    fn may_stand(&self, metrics: &RaftMetrics<Types>) -> bool {
        let membership = metrics.membership_config.membership();
        let votes = membership.voter_ids().any(|voter| voter == metrics.id);
        votes && self.may_vote(metrics)
    }

    /// Whether enough voters are alive to commit anything.
    pub(crate) fn reaches_quorum(&self, metrics: &RaftMetrics<Types>) -> bool {
        quorum_of(metrics, |node| self.shared.is_alive(node))
    }

    /// Asks the others whether they would vote for this node, which then stands. Whoever
    /// could not win disturbs nobody.
    async fn stand(&self) {
        self.let_go_of_leader().await;
        self.shared.counts.stood.fetch_add(1, Ordering::Relaxed);
        if let Err(cause) = self.raft.trigger().elect(true).await {
            tracing::warn!(listing = %self.genesis.listing, %cause, "cannot stand for election");
        }
    }

    /// Different for every voter and term, and known beforehand: no randomness is needed
    /// to part two candidates.
    fn spread_ms(&self, metrics: &RaftMetrics<Types>) -> u64 {
        let voters = metrics.membership_config.membership().voter_ids();
        let voters: Vec<u64> = voters.collect();
        let place = voters.iter().position(|voter| *voter == metrics.id);
        let turn = (place.unwrap_or(voters.len()) as u64 + metrics.current_term)
            % (voters.len() as u64 + 1);
        turn * STAND_AGAIN_SPREAD_MS / (voters.len() as u64 + 1)
    }

    /// Whether this node leads and every voter that lives has everything.
    pub(crate) fn work_is_done(&self) -> bool {
        let metrics = self.metrics();
        let applied = metrics.last_applied.map(|id| id.index);
        if metrics.last_log_index != applied {
            return false;
        }
        metrics.replication.iter().flatten().all(|(node, matched)| {
            let dead = NodeId::new(*node).is_none_or(|node| !self.shared.is_alive(node));
            dead || matched.as_ref().map(|id| id.index) == applied
        })
    }

    /// Whether this node leads the group.
    pub(crate) fn leads(&self) -> bool {
        self.metrics().state == ServerState::Leader
    }

    /// Hands the leadership to a voter in the listing's home region that has everything
    /// and has lived for a while, if this node leads and stands elsewhere. Answers
    /// whether it has begun to.
    pub(crate) async fn go_home(&self) -> bool {
        let metrics = self.metrics();
        let is_offered = |(term, _): (u64, Instant)| term == metrics.current_term;
        if self.offered().is_some_and(is_offered) {
            return false;
        }
        let Some(home) = self.home_leader(&metrics) else {
            return false;
        };
        let offered = self.hand_to(&metrics, home.get()).await;
        if offered {
            self.shared.counts.sent_home.fetch_add(1, Ordering::Relaxed);
            self.shared.entrust(home);
        }
        offered
    }

    /// Offers the leadership to another voter; answers whether it has begun to. From then
    /// on openraft takes no command from this leader, whether or not the other stands.
    async fn hand_to(&self, metrics: &RaftMetrics<Types>, successor: u64) -> bool {
        let begun = self.send_offer(metrics.current_term, successor).await;
        if let Err(cause) = &begun {
            tracing::warn!(listing = %self.genesis.listing, %cause, "cannot hand over");
        }
        begun.is_ok()
    }

    /// Offers the leadership of a term, and takes note of it once the offer is on its way, with
    /// nothing to wait for in between: whoever gives up waiting leaves both behind or neither. A
    /// mark for an offer that nobody got would keep a leader that is well from going home, and have
    /// it woken afresh.
    ///
    /// # Errors
    /// Why nothing was offered.
    pub(crate) async fn send_offer(&self, term: u64, successor: u64) -> Result<(), Fatal<Types>> {
        self.raft.trigger().transfer_leader(successor).await?;
        self.note_offer(term);
        Ok(())
    }

    /// Takes note that this leader has offered its leadership in a term: so it is woken afresh
    /// should nobody take it, also if whoever has asked for it has given up by then.
    fn note_offer(&self, term: u64) {
        let mut offered = self.offered();
        if offered.is_none_or(|(known, _)| known != term) {
            *offered = Some((term, Instant::now()));
        }
    }

    /// Whether this node leads and has offered that for so long that nobody takes it: it
    /// proposes nothing any more before it is woken afresh.
    pub(crate) fn offers_in_vain(&self) -> bool {
        let offered = *self.offered();
        offered.is_some_and(|(term, at)| {
            let metrics = self.metrics();
            let leads = metrics.state == ServerState::Leader && metrics.current_term == term;
            leads && at.elapsed() >= OFFER_PATIENCE
        })
    }

    fn offered(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a quorum has answered this leader lately enough for openraft to take a
    /// command from it, with some time to spare, and whether a quorum's nodes have lived
    /// without a break since: else another may lead by now.
    pub(crate) fn lease_holds(&self) -> bool {
        let leader = self.raft.as_leader().ok();
        let acked = leader.and_then(|leader| leader.last_quorum_acked());
        let Some(passed) = acked.map(|acked| acked.elapsed()) else {
            return false;
        };
        let unbroken = |node: NodeId| {
            let alive_for = self.shared.alive_for(node);
            alive_for.is_some_and(|alive_for| alive_for >= passed)
        };
        passed < self.shared.lease / 4 * 3 && quorum_of(&self.metrics(), unbroken)
    }

    /// A question to a quorum, which is given up when its answers are late: not when the
    /// lease is over, which lasts for much longer.
    pub(crate) fn read_index(&self) -> LinearizerOption {
        LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(self.shared.answers_within)
    }

    /// How this node's clock stands to those of the voters, at `now`.
    pub(crate) fn agreement(&self, now: Reading) -> Agreement {
        let metrics = self.metrics();
        let voters = metrics.membership_config.membership().voter_ids();
        let voters = voters.filter_map(NodeId::new);
        let shared = &self.shared;
        shared.clocks.compare(shared.node, voters, now)
    }

    /// Offers the leadership to a living voter that has everything: this node is not fit
    /// to lead.
    pub(crate) async fn hand_over(&self) {
        tracing::error!(
            listing = %self.genesis.listing,
            "the clock of this node is ahead of a quorum's: it proposes nothing until it is set"
        );
        let metrics = self.metrics();
        let applied = metrics.last_applied.map(|id| id.index);
        let successor = metrics
            .replication
            .iter()
            .flatten()
            .find(|(node, matched)| {
                let alive = NodeId::new(**node).is_some_and(|node| self.shared.is_alive(node));
                let fit = alive && **node != metrics.id && votes(&metrics, **node);
                fit && matched.as_ref().map(|id| id.index) == applied
            });
        if let Some((successor, _)) = successor {
            self.hand_to(&metrics, *successor).await;
        }
    }

    /// The voter at home that should lead instead of this node.
    fn home_leader(&self, metrics: &RaftMetrics<Types>) -> Option<NodeId> {
        if metrics.state != ServerState::Leader {
            return None;
        }
        let transport = &self.shared.transport;
        let home = self.goal().home;
        if transport.region(self.shared.node).as_ref() == Some(&home) {
            return None;
        }
        let applied = metrics.last_applied.map(|id| id.index);
        let replication = metrics.replication.as_ref()?;
        replication
            .iter()
            .filter(|(_, matched)| matched.as_ref().map(|id| id.index) == applied)
            .filter(|(node, _)| votes(metrics, **node))
            .filter_map(|(node, _)| NodeId::new(*node))
            .filter(|node| transport.region(*node).as_ref() == Some(&home))
            .filter(|node| !self.shared.clocks.is_ahead(*node))
            .filter(|node| self.shared.is_steady(*node))
            .min_by_key(|node| (self.shared.loads.of(*node), *node))
    }
}

/// Whether so many voters are as asked that they can decide, in every configuration.
fn quorum_of(metrics: &RaftMetrics<Types>, is: impl Fn(NodeId) -> bool) -> bool {
    let is = |voter: &&u64| NodeId::new(**voter).is_some_and(&is);
    let configs = metrics.membership_config.membership().get_joint_config();
    configs
        .iter()
        .all(|voters| 2 * voters.iter().filter(is).count() > voters.len())
}

/// Whether a node votes, by the latest membership that is known here.
pub(crate) fn votes(metrics: &RaftMetrics<Types>, node: u64) -> bool {
    let membership = metrics.membership_config.membership();
    membership.voter_ids().any(|voter| voter == node)
}

/// Whether a leader has itself written that it votes no more: it is about to go.
pub(crate) fn has_left(metrics: &RaftMetrics<Types>, leader: NodeId) -> bool {
    let written = metrics.membership_config.log_id().as_ref();
    let by_it = written.is_some_and(|at| at.leader_id.term == metrics.current_term);
    by_it && !votes(metrics, leader.get())
}
