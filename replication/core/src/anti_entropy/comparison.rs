//! What travels while two sides compare.

use meridian_regions::{ListingId, SHARD_COUNT, ShardId};
use prost::{Message, Oneof};

use super::fingerprint::{Fingerprint, SUM_BYTES};
use super::range::{Range, item_key};
use super::{ANSWER, REQUEST};
use crate::limits::{COMPARED_ITEMS_MAX, COMPARED_PARTS, COMPARED_RANGES_MAX};
use crate::wire::WireError;

/// Bytes of a digest that travel: 64 bits of a hash do not collide by accident, and
/// whoever has found a difference compares the documents themselves.
const DIGEST_BYTES: usize = 8;

/// The beginning of a digest of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortDigest([u8; DIGEST_BYTES]);

impl ShortDigest {
    /// Of the whole digest.
    #[must_use]
    pub fn of(digest: &[u8; 32]) -> Self {
        let mut short = [0; DIGEST_BYTES];
        short.copy_from_slice(&digest[..DIGEST_BYTES]);
        Self(short)
    }
}

/// A range, and what the side that asks has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The range.
    pub range: Range,
    /// Of the items that the side that asks has in it.
    pub theirs: Fingerprint,
}

/// One request of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Tells this walk from any other of the same node: the side that answers may keep
    /// an outline for as long as it lasts.
    pub walk: u64,
    /// At most [`COMPARED_RANGES_MAX`].
    pub ranges: Vec<Asked>,
}

/// What is said of one range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Both have the same.
    Same,
    /// What the side that answers has in each part.
    Parts {
        /// Where one part ends and the next begins: they rise within the range.
        bounds: Vec<Vec<u8>>,
        /// One more than bounds.
        parts: Vec<Fingerprint>,
    },
    /// Everything that the side that answers has in it, in order.
    Items(Vec<Listed>),
}

