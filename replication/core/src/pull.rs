//! The messages of a pull stream.
//!
//! A node asks a peer for what it lacks ([`PullRequest`]); the peer answers with
//! frames for as long as the stream stands: entries in the order of each log,
//! watermarks that say how far an origin's time has been told completely, which origins
//! it hears itself, and which logs it has trimmed. Entries travel packed where that is shorter.

mod floors;
mod packed;

use meridian_regions::{Hlc, NodeId, SHARD_COUNT, ShardId};
use prost::{Message, Oneof};

use self::floors::TrimmedMessage;
use crate::limits::{FRAME_BYTES_MAX, FRAME_ENTRIES_MAX, ORIGINS_MAX, PULL_REQUEST_BYTES_MAX};
use crate::received_entry::ReceivedEntry;
use crate::version_vector::{VectorMessage, VersionVector};
use crate::wire::{self, WireError};

pub use floors::LogFloor;

const REQUEST: &str = "pull request";
const FRAME: &str = "pull frame";

/// Asks a peer for the logs of some origins, from where the asking node stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequest {
    /// What the asking node has.
    pub have: VersionVector,
    /// Whose logs it wants; any node can serve any origin's.
    pub origins: Vec<NodeId>,
    /// Which shards of them it wants; none named is all. A watermark of the answer
    /// speaks of these shards only.
    pub shards: Vec<ShardId>,
    /// Whether it wants nothing, and only says what it has: of logs that come to it by way
    /// of another node. The answer has no frame.
    pub tells_only: bool,
    /// Tells this run of the asking node from any other: within one, what it has only
    /// grows. 0 is said by nodes of an earlier version.
    pub life: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RequestMessage {
    #[prost(message, optional, tag = "1")]
    have: Option<VectorMessage>,
    #[prost(uint64, repeated, tag = "2")]
    origins: Vec<u64>,
    #[prost(uint32, repeated, tag = "3")]
    shards: Vec<u32>,
    #[prost(bool, tag = "4")]
    tells_only: bool,
    #[prost(fixed64, tag = "5")]
    life: u64,
}

impl PullRequest {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        RequestMessage {
            have: Some(self.have.to_message()),
            origins: self.origins.iter().map(|origin| origin.get()).collect(),
            shards: self.shards.iter().map(|shard| shard.get().into()).collect(),
            tells_only: self.tells_only,
            life: self.life,
        }
        .encode_to_vec()
    }

    /// Reads what [`PullRequest::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: RequestMessage = wire::decode(REQUEST, bytes, PULL_REQUEST_BYTES_MAX)?;
        if message.shards.len() > usize::from(SHARD_COUNT) {
            return Err(WireError::malformed(REQUEST, "too many shards"));
        }
        let shards = message.shards.into_iter().map(|shard| {
            let shard = u16::try_from(shard).ok().and_then(ShardId::new);
            shard.ok_or_else(|| WireError::malformed(REQUEST, "no shard"))
        });
        Ok(Self {
            have: VersionVector::from_message(message.have.unwrap_or_default())?,
            origins: origins(REQUEST, message.origins)?,
            shards: shards.collect::<Result<_, _>>()?,
            tells_only: message.tells_only,
            life: message.life,
        })
    }
}

fn origins(what: &'static str, numbers: Vec<u64>) -> Result<Vec<NodeId>, WireError> {
    if numbers.len() > ORIGINS_MAX {
        return Err(WireError::malformed(what, "too many origins"));
    }
    let numbers = numbers.into_iter();
    let origins = numbers.map(NodeId::new);
    let origins: Option<Vec<NodeId>> = origins.collect();
    origins.ok_or_else(|| WireError::malformed(what, "no origin"))
}

/// One frame of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullFrame {
    /// Entries, those of one log in order. At most [`FRAME_ENTRIES_MAX`], together
    /// within [`FRAME_BYTES_MAX`] bytes; a single entry always fits.
    Entries(Vec<ReceivedEntry>),
    /// Every entry of `origin` with a timestamp up to `through` has been sent.
    Watermark {
        /// Whose log.
        origin: NodeId,
        /// Until when.
        through: Hlc,
    },
    /// Of the origins that were asked for, those whose logs come to the answering node
    /// from the origins themselves, now: all others come to it by way of third nodes, or
    /// not at all. Holds until the next such frame.
    Hears(Vec<NodeId>),
    /// Of logs that were asked for, the beginnings are not here any more, and the asking
    /// node lacks some of them: it has to compare its documents instead. Those of one
    /// origin stand together. The last frame of its stream.
    Trimmed(Vec<LogFloor>),
}

