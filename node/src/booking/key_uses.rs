//! Keys at the desk: whether a request may have one, and which groups have seen one, on
//! this node and anywhere in the cluster.

use std::time::Duration;

use futures::future::join_all;
use meridian_consensus_core::{Command, Fate, Idempotency, KeyName};
use meridian_regions::{Genesis, ListingId, NodeId};
use meridian_storage::StorageError;
use meridian_transport::Channel;
use prost::Message;
use tokio::time::Instant;

use super::attempt::{Ask, Attempt, DeskError};
use super::desk::BookingDesk;
use super::in_flight::{Claim, Claimant, Taken};
use super::wire::{Answered, Asked, Forwarded, Groups, Reply};

/// How long a node may take to look into its index: a few reads, over the longest link.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

/// What the other nodes know of a key.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// Groups that have seen it.
    pub(crate) groups: Vec<Genesis>,
    /// Nodes that did not answer. One of them may have an entry that nobody else has, and
    /// may bring it to be committed yet.
    pub(crate) waiting_for: Vec<NodeId>,
}

impl BookingDesk {
    /// Claims a command's key for one request.
    ///
    /// # Errors
    /// [`DeskError`]: nothing was done.
    pub(super) fn admit(
        &self,
        listing: &ListingId,
        command: &Command,
    ) -> Result<Option<Claim>, DeskError> {
        let Some(request) = &command.idempotency else {
            return Ok(None);
        };
        let claim = self.in_flight.claim(request.name()).map_err(refused)?;
        match self.was_used_elsewhere(listing, request) {
            Ok(false) => Ok(Some(claim)),
            Ok(true) => Err(DeskError::KeyUsed),
            Err(cause) => {
                // The ledger decides; this only spares a mistake its consequences.
                tracing::error!(%cause, "cannot look a key up");
                Ok(Some(claim))
            }
        }
    }

    /// Claims the key of what another node asks here, on behalf of its request.
    pub(super) fn take_up(&self, ask: &Ask, claimant: &[u8]) -> Result<Option<Claim>, Attempt> {
        let (Ask::Propose(command) | Ask::Book(command)) = ask else {
            return Ok(None);
        };
        let claimant = Claimant::try_from(claimant).ok();
        let Some((request, claimant)) = command.idempotency.as_ref().zip(claimant) else {
            return Ok(None);
        };
        let claim = self.in_flight.claim_for(request.name(), claimant);
        claim
            .map(Some)
            .map_err(|taken| Attempt::Final(refused(taken)))
    }

    /// Whether a key has an outcome in another listing's ledger, as it stands on this node.
    fn was_used_elsewhere(
        &self,
        listing: &ListingId,
        request: &Idempotency,
    ) -> Result<bool, StorageError> {
        let uses = self.groups().uses_of(&request.name())?;
        if uses.iter().any(|one| one.genesis.listing == *listing) {
            return Ok(false);
        }
        let now_ms = self.now_ms();
        for one in uses.iter().filter(|one| one.until_ms > now_ms) {
            let view = self.groups().local(&one.genesis.listing)?;
            if view.ledger.fate(&request.caller, &request.key) != Fate::Unknown {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Groups that have seen a key, as far as this node knows.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub(crate) fn sightings_here(&self, key: &KeyName) -> Result<Vec<Genesis>, StorageError> {
        let uses = self.groups().uses_of(key)?;
        Ok(uses.into_iter().map(|one| one.genesis).collect())
    }

    /// What every other node knows, asked at once.
    pub(crate) async fn sightings_elsewhere(&self, key: &KeyName, deadline: Instant) -> Sightings {
        let peers = self.mesh.peers();
        let left = deadline.saturating_duration_since(Instant::now());
        let asked = peers.iter().map(|peer| async move {
            let found = self.ask_sightings(peer.node, key, left.min(LOOK_DEADLINE));
            (peer.node, found.await)
        });
        let mut sightings = Sightings::default();
        for (node, found) in join_all(asked).await {
            match found {
                Some(groups) => sightings.groups.extend(groups),
                None => sightings.waiting_for.push(node),
            }
        }
        sightings
    }

    async fn ask_sightings(
        &self,
        node: NodeId,
        key: &KeyName,
        patience: Duration,
    ) -> Option<Vec<Genesis>> {
        let request = Forwarded {
            asked: Some(Asked::Sightings(key.to_vec())),
            ..Forwarded::default()
        };
        let request = request.encode_to_vec().into();
        let reply = self.mesh.call(node, Channel::Forward, request, patience);
        let reply = Reply::decode(reply.await.ok()?).ok()?;
        // A node of an earlier version has no index, and says that it cannot read this.
        let Answered::Groups(groups) = reply.answered? else {
            return None;
        };
        let groups = groups.genesis.iter();
        groups.map(|bytes| Genesis::decode(bytes).ok()).collect()
    }

    /// Serves that question.
    pub(super) fn serve_sightings(&self, key: &[u8]) -> Option<Groups> {
        let key = KeyName::try_from(key).ok()?;
        match self.sightings_here(&key) {
            Ok(groups) => Some(Groups {
                genesis: groups.iter().map(Genesis::encode).collect(),
            }),
            Err(cause) => {
                tracing::error!(%cause, "cannot look a key up");
                None
            }
        }
    }
}

const fn refused(taken: Taken) -> DeskError {
    match taken {
        Taken::ByAnother => DeskError::InFlight,
        Taken::Full => DeskError::Overloaded,
    }
}
