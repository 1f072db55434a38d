//! Ending a conflict: somebody who has seen its values chooses one of them.
//!
//! The choice is an ordinary change that overwrites every value that was shown. Two who
//! choose at the same time are in conflict again, unless they have chosen the same. The
//! change says in its message what was chosen, so that the same choice sent twice is
//! written once.

use automerge::{Automerge, ChangeHash, ScalarValue};
use meridian_regions::{NodeId, UnixNanos};

use super::conflicts::{Conflict, DELETED, DESCRIPTION};
use super::deletion::{Decision, Deletions, Keeps};
use super::register::Register;
use super::standing::{self, Written};
use super::write::{EditError, Reads, instant};
use super::{Lifecycle, ListingDocument, deletion, text};
use crate::change::EncodedChange;
use crate::field_error::FieldError;
use crate::heads::ChangeId;
use crate::limits::DECIDED_BYTES_MAX;

/// What the message of a choice begins with; the field and the value follow.
const RESOLVE: &str = "resolve ";

/// Which of the values of a field in conflict is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// [`Conflict::field`].
    pub field: String,
    /// [`super::ConflictingValue::hash`] of the value.
    pub choose: ChangeId,
    /// [`Conflict::etag`] of the conflicts that were shown, any of these; `None` to choose
    /// whatever they are.
    pub seen: Option<Vec<String>>,
}

/// Whether a decision that stands already is written once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: it stands.
    No,
    /// Yes, as a new decision: a deletion that has begun before it must not be finished.
    Write,
}

impl Choice {
    /// Whether it is about the listing's deletion.
    #[must_use]
    pub fn decides_deletion(&self) -> bool {
        self.field == DELETED
    }

    fn message(&self) -> String {
        format!("{RESOLVE}{} {}", self.field, self.choose)
    }

    /// Refuses a choice among other values than those that stand.
    fn check_seen(&self, standing: &[Conflict]) -> Result<(), EditError> {
        let current = Conflict::etag(standing);
        match &self.seen {
            Some(seen) if !seen.contains(&current) => Err(EditError::Changed { current }),
            _ => Ok(()),
        }
    }

    fn not_in_conflict(&self) -> EditError {
        let detail = "this field is not in conflict: to change it, patch the listing";
        EditError::Invalid(vec![FieldError::new("/field", detail.to_owned())])
    }

    fn not_one_of_them(&self) -> EditError {
        let detail = "no value of this field: send the `hash` of one, as the conflicts show it";
        EditError::Invalid(vec![FieldError::new("/choose", detail.to_owned())])
    }
}

/// Whether a change of this message decided about the listing's deletion.
pub(super) fn decides_deletion(message: &str) -> bool {
    let choice = message.strip_prefix(RESOLVE);
    let choice = choice.and_then(|choice| choice.split_once(' '));
    choice.is_some_and(|(field, _)| field == DELETED)
}

/// What is written in the end.
enum Chosen {
    Value(Register, ScalarValue),
    Description(String),
}

impl ListingDocument {
    /// Ends the conflict of a field. `None` if this choice has been made already.
    ///
    /// # Errors
    /// [`EditError::Changed`] if other values stand than those that were shown,
    /// [`EditError::Invalid`] if the choice is about no conflict or none of its values; the
    /// document is then as it was.
    pub fn resolve(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        choice: &Choice,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.live()?;
        let document = self.body.get();
        let message = choice.message();
        let register = disputable(&choice.field).ok_or_else(|| choice.not_in_conflict())?;
        let standing = standing::of(document, register);
        let mut made = standing.iter().map(|one| one.written.message == message);
        if !standing.is_empty() && made.all(|made| made) {
            return Ok(None);
        }
        let conflicts = self.conflicts();
        choice.check_seen(&conflicts)?;
        if !conflicts.iter().any(|one| one.field == choice.field) {
            return Err(choice.not_in_conflict());
        }
        let chosen = chosen(document, register, choice)?;
        let reads = Reads::EVERYTHING;
        self.write(
            DECIDED_BYTES_MAX,
            (actor, at),
            &message,
            reads,
            |writer| match chosen {
                Chosen::Value(register, value) => writer.put(register, value),
                Chosen::Description(whole) => text::replace(writer, &whole),
            },
        )
    }

