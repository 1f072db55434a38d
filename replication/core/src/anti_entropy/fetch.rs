//! What travels when a replica fetches what it lacks of documents.
//!
//! Changes, never snapshots: what comes from a peer is bounded and judged one change at a
//! time, as it is when it comes by a log (see the crate's documentation).

use meridian_regions::{Genesis, Hlc, ListingId, NodeId, UnixNanos};
use prost::Message;

use super::{ANSWER, REQUEST};
use crate::change::made_at;
use crate::heads::ChangeId;
use crate::limits::{
    CHANGE_BYTES_MAX, FETCHED_CHANGES_MAX, FETCHED_DOCUMENTS_MAX, HAVE_CHANGES_MAX, ORIGINS_MAX,
    RENEWAL_BYTES_MAX,
};
use crate::wire::{self, WireError};

/// Bytes of a change's name.
const ID_BYTES: usize = 32;

/// Asks for what is missing of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The listing.
    pub listing: ListingId,
    /// Some of the changes that are here, see [`crate::ListingDocument::have`]; none if
    /// there is no document.
    pub have: Vec<ChangeId>,
}

/// What is missing of some documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// In the order of the question; the last of them may be left out, to be asked for
    /// again.
    pub documents: Vec<FetchedDocument>,
    /// Through when the replica that answers has seen the writes of each node, with these
    /// documents: who shows them has seen as much (invariant 5 of the architecture).
    pub seen: Vec<(NodeId, Hlc)>,
}

/// What is missing of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDocument {
    /// The listing.
    pub listing: ListingId,
    /// Encoded changes, each behind those that it depends on.
    pub changes: Vec<Vec<u8>>,
    /// The listing's genesis record, if it is known there; or why it cannot be read.
    pub genesis: Option<Result<Genesis, WireError>>,
    /// How many more changes there are, to be asked for again.
    pub left: u64,
    /// Where the document begins there, if who asks cannot know: bounded, and judged by
    /// [`crate::ListingDocument::take_beginning`].
    pub beginning: Option<Vec<u8>>,
}

impl FetchedDocument {
    /// When the change was made that came last to the replica that answers, by its author's
    /// clock; `None` if there is none that can be read.
    #[must_use]
    pub fn last_made_at(&self) -> Option<UnixNanos> {
        made_at(self.changes.last()?)
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FetchMessage {
    #[prost(message, repeated, tag = "1")]
    wants: Vec<WantMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct WantMessage {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    /// 32 bytes for each.
    #[prost(bytes = "vec", tag = "2")]
    have: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FetchedMessage {
    #[prost(message, repeated, tag = "1")]
    documents: Vec<DocumentMessage>,
    #[prost(message, repeated, tag = "2")]
    seen: Vec<SeenMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct DocumentMessage {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    changes: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    genesis: Option<Vec<u8>>,
    #[prost(uint64, tag = "4")]
    left: u64,
    #[prost(bytes = "vec", optional, tag = "5")]
    beginning: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct SeenMessage {
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(fixed64, tag = "2")]
    hlc: u64,
}

pub(super) fn wants_to_message(wants: &[Want]) -> FetchMessage {
    let wants = wants.iter().map(|want| WantMessage {
        listing: want.listing.to_key(),
        have: want.have.iter().flat_map(|id| *id.as_bytes()).collect(),
    });
    FetchMessage {
        wants: wants.collect(),
    }
}

pub(super) fn wants_from_message(message: FetchMessage) -> Result<Vec<Want>, WireError> {
    let refused = |detail: &str| WireError::malformed(REQUEST, detail);
    if message.wants.len() > FETCHED_DOCUMENTS_MAX {
        return Err(refused("too many documents"));
    }
    let wants = message.wants.into_iter().map(|want| {
        let count = want.have.len() / ID_BYTES;
        if !want.have.len().is_multiple_of(ID_BYTES) || count > HAVE_CHANGES_MAX {
            return Err(refused("names of changes that are none, or too many"));
        }
        let ids = want.have.chunks_exact(ID_BYTES);
        Ok(Want {
            listing: listing(REQUEST, &want.listing)?,
            have: ids.filter_map(ChangeId::from_slice).collect(),
        })
    });
    wants.collect()
}

impl Fetched {
    pub(super) fn to_message(&self) -> FetchedMessage {
        let documents = self.documents.iter().map(|document| DocumentMessage {
            listing: document.listing.to_key(),
            changes: document.changes.clone(),
            genesis: match &document.genesis {
                Some(Ok(genesis)) => Some(genesis.encode()),
                Some(Err(_)) | None => None,
            },
            left: document.left,
            beginning: document.beginning.clone(),
        });
        let seen = self.seen.iter().map(|(node, hlc)| SeenMessage {
            node: node.get(),
            hlc: hlc.as_u64(),
        });
        FetchedMessage {
            documents: documents.collect(),
            seen: seen.collect(),
        }
    }

    pub(super) fn from_message(message: FetchedMessage) -> Result<Self, WireError> {
        let refused = |detail: &str| WireError::malformed(ANSWER, detail);
        if message.documents.len() > FETCHED_DOCUMENTS_MAX || message.seen.len() > ORIGINS_MAX {
            return Err(refused("too many documents or nodes"));
        }
        let seen = message.seen.into_iter().map(|seen| {
            let node = NodeId::new(seen.node).ok_or_else(|| refused("no node"))?;
            Ok((node, Hlc::from_u64(seen.hlc)))
        });
        let documents = message.documents.into_iter().map(document);
        Ok(Self {
            documents: documents.collect::<Result<_, _>>()?,
            seen: seen.collect::<Result<_, WireError>>()?,
        })
    }
}

fn document(message: DocumentMessage) -> Result<FetchedDocument, WireError> {
    if message.changes.len() > FETCHED_CHANGES_MAX {
        return Err(WireError::malformed(ANSWER, "too many changes"));
    }
    for change in &message.changes {
        wire::within("change", change.len(), CHANGE_BYTES_MAX)?;
    }
    if let Some(beginning) = &message.beginning {
        wire::within("beginning", beginning.len(), RENEWAL_BYTES_MAX)?;
    }
    let listing = listing(ANSWER, &message.listing)?;
    let genesis = message
        .genesis
        .map(|bytes| crate::received_entry::genesis(&listing, &bytes));
    Ok(FetchedDocument {
        listing,
        changes: message.changes,
        genesis,
        left: message.left,
        beginning: message.beginning,
    })
}

fn listing(what: &'static str, key: &[u8]) -> Result<ListingId, WireError> {
    ListingId::from_key(key).map_err(|cause| WireError::malformed(what, cause))
}