#[derive(Clone, PartialEq, Message)]
struct FrameMessage {
    #[prost(oneof = "FrameKind", tags = "1, 2, 3, 4, 5")]
    kind: Option<FrameKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum FrameKind {
    #[prost(message, tag = "1")]
    Entries(EntriesMessage),
    #[prost(message, tag = "2")]
    Watermark(WatermarkMessage),
    #[prost(message, tag = "3")]
    Hears(HearsMessage),
    /// An [`EntriesMessage`], packed.
    #[prost(bytes, tag = "4")]
    Packed(Vec<u8>),
    #[prost(message, tag = "5")]
    Trimmed(TrimmedMessage),
}

#[derive(Clone, PartialEq, Message)]
struct HearsMessage {
    #[prost(uint64, repeated, tag = "1")]
    origins: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct EntriesMessage {
    #[prost(bytes = "vec", repeated, tag = "1")]
    entries: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct WatermarkMessage {
    #[prost(uint64, tag = "1")]
    origin: u64,
    #[prost(fixed64, tag = "2")]
    through: u64,
}

impl PullFrame {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Entries(entries) => {
                Self::encode_entries(entries.iter().map(|entry| entry.as_bytes().to_vec()))
            }
            Self::Watermark { origin, through } => encode(FrameKind::Watermark(WatermarkMessage {
                origin: origin.get(),
                through: through.as_u64(),
            })),
            Self::Hears(origins) => encode(FrameKind::Hears(HearsMessage {
                origins: origins.iter().map(|origin| origin.get()).collect(),
            })),
            Self::Trimmed(floors) => encode(FrameKind::Trimmed(TrimmedMessage::of(floors))),
        }
    }

    /// The bytes of a frame of entries that are encoded already, as they stand in
    /// the log: a node passes on what it does not need to read.
    #[must_use]
    pub fn encode_entries(entries: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
        let message = EntriesMessage {
            entries: entries.into_iter().collect(),
        };
        match packed::pack(&message.encode_to_vec()) {
            Some(packed) => encode(FrameKind::Packed(packed)),
            None => encode(FrameKind::Entries(message)),
        }
    }

    /// Reads what [`PullFrame::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also if one entry of the frame has no place in
    /// any log.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: FrameMessage = wire::decode(FRAME, bytes, FRAME_BYTES_MAX)?;
        match message.kind {
            None => Err(WireError::malformed(FRAME, "a kind that is not known here")),
            Some(FrameKind::Entries(message)) => message.read(),
            Some(FrameKind::Packed(packed)) => {
                let bytes = packed::unpack(FRAME, &packed, FRAME_BYTES_MAX)?;
                let message: EntriesMessage = wire::decode(FRAME, &bytes, FRAME_BYTES_MAX)?;
                message.read()
            }
            Some(FrameKind::Hears(message)) => Ok(Self::Hears(origins(FRAME, message.origins)?)),
            Some(FrameKind::Trimmed(message)) => Ok(Self::Trimmed(message.read(FRAME)?)),
            Some(FrameKind::Watermark(message)) => Ok(Self::Watermark {
                origin: NodeId::new(message.origin)
                    .ok_or_else(|| WireError::malformed(FRAME, "no origin"))?,
                through: Hlc::from_u64(message.through),
            }),
        }
    }
}

impl EntriesMessage {
    fn read(self) -> Result<PullFrame, WireError> {
        if self.entries.len() > FRAME_ENTRIES_MAX {
            return Err(WireError::malformed(FRAME, "too many entries"));
        }
        let entries = self.entries.into_iter().map(ReceivedEntry::decode);
        Ok(PullFrame::Entries(entries.collect::<Result<_, _>>()?))
    }
}

fn encode(kind: FrameKind) -> Vec<u8> {
    FrameMessage { kind: Some(kind) }.encode_to_vec()
}

#[cfg(test)]
mod tests;
