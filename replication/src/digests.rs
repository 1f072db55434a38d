//! Digests of documents: equal where replicas hold the same changes.

use meridian_regions::{ListingId, ShardId};
use meridian_storage::StorageError;

use crate::keys::{self, HEADS};
use crate::replica::Replica;

/// All documents of a shard as 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardDigest {
    /// The shard.
    pub shard: ShardId,
    /// Over listing ids and heads, in the order of the ids.
    pub digest: [u8; 32],
    /// Listings in it.
    pub listings: u64,
}

/// One document's heads as 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingDigest {
    /// The listing.
    pub listing: ListingId,
    /// Over its heads.
    pub digest: [u8; 32],
}

impl Replica {
    /// Digests of every shard that this node holds. Reads every record of heads: not for the hot path,
    /// and to be run where blocking is allowed.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn digests(&self) -> Result<Vec<ShardDigest>, StorageError> {
        let held = self.held();
        held.iter()
            .map(|shard| {
                let mut hasher = blake3::Hasher::new();
                let mut listings = 0;
                self.visit(shard, |key, digest| {
                    hasher.update(key).update(digest);
                    listings += 1;
                })?;
                Ok(ShardDigest {
                    shard,
                    digest: hasher.finalize().into(),
                    listings,
                })
            })
            .collect()
    }

    /// Digests of every listing of a shard, in the order of their ids.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn shard_digests(&self, shard: ShardId) -> Result<Vec<ListingDigest>, StorageError> {
        let mut digests = Vec::new();
        let mut damaged = None;
        self.visit(shard, |key, digest| {
            let parsed = key
                .get(2..)
                .and_then(|key| ListingId::from_key(key).ok())
                .zip(digest.try_into().ok());
            match parsed {
                Some((listing, digest)) => digests.push(ListingDigest { listing, digest }),
                None => damaged = Some(key.len()),
            }
        })?;
        match damaged {
            Some(bytes) => Err(StorageError::Read(format!(
                "a digest under a key of {bytes} bytes"
            ))),
            None => Ok(digests),
        }
    }

    /// Shows every key of a shard with its digest, in order. Blocks.
    pub(crate) fn visit(
        &self,
        shard: ShardId,
        each: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), StorageError> {
        let (from, until) = keys::heads_of(shard);
        self.inner().store.visit(HEADS, (&from, &until), each)
    }
}
