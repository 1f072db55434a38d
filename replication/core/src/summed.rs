//! Checksums of our own over what the change log says, from format level 3 on (ADR 60).
//!
//! They tell of everything between the origin of a change and whoever applies it: memory, disks,
//! a frame gone wrong. The transport's own checks end with each link.

use meridian_regions::{Feature, Hlc, ListingId, NodeId, ShardId};
use prost::Message;

use crate::wire::WireError;

const ENTRY_DOMAIN: &str = "meridian 2 log entry";
const FRAME_DOMAIN: &str = "meridian 2 pull frame";

/// What a summed entry says, apart from its place.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContentMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) listing: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) change: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) genesis: Option<Vec<u8>>,
}

/// A content behind its checksum.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SummedContent {
    /// A [`ContentMessage`].
    #[prost(bytes = "vec", tag = "1")]
    content: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    sum: u64,
}

/// Where an entry stands: what it says is bound to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) origin: NodeId,
    pub(crate) shard: ShardId,
    pub(crate) seq: u64,
    pub(crate) hlc: Hlc,
}

impl Place {
    fn sum(self, content: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key(ENTRY_DOMAIN);
        hasher.update(&self.origin.get().to_be_bytes());
        hasher.update(&self.shard.get().to_be_bytes());
        hasher.update(&self.seq.to_be_bytes());
        hasher.update(&self.hlc.as_u64().to_be_bytes());
        hasher.update(content);
        first_bytes(&hasher)
    }

    /// Puts a content behind its checksum.
    pub(crate) fn seal(self, content: &ContentMessage) -> SummedContent {
        let content = content.encode_to_vec();
        let sum = self.sum(&content);
        SummedContent { content, sum }
    }

    /// The content, if it is the one that was written at this place.
    pub(crate) fn open(
        self,
        what: &'static str,
        summed: &SummedContent,
    ) -> Result<ContentMessage, WireError> {
        if self.sum(&summed.content) != summed.sum {
            return Err(WireError::malformed(what, "it does not match its checksum"));
        }
        let content = ContentMessage::decode(&*summed.content);
        content.map_err(|cause| WireError::malformed(what, cause))
    }
}

/// A frame of an earlier level behind its checksum.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SummedFrame {
    #[prost(bytes = "vec", tag = "1")]
    frame: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    sum: u64,
}

impl SummedFrame {
    pub(crate) fn of(frame: Vec<u8>) -> Self {
        let sum = frame_sum(&frame);
        Self { frame, sum }
    }

    /// The frame, if it is the one that was sent.
    pub(crate) fn open(self, what: &'static str) -> Result<Vec<u8>, WireError> {
        if frame_sum(&self.frame) != self.sum {
            return Err(WireError::malformed(what, "it does not match its checksum"));
        }
        Ok(self.frame)
    }
}

fn frame_sum(frame: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key(FRAME_DOMAIN);
    hasher.update(frame);
    first_bytes(&hasher)
}

/// Eight bytes are enough against accidents; against lies, peers are certified.
fn first_bytes(hasher: &blake3::Hasher) -> u64 {
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    u64::from_le_bytes(sum)
}

/// What a node says that is given something of a later level than it reads.
pub(crate) fn later(what: &'static str, feature: Feature) -> WireError {
    WireError::Later {
        what,
        level: feature.since(),
    }
}

/// The listing's bytes, for whoever writes.
pub(crate) fn content(
    listing: &ListingId,
    change: &[u8],
    genesis: Option<Vec<u8>>,
) -> ContentMessage {
    ContentMessage {
        listing: listing.to_key(),
        change: change.to_vec(),
        genesis,
    }
}
