//! A document as it is stored: a snapshot, and the changes appended since.
//!
//! Snapshots stay on the node that made them: a peer is sent changes, never a
//! snapshot. A hash over the whole therefore suffices to keep damaged bytes from
//! the library; what it unfolds to was bounded when its changes came in.
//!
//! Layout: a version byte, 32 bytes of BLAKE3 over the rest, a protobuf message.

use automerge::{Automerge, Change, LoadOptions, SaveOptions};
use meridian_regions::ListingId;
use prost::Message;

use super::batch::Batch;
use super::contain::contain;
use super::genesis::TEXT_ENCODING;
use super::history::History;
use super::intake::ApplyError;
use super::renewal::{Base, BaseMessage, FormerMessage, Kept};
use super::waiting::Waiting;
use super::{Health, ListingDocument, creation};
use crate::change::{self, ChangeError};
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::wire::{self, WireError};

const WHAT: &str = "snapshot";
const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;

/// Why a stored document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The snapshot is none.
    #[error(transparent)]
    Snapshot(#[from] WireError),
    /// The snapshot is not what was written.
    #[error("a damaged snapshot: its hash does not match")]
    Damaged,
    /// The snapshot is another listing's.
    #[error("a snapshot of {found} where one of {expected} was expected")]
    Listing {
        /// The listing that was asked for.
        expected: ListingId,
        /// The listing that it is of.
        found: ListingId,
    },
    /// A stored change cannot be read.
    #[error("stored change number {index}: {error}")]
    Change {
        /// Its place in the stored changes, from 0.
        index: usize,
        /// Why not.
        error: ChangeError,
    },
    /// The Automerge library does not take what was stored.
    #[error("the stored document cannot be put together: {0}")]
    Library(String),
}

#[derive(Clone, PartialEq, Message)]
struct SnapshotMessage {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    document: Vec<u8>,
    #[prost(uint64, tag = "3")]
    change_bytes: u64,
    #[prost(bytes = "vec", repeated, tag = "4")]
    waiting: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    base: Option<BaseMessage>,
    #[prost(message, optional, tag = "6")]
    former: Option<FormerMessage>,
}

impl ListingDocument {
    /// Reads a document back: its latest snapshot, if there is one, and the changes
    /// stored since, in any order. Changes that the snapshot holds already, and those
    /// that [`ListingDocument::apply`] would refuse for anything but their bytes, are
    /// passed over, as they were when they came.
    ///
    /// # Errors
    /// [`LoadError`] for bytes that cannot have been written by this node.
    pub fn load<'a>(
        id: &ListingId,
        snapshot: Option<&[u8]>,
        changes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, LoadError> {
        let mut document = match snapshot {
            Some(bytes) => read(id, bytes)?,
            None => Self::empty(id),
        };
        let changes = changes.into_iter().enumerate().map(|(index, bytes)| {
            change::decode(bytes).map_err(|error| LoadError::Change { index, error })
        });
        let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
        // What comes of those of the former document is part of this one, and others may stand
        // on it.
        let (of_former, changes) = changes
            .into_iter()
            .partition(|change| document.is_of_former(change));
        document.take_former_again(of_former).map_err(broken)?;
        document.readmit(changes)?;
        // A version that knew no markers may have stored one.
        let refused = document.renew();
        refused.map_err(broken)?;
        // It was told when it was stored.
        let _told = document.take_news();
        Ok(document)
    }

    /// The whole document, waiting changes included, for [`ListingDocument::load`].
    /// It makes every change stored before it superfluous.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let options = SaveOptions {
            // The store compresses blocks of many documents, which is denser.
            deflate: false,
            retain_orphans: false,
        };
        let message = SnapshotMessage {
            listing: self.id.to_key(),
            document: self.body.get().save_with_options(options),
            change_bytes: self.history.bytes(),
            waiting: self
                .waiting
                .iter()
                .map(|change| change.raw_bytes().to_vec())
                .collect(),
            base: self.base.as_ref().map(|base| base.to_message()),
            former: self.former.as_ref().map(|former| former.to_message()),
        }
        .encode_to_vec();
        let mut snapshot = Vec::with_capacity(1 + HASH_BYTES + message.len());
        snapshot.push(VERSION);
        snapshot.extend_from_slice(blake3::hash(&message).as_bytes());
        snapshot.extend_from_slice(&message);
        snapshot
    }

    fn readmit(&mut self, changes: Vec<Change>) -> Result<(), LoadError> {
        let mut batch = Batch::new(&self.history);
        for change in changes {
            if batch.is_empty() && self.waiting.len() == 0 && creation::is_plain(self, &change) {
                self.found(change);
                batch = Batch::new(&self.history);
                continue;
            }
            // Refused then, refused now: whoever took it in has quarantined it.
            let _ = self.admit(change, &mut batch);
        }
        self.sound().map_err(broken)?;
        let before = Some(self.body.clone());
        self.commit(batch, before).map_err(broken)?;
        Ok(())
    }
}

fn broken(error: ApplyError) -> LoadError {
    LoadError::Library(error.to_string())
}

/// Reads a snapshot without the changes that were stored since.
pub(super) fn read(id: &ListingId, bytes: &[u8]) -> Result<ListingDocument, LoadError> {
    wire::within(WHAT, bytes.len(), SNAPSHOT_BYTES_MAX)?;
    let Some((&VERSION, rest)) = bytes.split_first() else {
        return Err(WireError::malformed(WHAT, "a version that is not known here").into());
    };
    let Some((hash, message)) = rest.split_first_chunk::<HASH_BYTES>() else {
        return Err(WireError::malformed(WHAT, "cut short").into());
    };
    if blake3::hash(message) != *hash {
        return Err(LoadError::Damaged);
    }
    let message: SnapshotMessage = wire::decode(WHAT, message, SNAPSHOT_BYTES_MAX)?;
    let found =
        ListingId::from_key(&message.listing).map_err(|cause| WireError::malformed(WHAT, cause))?;
    if found != *id {
        return Err(LoadError::Listing {
            expected: id.clone(),
            found,
        });
    }
    let options = LoadOptions::new().text_encoding(TEXT_ENCODING);
    let automerge = contain(|| Automerge::load_with_options(&message.document, options))
        .map_err(|_panicked| LoadError::Library("the library panicked".to_owned()))?
        .map_err(|cause| LoadError::Library(cause.to_string()))?;
    let base = message.base.as_ref().map(Base::from_message).transpose()?;
    let history = History::of(&automerge, message.change_bytes);
    let former = message.former.zip(base.as_ref());
    let former = former.map(|(former, base)| {
        let kept = Kept::stored(former, id, base, &automerge)?;
        Ok::<_, LoadError>(Box::new(kept))
    });
    let former = former.transpose()?;
    let mut document = ListingDocument {
        id: found,
        body: automerge.into(),
        waiting: Waiting::default(),
        history,
        health: Health::Sound,
        base: base.map(Box::new),
        former,
    };
    let waiting = message.waiting.iter().enumerate().map(|(index, bytes)| {
        change::decode(bytes).map_err(|error| LoadError::Change { index, error })
    });
    document.readmit(waiting.collect::<Result<_, _>>()?)?;
    Ok(document)
}
