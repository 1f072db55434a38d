//! The messages of a pull stream.
//!
//! A node asks a peer for what it lacks ([`PullRequest`]); the peer answers with
//! frames for as long as the stream stands: entries in the order of each log,
//! watermarks that say how far an origin's time has been told completely, which origins
//! it hears itself, and which logs it has trimmed. Entries travel packed where that is shorter.

mod floors;
mod followed;
mod packed;

use meridian_regions::{Feature, FormatLevel, Hlc, NodeId, Shards};
use prost::{Message, Oneof};

use self::floors::TrimmedMessage;
use crate::limits::{FRAME_BYTES_MAX, FRAME_ENTRIES_MAX, ORIGINS_MAX, PULL_REQUEST_BYTES_MAX};
use crate::received_entry::ReceivedEntry;
use crate::summed::{SummedFrame, later};
use crate::version_vector::{VectorMessage, VersionVector};
use crate::wire::{self, WireError};

pub use floors::LogFloor;
pub use followed::FollowedEntry;

const REQUEST: &str = "pull request";
const FRAME: &str = "pull frame";

/// Asks a peer for the logs of some origins, from where the asking node stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequest {
    /// What the asking node has.
    pub have: VersionVector,
    /// Whose logs it wants; any node can serve any origin's.
    pub origins: Vec<NodeId>,
    /// Which shards it wants of each of them, in the same order. Empty in the request of a
    /// node of an earlier version: it wants all, and takes every watermark to speak of all.
    pub shards: Vec<Shards>,
    /// Whether it wants nothing, and only says what it has: of logs that come to it by way
    /// of another node. The answer has no frame.
    pub tells_only: bool,
    /// Tells this run of the asking node from any other: within one, what it has only
    /// grows. 0 is said by nodes of an earlier version.
    pub life: u64,
    /// Stands for where the asking node believes listings to be held; 0 if it does not say.
    pub holdings: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RequestMessage {
    #[prost(message, optional, tag = "1")]
    have: Option<VectorMessage>,
    #[prost(uint64, repeated, tag = "2")]
    origins: Vec<u64>,
    // Tag 3 was one list of shards for all origins, which nobody has ever sent.
    #[prost(bool, tag = "4")]
    tells_only: bool,
    #[prost(fixed64, tag = "5")]
    life: u64,
    #[prost(fixed64, repeated, tag = "6")]
    shards: Vec<u64>,
    #[prost(fixed64, tag = "7")]
    holdings: u64,
}

impl PullRequest {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        RequestMessage {
            have: Some(self.have.to_message()),
            origins: self.origins.iter().map(|origin| origin.get()).collect(),
            shards: self.shards.iter().map(|shards| shards.bits()).collect(),
            tells_only: self.tells_only,
            life: self.life,
            holdings: self.holdings,
        }
        .encode_to_vec()
    }

    /// Reads what [`PullRequest::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: RequestMessage = wire::decode(REQUEST, bytes, PULL_REQUEST_BYTES_MAX)?;
        let shards = message.shards;
        if !shards.is_empty() && shards.len() != message.origins.len() {
            return Err(WireError::malformed(REQUEST, "shards of other origins"));
        }
        Ok(Self {
            have: VersionVector::from_message(message.have.unwrap_or_default())?,
            origins: origins(REQUEST, message.origins)?,
            shards: shards.into_iter().map(Shards::from_bits).collect(),
            tells_only: message.tells_only,
            life: message.life,
            holdings: message.holdings,
        })
    }

    /// What it wants of each log.
    #[must_use]
    pub fn wanted(&self) -> Vec<(NodeId, Shards)> {
        let shards = self.shards.iter().copied();
        let shards = shards.chain(std::iter::repeat(Shards::ALL));
        self.origins.iter().copied().zip(shards).collect()
    }

    /// Whether the asking node understands answers about some shards of a log.
    #[must_use]
    pub fn knows_shards(&self) -> bool {
        !self.shards.is_empty()
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
    /// Every entry of `origin` in some shards with a timestamp up to `through` has been
    /// sent, and whatever else the answering node has of them.
    Watermark {
        /// Whose log.
        origin: NodeId,
        /// Until when; 0 if the answering node cannot tell.
        through: Hlc,
        /// Of which shards.
        shards: Shards,
        /// Those of them that the answering node serves: it holds them, and has what was
        /// there before it did.
        whole: Shards,
    },
    /// Of the logs that were asked for, what comes to the answering node from the origins
    /// themselves, now: all else comes to it by way of third nodes, or not at all. Holds
    /// until the next such frame.
    Hears(Vec<(NodeId, Shards)>),
    /// Of logs that were asked for, the beginnings are not here any more, and the asking
    /// node lacks some of them: it has to compare its documents instead. Those of one
    /// origin stand together. The last frame of its stream.
    Trimmed(Vec<LogFloor>),
}

#[derive(Clone, PartialEq, Message)]
struct FrameMessage {
    #[prost(oneof = "FrameKind", tags = "1, 2, 3, 4, 5, 6")]
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
    /// From level 3 on: a frame of entries, behind its checksum.
    #[prost(message, tag = "6")]
    Summed(SummedFrame),
}

