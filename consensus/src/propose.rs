//! Proposals and linearizable reads, with an honest word on what became of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use meridian_consensus_core::{Applied, Command, Ledger};
use meridian_regions::{Genesis, ListingId};
use meridian_storage::StorageError;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::{Instant as _, ReadPolicy};
use tokio::time::{Instant, timeout_at};

use crate::group::Group;
use crate::types::CommandBytes;
use crate::{Groups, ProposeError, ReadError};

/// A leader that has heard from a quorum within this time appends at once. Else it
/// asks first, so that a leader that is cut off answers `NoQuorum` and appends
/// nothing. Two heartbeats and a round trip of the longest link.
const QUORUM_FRESH: Duration = Duration::from_millis(1_200);
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
        mut command: Command,
        deadline: Duration,
    ) -> Result<Applied, ProposeError> {
        let until = Instant::now() + deadline;
        let _request = self
            .requests()
            .try_acquire()
            .map_err(|_full| ProposeError::Overloaded)?;
        let group = self.group(genesis).await?;
        let leader = group.leader(deadline / 4 * ELECTION_QUARTERS).await;
        match leader {
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(ProposeError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => return Err(ProposeError::NoQuorum),
        }
        confirm_quorum(&group, until).await?;
        command.at_ms = wall_clock_ms();
        let bytes = CommandBytes(Bytes::from(command.encode()));
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
        let leader = group.leader(deadline / 4 * ELECTION_QUARTERS).await;
        match leader {
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(ReadError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => return Err(ReadError::NoQuorum),
        }
        let read = group.raft.ensure_linearizable(ReadPolicy::ReadIndex);
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
    /// stale: it never admits a booking. Empty if nothing has been applied here.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn local(&self, listing: &ListingId) -> Result<LedgerView, StorageError> {
        if let Some(group) = self.awake_group(listing) {
            return Ok(view(&group));
        }
        let state = self.stored_state(listing)?;
        Ok(LedgerView {
            ledger: Arc::new(state.ledger),
            applied_index: state.log_id.map(|id| id.index),
        })
    }
}

fn view(group: &Group) -> LedgerView {
    let (ledger, applied_index) = group.ledger();
    LedgerView {
        ledger: Arc::new(ledger),
        applied_index,
    }
}

/// Makes sure that a quorum follows this leader, before anything is appended.
async fn confirm_quorum(group: &Group, until: Instant) -> Result<(), ProposeError> {
    let fresh = group
        .raft
        .as_leader()
        .ok()
        .and_then(|leader| leader.last_quorum_acked())
        .is_some_and(|acked| acked.elapsed() < QUORUM_FRESH);
    if fresh {
        return Ok(());
    }
    let confirmed = group.raft.ensure_linearizable(ReadPolicy::ReadIndex);
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

fn wall_clock_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
