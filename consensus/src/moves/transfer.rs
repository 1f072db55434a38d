//! Leadership that goes to a named voter, because somebody wants it so.
//!
//! What it is not: a rule that lasts. A leader away from its listing's home hands over to a
//! voter there once that is steady (`leadership.rs`), and whoever leads may die.

use std::time::Duration;

use meridian_regions::{Genesis, NodeId};
use tokio::time::{Instant, timeout_at};

use super::Moving;
use super::step::alone;
use crate::group::Group;
use crate::leadership::votes;
use crate::{Groups, ReadError};

/// Why the leadership did not go to a voter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Only the leader can hand over. Nothing was done.
    #[error("another node leads this group")]
    NotLeader {
        /// Who, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// Who does not vote does not lead. Nothing was done.
    #[error("node {to} does not vote on the listing")]
    NoVoter {
        /// Who was to lead.
        to: NodeId,
        /// Who votes.
        voters: Vec<NodeId>,
    },
    /// Nobody would take it. Nothing was done.
    #[error("node {0} is silent: look at its process and its links")]
    Silent(NodeId),
    /// It would propose nothing. Nothing was done.
    #[error("the clock of node {0} is ahead of this one's: set it by NTP")]
    ClockAhead(NodeId),
    /// It lacks entries, and did not get them in time. Nothing was done.
    #[error("node {0} lacks entries of the group, and has not got them in time: ask again")]
    Behind(NodeId),
    /// It was offered, and may be taken yet.
    #[error("node {0} was offered the leadership and has not taken it in time")]
    NotTaken(NodeId),
    /// The group cannot be used on this node now. Nothing was done.
    #[error(transparent)]
    Unusable(#[from] ReadError),
}

impl Groups {
    /// Hands the leadership of a listing's group to one of its voters, if this node leads,
    /// and waits until that has taken it; answers its term. May be repeated.
    ///
    /// # Errors
    /// [`TransferError`]; only [`TransferError::NotTaken`] leaves open who leads.
    pub async fn transfer(
        &self,
        genesis: &Genesis,
        to: NodeId,
        deadline: Duration,
    ) -> Result<u64, TransferError> {
        let until = Instant::now() + deadline;
        let request = self.requests().try_acquire();
        let _request = request.map_err(|_full| ReadError::Overloaded)?;
        let group = self.enter_to_use(genesis).await.map_err(ReadError::from)?;
        let _turn = group.turn().ok_or(ReadError::Overloaded)?;
        match group.leader(deadline / 2).await {
            Some(leader) if leader == to => return Ok(group.metrics().current_term),
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(TransferError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => {
                return Err(match group.led_by_others() {
                    Some(electorate) => ReadError::Moved(electorate).into(),
                    None => ReadError::NoQuorum.into(),
                });
            }
        }
        let handed = group.transfer(to, until).await;
        self.wake_afresh_if_stuck(&group);
        handed
    }
}

impl Group {
    async fn transfer(&self, to: NodeId, until: Instant) -> Result<u64, TransferError> {
        self.may_take(to)?;
        let late = |_elapsed| TransferError::Unusable(ReadError::Overloaded);
        let _turn = timeout_at(until, self.moving.lock()).await.map_err(late)?;
        match self.offer_to(&alone(&[to.get()].into()), until).await {
            Ok(Moving::HandedOver) => {}
            // Another's step took the time.
            Ok(Moving::TooLate) => return Err(ReadError::Overloaded.into()),
            Ok(_) => return Err(TransferError::Behind(to)),
            Err(_) => return Err(TransferError::NotTaken(to)),
        }
        let left = until.saturating_duration_since(Instant::now());
        let wait = self.raft.wait(Some(left));
        let taken = wait.metrics(
            |metrics| metrics.current_leader == Some(to.get()),
            "the leadership to be taken by who was offered it",
        );
        let taken = taken.await.map_err(|_late| TransferError::NotTaken(to))?;
        Ok(taken.current_term)
    }

    /// Whether a node would take the leadership, and be fit for it.
    fn may_take(&self, to: NodeId) -> Result<(), TransferError> {
        let metrics = self.metrics();
        if !votes(&metrics, to.get()) {
            let voters = metrics.membership_config.membership().voter_ids();
            let voters = voters.filter_map(NodeId::new).collect();
            return Err(TransferError::NoVoter { to, voters });
        }
        if !self.shared.is_alive(to) {
            return Err(TransferError::Silent(to));
        }
        if self.shared.clocks.is_ahead(to) {
            return Err(TransferError::ClockAhead(to));
        }
        Ok(())
    }
}
