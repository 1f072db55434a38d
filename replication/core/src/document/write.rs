//! The one way a document is written here: everything in one change, or nothing.

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{Automerge, AutomergeError, ReadDoc, ScalarValue};
use meridian_regions::{NodeId, UnixNanos};

use super::genesis::Container;
use super::register::Register;
use super::{Health, ListingDocument};
use crate::actor;
use crate::change::EncodedChange;
use crate::field_error::FieldError;
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX, DOCUMENT_BYTES_MAX};

/// Why a listing is not edited. Nothing has been changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The change that creates the listing has not arrived here.
    #[error("the listing has not been created, or its creation has not arrived here")]
    Uncreated,
    /// The listing has been deleted.
    #[error("the listing has been deleted")]
    Deleted,
    /// The request does not fit the listing as it is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The edit would make a change larger than a change may be.
    #[error(
        "the edit is too large for one change: {CHANGE_BYTES_MAX} bytes, {CHANGE_OPS_MAX} operations"
    )]
    TooLarge,
    /// The listing has too long a history to be edited further.
    #[error(
        "the history of the listing is {bytes} bytes: above {DOCUMENT_BYTES_MAX} it takes no edits"
    )]
    DocumentFull {
        /// Its size.
        bytes: u64,
    },
    /// The document was interrupted half-way: drop it and load it again.
    #[error("the document was interrupted half-way and must be loaded again")]
    Poisoned,
    /// The Automerge library refused an operation.
    #[error("the document does not take the edit: {0}")]
    Library(String),
}

impl From<AutomergeError> for EditError {
    fn from(cause: AutomergeError) -> Self {
        Self::Library(cause.to_string())
    }
}

/// A change in the making.
pub(super) struct Writer<'a>(Transaction<'a>);

impl<'a> Writer<'a> {
    /// Writes a register. The value that it shows already is not written again,
    /// unless others are in conflict with it.
    pub(super) fn put(
        &mut self,
        register: Register,
        value: impl Into<ScalarValue>,
    ) -> Result<(), EditError> {
        self.0
            .put(register.container().id(), register.key(), value)?;
        Ok(())
    }

    /// Writes null to a register that holds something.
    pub(super) fn clear(&mut self, register: Register) -> Result<(), EditError> {
        let held = self.0.get(register.container().id(), register.key())?;
        if held.is_some() {
            self.put(register, ScalarValue::Null)?;
        }
        Ok(())
    }

    /// The document as it is with what has been written so far.
    pub(super) fn document(&mut self) -> &mut Transaction<'a> {
        &mut self.0
    }

    fn end(self) -> Transaction<'a> {
        self.0
    }

    /// Adds to a map, so that the addition stands even if someone removes the key
    /// at the same time: a value that is there already is written anew.
    pub(super) fn assert(
        &mut self,
        map: Container,
        key: &str,
        value: ScalarValue,
    ) -> Result<(), EditError> {
        if self.0.get(map.id(), key)?.is_some() {
            self.0.delete(map.id(), key)?;
        }
        self.0.put(map.id(), key, value)?;
        Ok(())
    }
}

impl ListingDocument {
    /// Makes one change of what `work` writes. `None` if it writes nothing.
    pub(super) fn write(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        message: &str,
        work: impl FnOnce(&mut Writer<'_>) -> Result<(), EditError>,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.sound().map_err(|_poisoned| EditError::Poisoned)?;
        let bytes = self.history.bytes();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(EditError::DocumentFull { bytes });
        }
        // Whatever unwinds through here leaves a document that must be reloaded.
        self.health = Health::Poisoned;
        let automerge = self.body.get_mut();
        automerge.set_actor(actor::of_node(actor));
        let mut writer = Writer(automerge.transaction());
        let worked = work(&mut writer).and_then(|()| within_bounds(&writer.0));
        let transaction = writer.end();
        if let Err(error) = worked {
            transaction.rollback();
            self.health = Health::Sound;
            return Err(error);
        }
        let options = CommitOptions::default()
            .with_message(message)
            .with_time(millis(at));
        let (hash, _patches) = transaction.commit_with(options);
        let change = hash.map(|_| last_change(self.body.get())).transpose()?;
        self.health = Health::Sound;
        Ok(change.map(|change| {
            self.history.add(&change);
            EncodedChange::of(&change)
        }))
    }
}

fn within_bounds(transaction: &Transaction<'_>) -> Result<(), EditError> {
    if transaction.pending_ops() as u64 > CHANGE_OPS_MAX {
        return Err(EditError::TooLarge);
    }
    Ok(())
}

/// The change that was just made. One too large cannot be undone any more, so that
/// its document stays poisoned; the bounds of fields leave no way to come here.
fn last_change(automerge: &Automerge) -> Result<automerge::Change, EditError> {
    let change = automerge
        .get_last_local_change()
        .expect("a change has just been made");
    if change.raw_bytes().len() > CHANGE_BYTES_MAX {
        return Err(EditError::TooLarge);
    }
    Ok(change)
}

/// Milliseconds since 1970, as documents hold them.
pub(super) fn millis(at: UnixNanos) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// An instant as the value of a register.
pub(super) fn instant(at: UnixNanos) -> ScalarValue {
    ScalarValue::Timestamp(millis(at))
}
