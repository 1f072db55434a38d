//! Registers: small records that every node of the cluster keeps, as webhook endpoints and how
//! far their deliveries have come.
//!
//! A register has a key and a value, or none once it was deleted. The write with the greatest
//! [`Stamp`] wins, whole; so that replicas that have seen the same writes hold the same
//! (invariant 4), in whatever order they came. A write is on this node's disk before it is
//! answered, and is offered at once to the nodes that can be reached; what one has missed comes
//! when digests are compared ([`exchange`]).
//!
//! What it is not: a document. Two writes of one register at the same time do not merge, and
//! nobody is told which was lost. Listings are documents.

mod digests;
mod exchange;
#[cfg(test)]
mod fuzz;
mod record;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use meridian_storage::{DiskStats, StorageError};
use meridian_transport::{Channel, Mesh};
use prost::Message;
use tokio::sync::watch;

use crate::clock::Clock;
use digests::Digests;
use store::RegisterStore;
use wire::Ask;

pub(crate) use record::{Register, Space, Stamp};

/// How long a node that is offered a write may take: one that is slow gets it by comparing.
const OFFER_DEADLINE: Duration = Duration::from_secs(1);
/// Longest value, in bytes: a request of the mesh carries it with room to spare.
pub(crate) const VALUE_BYTES_MAX: usize = 128 * 1_024;
/// Longest key, in bytes: a kind, an id and a region.
pub(crate) const KEY_BYTES_MAX: usize = 256;
/// How far ahead of this node's clock a write may be stamped; later ones are taken later.
const AHEAD_MS_MAX: u64 = 60_000;

/// Why a write was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("a key has {KEY_BYTES_MAX} bytes at most, a value {VALUE_BYTES_MAX}")]
    TooLong,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Handle to this node's registers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registers(Arc<Inner>);

struct Inner {
    node: NodeId,
    clock: Clock,
    mesh: Mesh,
    /// Every other node that is still there.
    peers: Vec<NodeId>,
    store: RegisterStore,
    /// Of what has been submitted to the disk.
    digests: Mutex<Digests>,
    /// Set once this node has compared itself with others, or has found none.
    caught_up: watch::Sender<bool>,
}

impl Registers {
    /// Opens the registers in a folder, or begins with none.
    pub(crate) fn open(
        folder: PathBuf,
        (node, peers): (NodeId, Vec<NodeId>),
        (clock, mesh): (Clock, Mesh),
    ) -> Result<Self, StorageError> {
        let store = RegisterStore::open(folder)?;
        let digests = store.digests()?;
        Ok(Self(Arc::new(Inner {
            node,
            clock,
            mesh,
            peers,
            store,
            digests: Mutex::new(digests),
            caught_up: watch::channel(false).0,
        })))
    }

    /// The value of a register; `None` if it was never written, or deleted.
    pub(crate) fn read(&self, space: Space, key: &str) -> Result<Option<Register>, StorageError> {
        let found = self.0.store.read(space, key)?;
        Ok(found.filter(|register| register.value.is_some()))
    }

    /// Every register of a space whose key begins so, in the order of keys.
    pub(crate) fn list(&self, space: Space, prefix: &str) -> Result<Vec<Register>, StorageError> {
        let mut found = self.0.store.list(space)?;
        found.retain(|register| register.value.is_some() && register.key.starts_with(prefix));
        found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    /// Writes a register, or deletes it; answers how many nodes have it on their disk by then.
    pub(crate) async fn write(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
    ) -> Result<usize, RegisterError> {
        let bytes = value.as_ref().map_or(0, Vec::len);
        if key.len() > KEY_BYTES_MAX || bytes > VALUE_BYTES_MAX {
            return Err(RegisterError::TooLong);
        }
        let permit = self.0.store.reserve().await?;
        let (register, committed) = {
            let mut digests = self.digests();
            let known = self.0.store.stamp(space, key)?;
            let register = Register {
                space,
                key: key.to_owned(),
                stamp: Stamp::after(known, self.0.clock.now().as_millis(), self.0.node),
                value,
            };
            digests.replace(&register, known);
            let committed = self.0.store.submit(permit, &register);
            (register, committed)
        };
        committed.await?;
        self.0.store.settled(&register);
        Ok(1 + self.offer(&register).await)
    }

    /// Takes another node's write, unless a later one is here.
    pub(crate) async fn take(&self, register: Register) -> Result<(), StorageError> {
        let horizon = self.0.clock.now().as_millis().saturating_add(AHEAD_MS_MAX);
        if register.stamp.ms > horizon {
            return Ok(());
        }
        let permit = self.0.store.reserve().await?;
        let committed = {
            let mut digests = self.digests();
            let known = self.0.store.stamp(register.space, &register.key)?;
            if !register.stamp.supersedes(known) {
                return Ok(());
            }
            digests.replace(&register, known);
            self.0.store.submit(permit, &register)
        };
        committed.await?;
        self.0.store.settled(&register);
        Ok(())
    }

    /// Offers a write to every other node; answers how many have it now.
    async fn offer(&self, register: &Register) -> usize {
        let ask = Ask {
            take: vec![register.into()],
            ..Ask::default()
        };
        let bytes: bytes::Bytes = ask.encode_to_vec().into();
        let mesh = &self.0.mesh;
        let peers = self.0.peers.iter();
        let reachable = peers.filter(|peer| mesh.alive_for(**peer).is_some());
        let offers = reachable.map(|peer| {
            let (channel, bytes) = (Channel::Registers, bytes.clone());
            async move {
                mesh.call(*peer, channel, bytes, OFFER_DEADLINE)
                    .await
                    .is_ok()
            }
        });
        let taken = futures::future::join_all(offers).await;
        taken.into_iter().filter(|taken| *taken).count()
    }

    /// The first failed write of the database.
    pub(crate) fn checkpoint(&self, into: &Path) -> Result<(), StorageError> {
        self.0.store.checkpoint(into)
    }

    pub(crate) fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.0.store.failure()
    }

    /// What the database and its disk are at.
    pub(crate) fn disk(&self) -> DiskStats {
        self.0.store.disk()
    }

    /// Whether this node has heard what others had when it started.
    pub(crate) fn caught_up(&self) -> watch::Receiver<bool> {
        self.0.caught_up.subscribe()
    }

    /// Never held across an await.
    fn digests(&self) -> MutexGuard<'_, Digests> {
        self.0
            .digests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