#[derive(Clone, PartialEq, Message)]
struct HearsMessage {
    #[prost(uint64, repeated, tag = "1")]
    origins: Vec<u64>,
    /// In the same order; absent: all.
    #[prost(fixed64, repeated, tag = "2")]
    shards: Vec<u64>,
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
    /// Absent: all, and both nodes hold everything.
    #[prost(fixed64, optional, tag = "3")]
    shards: Option<u64>,
    #[prost(fixed64, tag = "4")]
    whole: u64,
}

impl PullFrame {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Entries(entries) => {
                Self::encode_entries(entries.iter().map(|entry| entry.as_bytes().to_vec()))
            }
            Self::Watermark {
                origin,
                through,
                shards,
                whole,
            } => encode(FrameKind::Watermark(WatermarkMessage {
                origin: origin.get(),
                through: through.as_u64(),
                shards: Some(shards.bits()),
                whole: whole.bits(),
            })),
            Self::Hears(heard) => encode(FrameKind::Hears(HearsMessage {
                origins: heard.iter().map(|(origin, _)| origin.get()).collect(),
                shards: heard.iter().map(|(_, shards)| shards.bits()).collect(),
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

    /// The same at the level that is active.
    #[must_use]
    pub fn encode_entries_at(
        level: FormatLevel,
        entries: impl IntoIterator<Item = Vec<u8>>,
    ) -> Vec<u8> {
        let frame = Self::encode_entries(entries);
        if !level.has(Feature::SummedFrames) {
            return frame;
        }
        encode(FrameKind::Summed(SummedFrame::of(frame)))
    }

    /// Reads what [`PullFrame::encode`] wrote at the latest level of this release.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also if one entry of the frame has no place in
    /// any log.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        Self::decode_up_to(FormatLevel::LATEST, bytes)
    }

    /// The same, by a node that reads no later level than `latest`.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode_up_to(latest: FormatLevel, bytes: &[u8]) -> Result<Self, WireError> {
        let message: FrameMessage = wire::decode(FRAME, bytes, FRAME_BYTES_MAX)?;
        let Some(FrameKind::Summed(summed)) = message.kind else {
            return message.read(latest);
        };
        if !latest.has(Feature::SummedFrames) {
            return Err(later(FRAME, Feature::SummedFrames));
        }
        let frame = summed.open(FRAME)?;
        let message: FrameMessage = wire::decode(FRAME, &frame, FRAME_BYTES_MAX)?;
        message.read(latest)
    }
}

impl FrameMessage {
    fn read(self, latest: FormatLevel) -> Result<PullFrame, WireError> {
        match self.kind {
            None => Err(WireError::malformed(FRAME, "a kind that is not known here")),
            Some(FrameKind::Summed(_)) => Err(WireError::malformed(FRAME, "a frame in a frame")),
            Some(FrameKind::Entries(message)) => message.read(latest),
            Some(FrameKind::Packed(packed)) => {
                let bytes = packed::unpack(FRAME, &packed, FRAME_BYTES_MAX)?;
                let message: EntriesMessage = wire::decode(FRAME, &bytes, FRAME_BYTES_MAX)?;
                message.read(latest)
            }
            Some(FrameKind::Hears(message)) => message.read(),
            Some(FrameKind::Watermark(message)) => message.read(),
            Some(FrameKind::Trimmed(message)) => Ok(PullFrame::Trimmed(message.read(FRAME)?)),
        }
    }
}

impl HearsMessage {
    fn read(self) -> Result<PullFrame, WireError> {
        if !self.shards.is_empty() && self.shards.len() != self.origins.len() {
            return Err(WireError::malformed(FRAME, "shards of other origins"));
        }
        let shards = self.shards.into_iter().map(Shards::from_bits);
        let shards = shards.chain(std::iter::repeat(Shards::ALL));
        let origins = origins(FRAME, self.origins)?;
        Ok(PullFrame::Hears(origins.into_iter().zip(shards).collect()))
    }
}

impl WatermarkMessage {
    fn read(self) -> Result<PullFrame, WireError> {
        let origin = NodeId::new(self.origin);
        let told = self.shards.map(|shards| (shards, self.whole));
        let (shards, whole) = told.unwrap_or((Shards::ALL.bits(), Shards::ALL.bits()));
        Ok(PullFrame::Watermark {
            origin: origin.ok_or_else(|| WireError::malformed(FRAME, "no origin"))?,
            through: Hlc::from_u64(self.through),
            shards: Shards::from_bits(shards),
            whole: Shards::from_bits(whole),
        })
    }
}

impl EntriesMessage {
    fn read(self, latest: FormatLevel) -> Result<PullFrame, WireError> {
        if self.entries.len() > FRAME_ENTRIES_MAX {
            return Err(WireError::malformed(FRAME, "too many entries"));
        }
        let entries = self.entries.into_iter();
        let entries = entries.map(|bytes| ReceivedEntry::decode_up_to(latest, bytes));
        Ok(PullFrame::Entries(entries.collect::<Result<_, _>>()?))
    }
}

fn encode(kind: FrameKind) -> Vec<u8> {
    FrameMessage { kind: Some(kind) }.encode_to_vec()
}

#[cfg(test)]
mod tests;
