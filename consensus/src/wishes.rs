//! What this node is to move, kept beside the groups: nodes to free, and regions to
//! balance. And, before the cluster's map is changed, the nodes that are to be freed by it.
//!
//! Only the wish and what has come of it are kept: where each group stands is in its own
//! log, so that whoever takes a wish up again after a crash begins with a look.

use meridian_regions::{NodeId, RegionId};
use meridian_storage::{Batch, Durability, StorageError};
use prost::Message;

use crate::Groups;
use crate::keys::{PLANS, STATE, WISHES, drain, planned, rebalance};

/// Wishes kept at once: more than a cluster has nodes and regions.
const WISHES_MAX: usize = 2_048;

/// What groups are to be moved for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aim {
    /// A node is to vote on nothing any more.
    Drain(NodeId),
    /// Groups are to have the voters that placement would give them now: in a region, or
    /// everywhere.
    Rebalance(Option<RegionId>),
}

/// What this node is to do, until it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What for.
    pub aim: Aim,
    /// When it was wished for, in milliseconds since 1970.
    pub began_ms: u64,
    /// Groups that have been moved for it, at least.
    pub moved: u64,
    /// When nothing was first seen to be left, in milliseconds since 1970.
    pub done_ms: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    /// The node to free; 0 for a rebalance.
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(uint64, tag = "2")]
    began_ms: u64,
    #[prost(uint64, tag = "3")]
    moved: u64,
    #[prost(uint64, optional, tag = "4")]
    done_ms: Option<u64>,
    /// The region to balance; empty for all of them.
    #[prost(string, tag = "5")]
    region: String,
}

impl Aim {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::Drain(node) => drain(node.get()),
            Self::Rebalance(region) => rebalance(region.as_ref().map_or("", RegionId::as_str)),
        }
    }
}

impl From<&Wish> for Record {
    fn from(wish: &Wish) -> Self {
        let (node, region) = match &wish.aim {
            Aim::Drain(node) => (node.get(), String::new()),
            Aim::Rebalance(region) => (
                0,
                region.as_ref().map(RegionId::to_string).unwrap_or_default(),
            ),
        };
        Self {
            node,
            began_ms: wish.began_ms,
            moved: wish.moved,
            done_ms: wish.done_ms,
            region,
        }
    }
}

impl Record {
    pub(crate) fn wish(self) -> Option<Wish> {
        let aim = match (NodeId::new(self.node), self.region.as_str()) {
            (Some(node), _) => Aim::Drain(node),
            (None, "") => Aim::Rebalance(None),
            (None, region) => Aim::Rebalance(Some(region.parse().ok()?)),
        };
        Some(Wish {
            aim,
            began_ms: self.began_ms,
            moved: self.moved,
            done_ms: self.done_ms,
        })
    }
}

impl Groups {
    /// Everything that this node is to move groups for.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn wishes(&self) -> Result<Vec<Wish>, StorageError> {
        let records = self
            .store()
            .scan(STATE, WISHES.start, WISHES.end, WISHES_MAX)?;
        let read = |bytes: &[u8]| Record::decode(bytes).ok().and_then(Record::wish);
        let unreadable = || StorageError::Read("a wish that cannot be read".to_owned());
        let records = records.iter().map(|(_, bytes)| read(bytes));
        records.map(|read| read.ok_or_else(unreadable)).collect()
    }

    /// Keeps a wish, or what has come of it, durably.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn keep_wish(&self, wish: &Wish) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.put(STATE, wish.aim.key(), Record::from(wish).encode_to_vec());
        self.write(batch).await
    }

    /// Gives up a wish. What has been moved stays where it is.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn drop_wish(&self, aim: &Aim) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.delete(STATE, aim.key());
        self.write(batch).await
    }

    /// Nodes that this one is to free once the cluster's map is of an epoch, or of a later one, and
    /// says so still.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn planned_drains(&self) -> Result<Vec<(NodeId, u64)>, StorageError> {
        let records = self
            .store()
            .scan(STATE, PLANS.start, PLANS.end, WISHES_MAX)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
        let read = |key: &[u8], epoch: &[u8]| {
            let node = key.strip_prefix(PLANS.start).and_then(number);
            Some((NodeId::new(node?)?, number(epoch)?))
        };
        let unreadable = || StorageError::Read("a drain that cannot be read".to_owned());
        let records = records.iter().map(|(key, epoch)| read(key, epoch));
        records.map(|read| read.ok_or_else(unreadable)).collect()
    }

    /// Keeps that nodes are to be freed once the map of an epoch is in force, durably.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn plan_drains(&self, nodes: &[NodeId], epoch: u64) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        for node in nodes {
            batch.put(STATE, planned(node.get()), epoch.to_be_bytes().to_vec());
        }
        self.write(batch).await
    }

    /// Forgets that nodes are to be freed by a map. What is wished for by now stays.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn drop_planned_drains(&self, nodes: &[NodeId]) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        for node in nodes {
            batch.delete(STATE, planned(node.get()));
        }
        self.write(batch).await
    }

    async fn write(&self, batch: Batch) -> Result<(), StorageError> {
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await
    }
}
