//! Nodes that this node is to free of groups, kept beside the groups.
//!
//! Only the wish and what has come of it are kept: where each group stands is in its own
//! log, so that whoever takes a wish up again after a crash begins with a look.

use meridian_regions::NodeId;
use meridian_storage::{Batch, Durability, StorageError};
use prost::Message;

use crate::Groups;
use crate::keys::{STATE, drain, drains_until};

/// Wishes kept at once: more nodes than a cluster has.
const DRAINS_MAX: usize = 1_024;

/// A node that is to vote on nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// The node.
    pub node: NodeId,
    /// When it was wished for, in milliseconds since 1970.
    pub began_ms: u64,
    /// Groups that have been moved away from it, at least.
    pub moved: u64,
    /// When it was first seen to vote on nothing, in milliseconds since 1970.
    pub done_ms: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct Record {
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(uint64, tag = "2")]
    began_ms: u64,
    #[prost(uint64, tag = "3")]
    moved: u64,
    #[prost(uint64, optional, tag = "4")]
    done_ms: Option<u64>,
}

impl Groups {
    /// Every node that this one is to free of groups.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn drains(&self) -> Result<Vec<Drain>, StorageError> {
        let records = self
            .store()
            .scan(STATE, &drain(0), &drains_until(), DRAINS_MAX)?;
        let read = |bytes: &[u8]| {
            let record = Record::decode(bytes).ok()?;
            Some(Drain {
                node: NodeId::new(record.node)?,
                began_ms: record.began_ms,
                moved: record.moved,
                done_ms: record.done_ms,
            })
        };
        let unreadable = || StorageError::Read("a drain that cannot be read".to_owned());
        let records = records.iter().map(|(_, bytes)| read(bytes));
        records.map(|read| read.ok_or_else(unreadable)).collect()
    }

    /// Keeps a wish, or what has come of it, durably.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn keep_drain(&self, wish: &Drain) -> Result<(), StorageError> {
        let record = Record {
            node: wish.node.get(),
            began_ms: wish.began_ms,
            moved: wish.moved,
            done_ms: wish.done_ms,
        };
        let mut batch = Batch::new();
        batch.put(STATE, drain(wish.node.get()), record.encode_to_vec());
        self.write(batch).await
    }

    /// Gives up a wish. What has been moved stays where it is.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn drop_drain(&self, node: NodeId) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.delete(STATE, drain(node.get()));
        self.write(batch).await
    }

    async fn write(&self, batch: Batch) -> Result<(), StorageError> {
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await
    }
}