    /// What a choice decides about the listing's deletion. To delete is an answer only if
    /// the choice can be made now, or has been.
    ///
    /// # Errors
    /// As [`ListingDocument::resolve`].
    pub fn decision(&self, choice: &Choice) -> Result<Decision, EditError> {
        let chosen = ChangeHash(*choice.choose.as_bytes());
        let decision = deletion::decision(self.body.get(), chosen);
        if decision == Some(Decision::Delete) {
            self.check_confirmation(choice)?;
        }
        decision.ok_or_else(|| choice.not_one_of_them())
    }

    /// The decisions to keep the listing that are known here.
    #[must_use]
    pub fn keeps(&self) -> Keeps {
        Keeps::of(self.body.get())
    }

    /// Deletes the listing although others have edited it meanwhile. `None` if it is
    /// deleted.
    ///
    /// # Errors
    /// As [`ListingDocument::resolve`] and [`ListingDocument::delete`].
    pub fn confirm_deletion(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        choice: &Choice,
        known: &Keeps,
    ) -> Result<Option<EncodedChange>, EditError> {
        match self.check_confirmation(choice)? {
            Lifecycle::Disputed => self.mark_deleted(actor, at, known, &choice.message()),
            _deleted => Ok(None),
        }
    }

    /// Refuses to confirm a deletion that is not in dispute, unless it is done.
    fn check_confirmation(&self, choice: &Choice) -> Result<Lifecycle, EditError> {
        let lifecycle = self.lifecycle();
        match lifecycle {
            Lifecycle::Deleted => return Ok(lifecycle),
            Lifecycle::Uncreated => return Err(EditError::Uncreated),
            Lifecycle::Live => return Err(choice.not_in_conflict()),
            Lifecycle::Disputed => {}
        }
        choice.check_seen(&self.conflicts())?;
        let chosen = ChangeHash(*choice.choose.as_bytes());
        if !Deletions::of(self.body.get()).marked_by(chosen) {
            return Err(choice.not_one_of_them());
        }
        Ok(lifecycle)
    }

    /// Keeps a listing whose deletion is in dispute. `None` if nobody has deleted it,
    /// unless it is to be written [again](Again).
    ///
    /// # Errors
    /// As [`ListingDocument::resolve`]; [`EditError::Deleted`] if the deletion is not in
    /// dispute.
    pub fn keep(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        choice: &Choice,
        again: Again,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.live()?;
        if self.lifecycle() == Lifecycle::Disputed {
            choice.check_seen(&self.conflicts())?;
            let chosen = ChangeHash(*choice.choose.as_bytes());
            if !Deletions::of(self.body.get()).disputed_by(chosen) {
                return Err(choice.not_one_of_them());
            }
        } else if again == Again::No {
            return Ok(None);
        }
        let (message, reads) = (choice.message(), Reads::default());
        self.write(DECIDED_BYTES_MAX, (actor, at), &message, reads, |writer| {
            writer.rewrite(Register::DeletedAt, ScalarValue::Null)
        })
    }

    /// Writes a deletion that has seen everything that is here, unless somebody has decided
    /// to keep the listing since `known` was read.
    pub(super) fn mark_deleted(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        known: &Keeps,
        message: &str,
    ) -> Result<Option<EncodedChange>, EditError> {
        if !known.include(&self.keeps()) {
            return Err(EditError::Kept);
        }
        self.write(
            DECIDED_BYTES_MAX,
            (actor, at),
            message,
            Reads::default(),
            |writer| writer.rewrite(Register::DeletedAt, instant(at)),
        )
    }
}

/// The register that says whether a field is in conflict.
fn disputable(field: &str) -> Option<Register> {
    if field == DESCRIPTION {
        return Some(Register::Rewritten);
    }
    let mut registers = Register::DISPUTABLE.into_iter();
    registers.find(|register| register.pointer() == field)
}

fn chosen(document: &Automerge, register: Register, choice: &Choice) -> Result<Chosen, EditError> {
    let is_it = |written: &Written| {
        let change = written.change.map(ChangeId::of);
        change == Some(choice.choose)
    };
    let chosen = if register == Register::Rewritten {
        let mut versions = text::versions(document).into_iter();
        versions
            .find(|version| is_it(&version.written))
            .map(|version| Chosen::Description(version.text))
    } else {
        let mut standing = standing::of(document, register).into_iter();
        standing
            .find(|one| is_it(&one.written))
            .map(|one| Chosen::Value(register, one.value))
    };
    chosen.ok_or_else(|| choice.not_one_of_them())
}
