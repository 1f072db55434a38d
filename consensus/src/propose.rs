//! Proposals and linearizable reads, with an honest word on what became of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use meridian_consensus_core::{Applied, Command, Ledger};
use meridian_regions::{Genesis, ListingId};
use meridian_storage::StorageError;
use meridian_trace::{Kind, Trace};
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use tokio::time::{Instant, timeout_at};

use crate::clocks::Agreement;
use crate::group::Group;
#[cfg(test)]
use crate::planted::{Bug, admitted_by_copy, is_planted, known_before_log};
use crate::types::{LogIdOf, Proposal};
use crate::{Groups, ProposeError, ReadError};

/// Part of a deadline that may pass before there is a leader, in quarters.
const ELECTION_QUARTERS: u32 = 3;

/// A ledger as of a moment after the read was asked.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Log index that it has applied.
    pub applied_index: Option<u64>,
}

impl Groups {
    /// Proposes a command and waits until it has been applied, at most for
    /// `deadline`. The leader stamps it with its own clock.
    ///
    /// # Errors
    /// [`ProposeError`]; only [`ProposeError::Unknown`] and
    /// [`ProposeError::Storage`] leave open whether it was done.
    pub async fn propose(
        &self,
        genesis: &Genesis,
        command: Command,
        deadline: Duration,
    ) -> Result<Applied, ProposeError> {
        let mut step = Trace::current().step("propose", Kind::Within);
        step.set_with("meridian.listing", || genesis.listing.to_string());
        let proposed = self.propose_as(genesis, command, deadline, step.trace());
        let proposed = proposed.await;
        if let Err(error) = &proposed {
            step.fail(error);
        }
        proposed
    }

    async fn propose_as(
        &self,
        genesis: &Genesis,
        mut command: Command,
        deadline: Duration,
        trace: Trace,
    ) -> Result<Applied, ProposeError> {
        let until = Instant::now() + deadline;
        let _request = self
            .requests()
            .try_acquire()
            .map_err(|_full| ProposeError::Overloaded)?;
        let group = self.group(genesis).await?;
        let turn = group.turn().ok_or(ProposeError::Overloaded)?;
        let leader = group.leader(deadline / 4 * ELECTION_QUARTERS).await;
        match leader {
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(ProposeError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => {
                drop(turn);
                self.settle_hint(genesis, group).await?;
                return Err(ProposeError::NoQuorum);
            }
        }
        if group.hands_over.load(Ordering::Relaxed) {
            return Err(ProposeError::NotLeader { leader: None });
        }
        // A leader that is cut off appends nothing: what it says is that nothing was done.
        if !group.reaches_quorum(&group.metrics()) {
            return Err(ProposeError::NoQuorum);
        }
        // openraft takes nothing from a leader that no quorum has answered lately, as after
        // a wake; and every answer brings a clock along.
        if !group.lease_holds() || group.agreement(group.shared.clocks.read()) == Agreement::Unheard
        {
            confirm_quorum(&group, until).await?;
        }
        command.at_ms = agreed_time(&group).await?;
        #[cfg(test)]
        if let Some(known) = known_before_log(&group, &command) {
            return Ok(known);
        }
        let bytes = Bytes::from(command.encode());
        let _proposed = group.followed.propose(&bytes, trace);
        let bytes = Proposal::Command(bytes);
        #[cfg(test)]
        if let Some(admitted) = admitted_by_copy(&group, &command) {
            // What becomes of it is nobody's concern.
            let _ = group.raft.client_write_ff(bytes, None).await;
            return Ok(admitted);
        }
        // Given up or not, an appended entry may be committed: hence `Unknown`.
        match timeout_at(until, group.raft.client_write(bytes)).await {
            Ok(Ok(response)) => Applied::decode(&response.data)
                .map_err(|cause| ProposeError::Storage(StorageError::Read(cause.to_string()))),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(elsewhere)))) => {
                Err(ProposeError::NotLeader {
                    leader: elsewhere.leader_id.and_then(meridian_regions::NodeId::new),
                })
            }
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    /// Reads a listing's ledger linearizably: a quorum has confirmed the leader
    /// after the read was asked, and everything committed by then is applied.
    ///
    /// # Errors
    /// [`ReadError`]; a read may always be repeated.
    pub async fn read(
        &self,
        genesis: &Genesis,
        deadline: Duration,
    ) -> Result<LedgerView, ReadError> {
        let until = Instant::now() + deadline;
        let _request = self
            .requests()
            .try_acquire()
            .map_err(|_full| ReadError::Overloaded)?;
        let group = self.group(genesis).await?;
        let turn = group.turn().ok_or(ReadError::Overloaded)?;
        let leader = group.leader(deadline / 4 * ELECTION_QUARTERS).await;
        match leader {
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(ReadError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => {
                drop(turn);
                self.settle_hint(genesis, group).await?;
                return Err(ReadError::NoQuorum);
            }
        }
        #[cfg(test)]
        if is_planted(Bug::ReadIndexSkipped) && !group.lease_holds() {
            return Ok(view(&group));
        }
        let read = group.raft.ensure_linearizable(group.read_index());
        match timeout_at(until, read).await {
            Ok(Ok(_)) => Ok(view(&group)),
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(elsewhere)))) => {
                Err(ReadError::NotLeader {
                    leader: elsewhere.leader_id.and_then(meridian_regions::NodeId::new),
                })
            }
            Ok(Err(_)) | Err(_) => Err(ReadError::NoQuorum),
        }
    }

    /// The ledger as this node has applied it, without waking its group. It may be
    /// stale, after a crash by some entries more until the group is next awake: it never
    /// admits a booking. Empty if nothing has been applied here.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn local(&self, listing: &ListingId) -> Result<LedgerView, StorageError> {
        if let Some(group) = self.places().peek(listing) {
            return Ok(view(&group));
        }
        let state = self.stored_state(listing)?;
        Ok(LedgerView {
            ledger: state.ledger,
            applied_index: state.log_id.map(|id| id.index),
        })
    }

    /// The last entry that is applied here; `None` if none is.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub(crate) fn applied(&self, listing: &ListingId) -> Result<Option<LogIdOf>, StorageError> {
        match self.places().peek(listing) {
            Some(group) => Ok(group.applied()),
            None => Ok(self.stored_state(listing)?.log_id),
        }
    }
}

fn view(group: &Group) -> LedgerView {
    let (ledger, applied_index) = group.ledger();
    LedgerView {
        ledger,
        applied_index,
    }
}

/// This node's wall clock in milliseconds, unless a quorum says that it is ahead.
async fn agreed_time(group: &Group) -> Result<u64, ProposeError> {
    // One reading: what is agreed on is what is proposed.
    let now = group.shared.clocks.read();
    match group.agreement(now) {
        Agreement::Agreed => Ok(now.wall_ms),
        Agreement::Unheard => Err(ProposeError::NoQuorum),
        Agreement::Ahead => {
            group.hand_over().await;
            Err(ProposeError::ClockAhead)
        }
    }
}

/// Makes sure that a quorum follows this leader. What is committed need not be applied for
/// it: a new leader first finds out how much the others have, which takes several round trips,
/// and a command may be on its way meanwhile.
async fn confirm_quorum(group: &Group, until: Instant) -> Result<(), ProposeError> {
    let confirmed = group.raft.get_read_linearizer(group.read_index());
    match timeout_at(until, confirmed).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(elsewhere)))) => {
            Err(ProposeError::NotLeader {
                leader: elsewhere.leader_id.and_then(meridian_regions::NodeId::new),
            })
        }
        Ok(Err(_)) | Err(_) => Err(ProposeError::NoQuorum),
    }
}
