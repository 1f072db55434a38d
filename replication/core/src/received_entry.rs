//! An entry as it came from a peer: its envelope read strictly, its content as far as
//! it can be read, its bytes kept as they are.
//!
//! The envelope says where in whose log it stands; without it nothing can be done. A
//! content that this version cannot read is one listing's misfortune: the entry keeps
//! its place, goes on to other nodes byte for byte (also the fields that this version
//! does not know), and the rest of the log flows.

use meridian_regions::{Feature, FormatLevel, Genesis, Hlc, ListingId, NodeId, ShardId};

use crate::limits::{CHANGE_BYTES_MAX, LOG_ENTRY_BYTES_MAX};
use crate::log_entry::{EntryMessage, LogEntry};
use crate::summed::{ContentMessage, Place, later};
use crate::wire::{self, WireError};

const WHAT: &str = "log entry";

/// An entry of another node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEntry {
    /// The node where the change was made.
    pub origin: NodeId,
    /// The shard whose log it stands in.
    pub shard: ShardId,
    /// Place in the log of (origin, shard): from 1, without gaps.
    pub seq: u64,
    /// When the origin logged it.
    pub hlc: Hlc,
    /// What it says, or why that cannot be read.
    pub content: Result<EntryContent, WireError>,
    bytes: Vec<u8>,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryContent {
    /// The listing.
    pub listing: ListingId,
    /// The encoded change: bounded, and judged by [`crate::ListingDocument::apply`].
    pub change: Vec<u8>,
    /// Present in the entry that creates the listing; or why it cannot be read.
    pub genesis: Option<Result<Genesis, WireError>>,
}

impl ReceivedEntry {
    /// Reads the envelope, and the content as far as it can be read, of whatever level: for
    /// what stands in a log here.
    ///
    /// # Errors
    /// [`WireError`] for bytes that have no place in any log.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, WireError> {
        Self::decode_up_to(FormatLevel::REHEARSED, bytes)
    }

    /// The same, for what a peer sent, by a node that reads no later level than `latest`.
    ///
    /// # Errors
    /// [`WireError`] for bytes that have no place in any log.
    pub fn decode_up_to(latest: FormatLevel, bytes: Vec<u8>) -> Result<Self, WireError> {
        let message: EntryMessage = wire::decode(WHAT, &bytes, LOG_ENTRY_BYTES_MAX)?;
        let refused = |detail: &str| WireError::malformed(WHAT, detail);
        if message.seq == 0 {
            return Err(refused("sequence numbers begin at 1"));
        }
        let shard = u16::try_from(message.shard).ok().and_then(ShardId::new);
        let shard = shard.ok_or_else(|| refused("no such shard"))?;
        let place = Place {
            origin: NodeId::new(message.origin).ok_or_else(|| refused("no origin"))?,
            shard,
            seq: message.seq,
            hlc: Hlc::from_u64(message.hlc),
        };
        Ok(Self {
            origin: place.origin,
            shard,
            seq: place.seq,
            hlc: place.hlc,
            content: content(place, message, latest)
                .and_then(|said| EntryContent::read(shard, said)),
            bytes,
        })
    }

    /// The bytes that came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What an entry says, in the form of whichever level.
fn content(
    place: Place,
    message: EntryMessage,
    latest: FormatLevel,
) -> Result<ContentMessage, WireError> {
    match message.summed {
        Some(_) if !latest.has(Feature::SummedEntries) => Err(later(WHAT, Feature::SummedEntries)),
        Some(summed) => place.open(WHAT, &summed),
        None => Ok(ContentMessage {
            listing: message.listing,
            change: message.change,
            genesis: message.genesis,
        }),
    }
}

impl EntryContent {
    fn read(shard: ShardId, message: ContentMessage) -> Result<Self, WireError> {
        wire::within("change", message.change.len(), CHANGE_BYTES_MAX)?;
        let listing = ListingId::from_key(&message.listing)
            .map_err(|cause| WireError::malformed(WHAT, cause))?;
        if listing.shard() != shard {
            return Err(WireError::malformed(WHAT, "the shard is not the listing's"));
        }
        let genesis = message.genesis.map(|bytes| genesis(&listing, &bytes));
        Ok(Self {
            listing,
            change: message.change,
            genesis,
        })
    }
}

/// Reads the genesis record of a listing.
pub(crate) fn genesis(listing: &ListingId, bytes: &[u8]) -> Result<Genesis, WireError> {
    let genesis = Genesis::decode(bytes).map_err(|cause| WireError::malformed(WHAT, cause))?;
    if genesis.listing != *listing {
        let detail = "the genesis record is another listing's";
        return Err(WireError::malformed(WHAT, detail));
    }
    Ok(genesis)
}

/// As its origin would send it.
impl From<&LogEntry> for ReceivedEntry {
    fn from(entry: &LogEntry) -> Self {
        Self {
            origin: entry.origin,
            shard: entry.shard,
            seq: entry.seq,
            hlc: entry.hlc,
            content: Ok(EntryContent {
                listing: entry.listing.clone(),
                change: entry.change.clone(),
                genesis: entry.genesis.clone().map(Ok),
            }),
            bytes: entry.encode(),
        }
    }
}
