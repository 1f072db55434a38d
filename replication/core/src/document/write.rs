//! The one way a document is written here: everything in one change, or nothing.

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{Automerge, AutomergeError, ReadDoc, ScalarValue, Value};
use meridian_regions::{NodeId, UnixNanos};

use super::genesis::Container;
use super::read::Registers;
use super::register::Register;
use super::{Health, ListingDocument};
use super::{standing, text};
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
    /// Other values are in conflict than those that were shown.
    #[error("other values are in conflict than those that were shown")]
    Changed {
        /// Entity tag of the conflicts now.
        current: String,
    },
    /// Somebody has decided to keep the listing since its deletion began.
    #[error("somebody has decided to keep the listing meanwhile")]
    Kept,
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
        "the history of the listing is {bytes} bytes, and above {DOCUMENT_BYTES_MAX} it takes no edits. It does again once it has begun anew: resolve its conflicts, and have every node up for that"
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

/// What is read while a change is made, because what it writes depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reads {
    pub(super) point: bool,
    pub(super) price: bool,
    pub(super) stays: bool,
    pub(super) description: bool,
}

impl Reads {
    pub(super) const EVERYTHING: Self = Self {
        point: true,
        price: true,
        stays: true,
        description: true,
    };

    fn registers(self) -> impl Iterator<Item = Register> {
        let reads = [
            (self.point, Register::Point),
            (self.price, Register::NightlyPrice),
            (self.stays, Register::MinStay),
            (self.stays, Register::MaxStay),
        ];
        let reads = reads.into_iter().filter(|(is_read, _)| *is_read);
        reads.map(|(_, register)| register)
    }
}

/// A change in the making.
pub(super) struct Writer<'a> {
    transaction: Transaction<'a>,
    reads: Reads,
    disputes: Disputes,
    at: UnixNanos,
}

/// What is shown of that on which people disagree. Only a whole document can tell, and
/// none is at hand while it is written to: so what the change reads is looked up before.
struct Disputes {
    registers: Vec<(Register, ScalarValue)>,
    description: Option<String>,
}

impl Disputes {
    fn of(document: &Automerge, reads: Reads) -> Self {
        let disputed = reads
            .registers()
            .filter(|register| standing::is_disputed(document, *register));
        let description = reads.description.then(|| text::disputed(document));
        Self {
            registers: disputed
                .filter_map(|register| Some((register, standing::shown(document, register)?)))
                .collect(),
            description: description.flatten(),
        }
    }
}

impl Registers for Writer<'_> {
    fn shown(&self, register: Register) -> Option<ScalarValue> {
        debug_assert!(
            self.reads.registers().any(|read| read == register),
            "{register:?} is read by a change that did not say so"
        );
        let mut disputed = self.disputes.registers.iter();
        if let Some((_, shown)) = disputed.find(|(disputed, _)| *disputed == register) {
            return Some(shown.clone());
        }
        let held = self
            .transaction
            .get(register.container().id(), register.key());
        match held.ok()??.0 {
            Value::Scalar(value) => Some(value.into_owned()),
            Value::Object(_) => None,
        }
    }
}

impl<'a> Writer<'a> {
    /// Writes a register. The value that it shows already is not written again,
    /// unless others are in conflict with it: then it is written anew, because who writes
    /// at the same time, having seen the conflict too, disagrees with this writer.
    pub(super) fn put(
        &mut self,
        register: Register,
        value: impl Into<ScalarValue>,
    ) -> Result<(), EditError> {
        let (map, key) = (register.container(), register.key());
        if self.transaction.get_all(map.id(), key)?.len() > 1 {
            self.rewrite(register, value.into())?;
        } else {
            self.transaction.put(map.id(), key, value)?;
        }
        let disputed = &mut self.disputes.registers;
        disputed.retain(|(disputed, _)| *disputed != register);
        Ok(())
    }

    /// Writes a register anew, whatever it holds: who has not seen this change disagrees.
    pub(super) fn rewrite(
        &mut self,
        register: Register,
        value: ScalarValue,
    ) -> Result<(), EditError> {
        self.assert(register.container(), register.key(), value)
    }

    /// What the description shows if people disagree on it. It is asked once: whoever asks
    /// ends the disagreement.
    pub(super) fn take_disputed_description(&mut self) -> Option<String> {
        debug_assert!(self.reads.description, "a change did not say so");
        self.disputes.description.take()
    }

    /// When the change is made.
    pub(super) const fn at(&self) -> UnixNanos {
        self.at
    }

    /// Writes null to a register that holds something.
    pub(super) fn clear(&mut self, register: Register) -> Result<(), EditError> {
        let held = self
            .transaction
            .get(register.container().id(), register.key())?;
        if held.is_some() {
            self.put(register, ScalarValue::Null)?;
        }
        Ok(())
    }

    /// The document as it is with what has been written so far.
    pub(super) fn document(&mut self) -> &mut Transaction<'a> {
        &mut self.transaction
    }

    fn end(self) -> Transaction<'a> {
        self.transaction
    }

    /// Adds to a map, so that the addition stands even if someone removes the key
    /// at the same time: a value that is there already is written anew.
    pub(super) fn assert(
        &mut self,
        map: Container,
        key: &str,
        value: ScalarValue,
    ) -> Result<(), EditError> {
        let document = &mut self.transaction;
        if document.get(map.id(), key)?.is_some() {
            document.delete(map.id(), key)?;
        }
        document.put(map.id(), key, value)?;
        Ok(())
    }
}

impl ListingDocument {
    /// Makes one change of what `work` writes, which reads no more than `reads` says, unless the
    /// history is longer than `bytes_max`: [`DOCUMENT_BYTES_MAX`], and [`DECIDED_BYTES_MAX`] for
    /// what ends a dispute or the listing. `None` if it writes nothing.
    ///
    /// [`DECIDED_BYTES_MAX`]: crate::limits::DECIDED_BYTES_MAX
    pub(super) fn write(
        &mut self,
        bytes_max: u64,
        (actor, at): (NodeId, UnixNanos),
        message: &str,
        reads: Reads,
        work: impl FnOnce(&mut Writer<'_>) -> Result<(), EditError>,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.sound().map_err(|_poisoned| EditError::Poisoned)?;
        let bytes = self.history.bytes();
        if bytes > bytes_max {
            return Err(EditError::DocumentFull { bytes });
        }
        // Whatever unwinds through here leaves a document that must be reloaded.
        self.health = Health::Poisoned;
        let generation = self.generation();
        let automerge = self.body.get_mut();
        automerge.set_actor(actor::of_node(actor, generation));
        let disputes = Disputes::of(automerge, reads);
        let mut writer = Writer {
            transaction: automerge.transaction(),
            reads,
            disputes,
            at,
        };
        let worked = work(&mut writer).and_then(|()| within_bounds(&writer.transaction));
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
pub(super) fn last_change(automerge: &Automerge) -> Result<automerge::Change, EditError> {
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
