//! Where records stand in the database: few column families, every key beginning
//! with what it is looked up by.

use meridian_regions::{ListingId, NodeId, ShardId};
use meridian_replication_core::item_key;

/// The change log: `origin ‖ shard ‖ seq` → entry.
pub(crate) const LOG: &str = "log";
/// Snapshots of documents: `listing` → document.
pub(crate) const DOCUMENTS: &str = "documents";
/// Changes since the snapshot: `listing ‖ origin ‖ seq` → change.
pub(crate) const CHANGES: &str = "changes";
/// Digests of heads: `shard ‖ listing` → 32 bytes.
pub(crate) const HEADS: &str = "heads";
/// Genesis records: `listing` → record.
pub(crate) const GENESIS: &str = "genesis";
/// Entries that could not be applied: `origin ‖ shard ‖ seq` → reason. A change that
/// had waited stands under the entry that released it, followed by its own name.
pub(crate) const QUARANTINE: &str = "quarantine";
/// This node's feed of events: see `events.rs`.
pub(crate) const FEED: &str = "listing_feed";
/// What is known beyond the logs: `kind ‖ origin` → timestamp, `kind ‖ origin ‖ shard` →
/// floor, `kind ‖ key of an entry` → entry.
pub(crate) const PROGRESS: &str = "progress";
/// Column families of the database.
pub(crate) const FAMILIES: &[&str] = &[
    LOG, DOCUMENTS, CHANGES, HEADS, GENESIS, QUARANTINE, PROGRESS, FEED,
];
/// Kind of the progress records that hold watermarks of whole logs.
const WATERMARK: u8 = b'w';
/// Kind of the progress records that hold watermarks by shards.
const MARKS: u8 = b'm';
/// Kind of the progress record that says which shards this node serves.
const WHOLE: u8 = b'h';
/// Kind of the progress record that holds this node's own clock.
const CLOCK: u8 = b'c';
/// Kind of the progress records that hold what has been seen beyond the logs.
const SEEN: u8 = b's';
/// Kind of the progress record that says which return has been completed.
const RETURNED: u8 = b'r';
/// Kind of the progress record that says what this node has lost of its own log.
const LOST: u8 = b'l';
/// Kind of the progress records that hold where logs begin.
const FLOOR: u8 = b'f';
/// Kind of the progress records that hold trimmed entries that had been set aside.
const KEPT: u8 = b'k';

/// Kind of the progress records of listings that were deleted and are not buried yet.
const DEAD: u8 = b'd';
/// Kind of the progress record that says how far deleted listings without a note have been
/// searched for.
const SEARCHED: u8 = b'b';
/// Kind of the progress records that say when a document began anew here whose former one is
/// still kept.
const FORMER: u8 = b'p';