/// An item as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The listing.
    pub listing: ListingId,
    /// What its document has come to.
    pub digest: ShortDigest,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ComparisonMessage {
    #[prost(fixed64, tag = "1")]
    walk: u64,
    #[prost(message, repeated, tag = "2")]
    ranges: Vec<RangeMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct RangeMessage {
    #[prost(bytes = "vec", tag = "1")]
    from: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    until: Vec<u8>,
    #[prost(uint64, tag = "3")]
    count: u64,
    #[prost(bytes = "vec", tag = "4")]
    sum: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RepliesMessage {
    #[prost(message, repeated, tag = "1")]
    replies: Vec<ReplyMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ReplyMessage {
    #[prost(oneof = "ReplyKind", tags = "1, 2, 3")]
    kind: Option<ReplyKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum ReplyKind {
    #[prost(message, tag = "1")]
    Same(SameMessage),
    #[prost(message, tag = "2")]
    Parts(PartsMessage),
    #[prost(message, tag = "3")]
    Items(ItemsMessage),
}

#[derive(Clone, PartialEq, Message)]
struct SameMessage {}

#[derive(Clone, PartialEq, Message)]
struct PartsMessage {
    #[prost(bytes = "vec", repeated, tag = "1")]
    bounds: Vec<Vec<u8>>,
    #[prost(uint64, repeated, tag = "2")]
    counts: Vec<u64>,
    /// 16 bytes for each.
    #[prost(bytes = "vec", tag = "3")]
    sums: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ItemsMessage {
    #[prost(bytes = "vec", repeated, tag = "1")]
    listings: Vec<Vec<u8>>,
    /// 8 bytes for each.
    #[prost(bytes = "vec", tag = "2")]
    digests: Vec<u8>,
}

impl Comparison {
    /// The first question of a walk, sent while the side that asks still makes its own outlines:
    /// of each shard a range in which nothing can be. The other side answers that this is the
    /// same, and has made the outlines that the rest of the walk goes by.
    #[must_use]
    pub fn ahead(walk: u64, shards: impl IntoIterator<Item = ShardId>) -> Self {
        const {
            assert!(
                SHARD_COUNT as usize <= COMPARED_RANGES_MAX,
                "all shards fit"
            );
        }
        let ranges = shards.into_iter().map(|shard| Asked {
            range: Range::before(shard),
            theirs: Fingerprint::NONE,
        });
        Self {
            walk,
            ranges: ranges.collect(),
        }
    }

    pub(super) fn to_message(&self) -> ComparisonMessage {
        let ranges = self.ranges.iter().map(|asked| RangeMessage {
            from: asked.range.from().to_vec(),
            until: asked.range.until().to_vec(),
            count: asked.theirs.count(),
            sum: asked.theirs.sum().to_be_bytes().to_vec(),
        });
        ComparisonMessage {
            walk: self.walk,
            ranges: ranges.collect(),
        }
    }

    pub(super) fn from_message(message: ComparisonMessage) -> Result<Self, WireError> {
        let refused = |detail: &str| WireError::malformed(REQUEST, detail);
        if message.ranges.len() > COMPARED_RANGES_MAX {
            return Err(refused("too many ranges"));
        }
        let ranges = message.ranges.into_iter().map(|range| {
            let theirs = fingerprint(range.count, &range.sum);
            Ok(Asked {
                range: Range::new(range.from, range.until)
                    .ok_or_else(|| refused("no range of one shard"))?,
                theirs: theirs.ok_or_else(|| refused("a sum of another length"))?,
            })
        });
        Ok(Self {
            walk: message.walk,
            ranges: ranges.collect::<Result<_, WireError>>()?,
        })
    }
}

pub(super) fn to_message(replies: &[Reply]) -> RepliesMessage {
    let replies = replies.iter().map(|reply| ReplyMessage {
        kind: Some(match reply {
            Reply::Same => ReplyKind::Same(SameMessage {}),
            Reply::Parts { bounds, parts } => ReplyKind::Parts(PartsMessage {
                bounds: bounds.clone(),
                counts: parts.iter().map(|part| part.count()).collect(),
                sums: parts
                    .iter()
                    .flat_map(|part| part.sum().to_be_bytes())
                    .collect(),
            }),
            Reply::Items(items) => ReplyKind::Items(ItemsMessage {
                listings: items.iter().map(|item| item.listing.to_key()).collect(),
                digests: items.iter().flat_map(|item| item.digest.0).collect(),
            }),
        }),
    });
    RepliesMessage {
        replies: replies.collect(),
    }
}

pub(super) fn from_message(message: RepliesMessage) -> Result<Vec<Reply>, WireError> {
    if message.replies.len() > COMPARED_RANGES_MAX {
        return Err(WireError::malformed(ANSWER, "too many replies"));
    }
    message.replies.into_iter().map(reply).collect()
}

fn reply(message: ReplyMessage) -> Result<Reply, WireError> {
    let refused = |detail: &str| WireError::malformed(ANSWER, detail);
    match message.kind {
        None => Err(refused("a reply that is not known here")),
        Some(ReplyKind::Same(SameMessage {})) => Ok(Reply::Same),
        Some(ReplyKind::Parts(parts)) => {
            let count = parts.counts.len();
            let pairs_up = parts.bounds.len() + 1 == count && parts.sums.len() == count * SUM_BYTES;
            if !pairs_up || !(2..=COMPARED_PARTS).contains(&count) {
                return Err(refused("parts that do not pair up"));
            }
            let sums = parts.sums.chunks_exact(SUM_BYTES);
            let each = parts.counts.iter().zip(sums);
            Ok(Reply::Parts {
                bounds: parts.bounds,
                parts: each
                    .filter_map(|(count, sum)| fingerprint(*count, sum))
                    .collect(),
            })
        }
        Some(ReplyKind::Items(items)) => {
            let count = items.listings.len();
            if count > COMPARED_ITEMS_MAX || items.digests.len() != count * DIGEST_BYTES {
                return Err(refused("items that do not pair up"));
            }
            let digests = items.digests.chunks_exact(DIGEST_BYTES);
            let listed = items.listings.iter().zip(digests).map(|(key, digest)| {
                Ok(Listed {
                    listing: ListingId::from_key(key)
                        .map_err(|cause| WireError::malformed(ANSWER, cause))?,
                    digest: ShortDigest(digest.try_into().expect("as many bytes")),
                })
            });
            let listed = listed.collect::<Result<Vec<_>, WireError>>()?;
            if !listed.is_sorted_by_key(|item| item_key(&item.listing)) {
                return Err(refused("items that are not in order"));
            }
            Ok(Reply::Items(listed))
        }
    }
}

fn fingerprint(count: u64, sum: &[u8]) -> Option<Fingerprint> {
    let sum = u128::from_be_bytes(sum.try_into().ok()?);
    Some(Fingerprint::from_parts(count, sum))
}
