//! What stands in the feed, as bytes.
//!
//! Layout: version, kind, told at, made at, node, change, key of the listing. Numbers are big
//! endian, and of 8 bytes.

use meridian_regions::{ListingId, NodeId};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
use meridian_storage::StorageError;

const VERSION: u8 = 1;

const CREATED: u8 = 1;
const UPDATED: u8 = 2;
const DELETED: u8 = 3;

/// What the next batch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListingNews {
    pub(crate) listing: ListingId,
    pub(crate) change: NewChange,
}

impl ListingNews {
    /// `told_ms` is when, by this node's clock, in milliseconds since 1970.
    pub(crate) fn encode(&self, told_ms: u64) -> Vec<u8> {
        let NewChange {
            id,
            node,
            at_ms,
            kind,
        } = self.change;
        let kind = match kind {
            ChangeKind::Created => CREATED,
            ChangeKind::Updated => UPDATED,
            ChangeKind::Deleted => DELETED,
        };
        let numbers = [told_ms, at_ms, node.get()].map(u64::to_be_bytes);
        let listing = self.listing.to_key();
        [
            &[VERSION, kind][..],
            numbers.as_flattened(),
            id.as_bytes(),
            &listing,
        ]
        .concat()
    }

    /// Reads it, and when it was told.
    pub(crate) fn decode(record: &[u8]) -> Result<(Self, u64), StorageError> {
        read(record).ok_or_else(|| {
            StorageError::Read(format!(
                "the feed of listings' events has a record of {} bytes that cannot be read here",
                record.len()
            ))
        })
    }
}

fn read(record: &[u8]) -> Option<(ListingNews, u64)> {
    let ([VERSION, kind], rest) = record.split_first_chunk()? else {
        return None;
    };
    let kind = match *kind {
        CREATED => ChangeKind::Created,
        UPDATED => ChangeKind::Updated,
        DELETED => ChangeKind::Deleted,
        _ => return None,
    };
    let (numbers, rest) = rest.split_first_chunk::<24>()?;
    let [told_ms, at_ms, node] = numbers.as_chunks::<8>().0 else {
        return None;
    };
    let (id, listing) = rest.split_first_chunk::<32>()?;
    let news = ListingNews {
        listing: ListingId::from_key(listing).ok()?,
        change: NewChange {
            id: ChangeId::from_bytes(*id),
            node: NodeId::new(u64::from_be_bytes(*node))?,
            at_ms: u64::from_be_bytes(*at_ms),
            kind,
        },
    };
    Some((news, u64::from_be_bytes(*told_ms)))
}