/// Key of a log entry.
pub(crate) fn entry(origin: NodeId, shard: ShardId, seq: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    key.extend_from_slice(&origin.get().to_be_bytes());
    key.extend_from_slice(&shard.get().to_be_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// Origin, shard and sequence number of a log entry's key.
pub(crate) fn parse_entry(key: &[u8]) -> Option<(NodeId, ShardId, u64)> {
    let (origin, rest) = key.split_first_chunk::<8>()?;
    let (shard, seq) = rest.split_first_chunk::<2>()?;
    Some((
        NodeId::new(u64::from_be_bytes(*origin))?,
        ShardId::new(u16::from_be_bytes(*shard))?,
        u64::from_be_bytes(seq.try_into().ok()?),
    ))
}

/// Key of an origin's watermark.
pub(crate) fn watermark(origin: NodeId) -> Vec<u8> {
    let mut key = vec![WATERMARK];
    key.extend_from_slice(&origin.get().to_be_bytes());
    key
}

/// Key of an origin's watermarks, where they are not the same in all shards.
pub(crate) fn marks(origin: NodeId) -> Vec<u8> {
    let mut key = vec![MARKS];
    key.extend_from_slice(&origin.get().to_be_bytes());
    key
}

/// Key of the shards that this node serves.
pub(crate) fn whole() -> Vec<u8> {
    vec![WHOLE]
}

/// Key of the latest timestamp of an origin that mended documents may hold.
pub(crate) fn seen(origin: NodeId) -> Vec<u8> {
    let mut key = vec![SEEN];
    key.extend_from_slice(&origin.get().to_be_bytes());
    key
}

/// Key of the latest timestamp that this node has announced.
pub(crate) fn clock() -> Vec<u8> {
    vec![CLOCK]
}

/// Key of the return that this node has completed.
pub(crate) fn returned() -> Vec<u8> {
    vec![RETURNED]
}

/// Key of what this node has lost of its own log, as it was noticed.
pub(crate) fn lost() -> Vec<u8> {
    vec![LOST]
}

/// Key of where a log begins.
pub(crate) fn floor(origin: NodeId, shard: ShardId) -> Vec<u8> {
    let mut key = vec![FLOOR];
    key.extend_from_slice(&origin.get().to_be_bytes());
    key.extend_from_slice(&shard.get().to_be_bytes());
    key
}

/// Origin and shard of a floor's key.
pub(crate) fn parse_floor(key: &[u8]) -> Option<(NodeId, ShardId)> {
    let (kind, rest) = key.split_first()?;
    let (origin, shard) = rest.split_first_chunk::<8>()?;
    let origin = NodeId::new(u64::from_be_bytes(*origin))?;
    let shard = ShardId::new(u16::from_be_bytes(shard.try_into().ok()?))?;
    (*kind == FLOOR).then_some((origin, shard))
}

/// The bounds of all floors.
pub(crate) fn floors() -> (Vec<u8>, [u8; 1]) {
    (vec![FLOOR], [FLOOR + 1])
}

/// Key of an entry that had been set aside, and is not in its log any more.
pub(crate) fn kept(entry: &[u8]) -> Vec<u8> {
    [&[KEPT], entry].concat()
}

/// Key of when a document began anew, as long as the former one is kept.
pub(crate) fn former(listing: &ListingId) -> Vec<u8> {
    let mut key = vec![FORMER];
    key.extend_from_slice(&item_key(listing));
    key
}

/// The listing of such a key.
pub(crate) fn parse_former(key: &[u8]) -> Option<ListingId> {
    ListingId::from_key(key.get(3..)?).ok()
}

/// Key of a listing that was deleted, until it is buried.
pub(crate) fn dead(listing: &ListingId) -> Vec<u8> {
    let mut key = vec![DEAD];
    key.extend_from_slice(&listing.to_key());
    key
}

/// The listing of such a key.
pub(crate) fn parse_dead(key: &[u8]) -> Option<ListingId> {
    ListingId::from_key(key.get(1..)?).ok()
}

/// The bounds of all such keys.
pub(crate) fn all_dead() -> ([u8; 1], [u8; 1]) {
    ([DEAD], [DEAD + 1])
}

/// Key of how far deleted listings without a note have been searched for.
pub(crate) fn searched() -> Vec<u8> {
    vec![SEARCHED]
}

/// The bounds of such keys of a shard.
pub(crate) fn formers_of(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    let (from, until) = heads_of(shard);
    (
        [&[FORMER], &from[..]].concat(),
        [&[FORMER], &until[..]].concat(),
    )
}

/// The bounds of all watermarks.
pub(crate) fn watermarks() -> ([u8; 1], [u8; 1]) {
    ([WATERMARK], [WATERMARK + 1])
}

/// The bounds of all watermarks by shards.
pub(crate) fn all_marks() -> ([u8; 1], [u8; 1]) {
    ([MARKS], [MARKS + 1])
}

/// The bounds of all that has been seen beyond the logs.
pub(crate) fn all_seen() -> ([u8; 1], [u8; 1]) {
    ([SEEN], [SEEN + 1])
}

/// The origin of the key of a watermark, or of what has been seen.
pub(crate) fn parse_origin(key: &[u8]) -> Option<NodeId> {
    let (_kind, origin) = key.split_first()?;
    NodeId::new(u64::from_be_bytes(origin.try_into().ok()?))
}

/// What the keys of a listing's changes begin with. The length keeps one listing's
/// keys from being a prefix of another's.
pub(crate) fn listing_prefix(listing: &ListingId) -> Vec<u8> {
    let listing = listing.to_key();
    let mut key = Vec::with_capacity(listing.len() + 17);
    // 16 bytes of ULID and at most 32 of region.
    key.push(u8::try_from(listing.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(&listing);
    key
}

/// Key of one change of a listing.
pub(crate) fn change(listing: &ListingId, origin: NodeId, seq: u64) -> Vec<u8> {
    let mut key = listing_prefix(listing);
    key.extend_from_slice(&origin.get().to_be_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The first key after all changes of a listing.
pub(crate) fn changes_end(listing: &ListingId) -> Vec<u8> {
    let mut key = listing_prefix(listing);
    key.extend_from_slice(&[0xff; 17]);
    key
}

/// Key of a listing's digest.
pub(crate) fn heads(listing: &ListingId) -> Vec<u8> {
    item_key(listing)
}

/// The listing of such a key.
pub(crate) fn parse_heads(key: &[u8]) -> Option<ListingId> {
    ListingId::from_key(key.get(2..)?).ok()
}

/// The bounds of all digests.
pub(crate) fn all_heads() -> ([u8; 2], [u8; 2]) {
    ([0; 2], [0xff; 2])
}

/// The bounds of a shard's digests.
pub(crate) fn heads_of(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    let from = shard.get().to_be_bytes().to_vec();
    let until = (shard.get() + 1).to_be_bytes().to_vec();
    (from, until)
}
