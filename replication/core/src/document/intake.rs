//! Taking in changes that were made elsewhere, or here before a restart.
//!
//! In any order, any number of times: a change is applied once everything that it
//! depends on has been, and waits until then. What can never be applied is refused
//! and leaves the document as it was.

use automerge::{Change, ChangeHash};
use meridian_regions::NodeId;

use super::batch::Batch;
use super::{Health, ListingDocument, LoadError, creation};
use crate::actor;
use crate::change::{self, ChangeError};
use crate::heads::ChangeId;
use crate::limits::{DOCUMENT_BYTES_HARD_MAX, WAITING_BYTES_MAX, WAITING_CHANGES_MAX};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is part of the document now.
    Now {
        /// How many changes that had waited for it became part of it too.
        released: usize,
        /// Changes that had waited for it and can never be applied. They are no
        /// longer held: quarantine them.
        refused: Vec<RefusedChange>,
    },
    /// It is held, and will be applied once what it lacks has been.
    Waiting {
        /// What it lacks.
        missing: Vec<ChangeId>,
    },
    /// It was part of the document, or held, already.
    Duplicate,
}

/// A change that was held and cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedChange {
    /// Its name.
    pub id: ChangeId,
    /// Why it cannot.
    pub error: ApplyError,
}

/// Why a change is not taken. Except for
/// [`ApplyError::WaitingFull`] and [`ApplyError::Former`] it is final for this change: quarantine it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Its bytes are no change that may be read.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Its author is no node.
    #[error("a change whose author is no node of a cluster")]
    Stranger,
    /// It does not depend on the genesis change, so it was made for no listing.
    #[error("a change that depends on nothing: it belongs to no listing")]
    Rootless,
    /// Its time is before 1970. No node writes such a time, and the library cannot store
    /// the distance from there to another.
    #[error("a change from before 1970")]
    BeforeTime,
    /// The node has made another change with the same number: it was restored from
    /// an old disk, or its id is used twice.
    #[error("node {node} has given sequence number {seq} to two changes: give the node a new id")]
    SequenceReused {
        /// The node.
        node: NodeId,
        /// The number.
        seq: u64,
    },
    /// Its numbers do not follow those of the document.
    #[error("a change out of sequence: {0}")]
    OutOfSequence(String),
    /// Too many changes of this listing wait. It may be offered again once some of
    /// them have been applied.
    #[error(
        "more than {WAITING_CHANGES_MAX} changes, or {WAITING_BYTES_MAX} bytes, of one listing wait for others"
    )]
    WaitingFull,
    /// It was written before the document began anew, by a node that was thought to have
    /// written nothing more then.
    #[error("change {seq} of node {node} is from before the document began anew, and not in it")]
    TooLate {
        /// The node.
        node: NodeId,
        /// Its number.
        seq: u64,
    },
    /// It was written before the document began anew, and stands on what is no longer there.
    #[error("a change that cannot be carried over to where the document begins anew")]
    NotCarried,
    /// The document is as large as a document may be.
    #[error(
        "the history of the listing is {bytes} bytes: at most {DOCUMENT_BYTES_HARD_MAX} are kept"
    )]
    DocumentFull {
        /// Its size with this change.
        bytes: u64,
    },
    /// The Automerge library would take it and not be able to give it back: nobody
    /// could load the document again.
    #[error("a change that cannot be reproduced from the document")]
    Unfaithful,
    /// It was written before the document began anew, and what is kept of that time cannot be
    /// read. It may be offered again once it can.
    #[error("what is kept of the time before the document began anew cannot be read: {0}")]
    Former(Box<LoadError>),
    /// The change broke the document: drop it, and load it again without the change.
    #[error("the document was broken by a change and must be loaded again without it")]
    Poisoned,
}

impl ApplyError {
    /// A stable name for records and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Change(ChangeError::TooLarge { .. }) => "change-too-large",
            Self::Change(ChangeError::Unfolds { .. }) => "change-unfolds",
            Self::Change(ChangeError::Malformed(_)) => "change-malformed",
            Self::Change(ChangeError::Checksum) => "change-damaged",
            Self::Stranger => "change-stranger",
            Self::Rootless => "change-rootless",
            Self::BeforeTime => "change-before-time",
            Self::SequenceReused { .. } => "sequence-reused",
            Self::OutOfSequence(_) => "out-of-sequence",
            Self::WaitingFull => "waiting-full",
            Self::DocumentFull { .. } => "document-full",
            Self::TooLate { .. } => "change-too-late",
            Self::NotCarried => "change-not-carried",
            Self::Unfaithful => "change-unfaithful",
            Self::Former(_) => "former-unreadable",
            Self::Poisoned => "document-poisoned",
        }
    }
}

impl Applied {
    /// The same, but for changes that turned out to be refused after all.
    pub(super) fn without(self, late: Vec<RefusedChange>) -> Self {
        match self {
            Self::Now {
                released,
                mut refused,
            } => {
                let released = released.saturating_sub(late.len());
                refused.extend(late);
                Self::Now { released, refused }
            }
            other => other,
        }
    }
}

impl ListingDocument {
    /// Takes in a change, wherever it was made. Order and repetition do not matter.
    ///
    /// # Errors
    /// [`ApplyError`]; the document is then as it was, or says that it must be
    /// loaded again.
    pub fn apply(&mut self, change: &[u8]) -> Result<Applied, ApplyError> {
        self.sound()?;
        let change = change::decode(change)?;
        if self.waiting.len() == 0 && creation::is_plain(self, &change) {
            self.found(change);
            return Ok(Applied::Now {
                released: 0,
                refused: Vec::new(),
            });
        }
        let mut batch = Batch::new(&self.history);
        let applied = self.admit(change, &mut batch)?;
        let before = batch.holds_many().then(|| self.body.clone());
        let mut refused = self.commit(batch, before)?;
        refused.extend(self.renew()?);
        Ok(applied.without(refused))
    }

    /// Takes a plain creation into the genesis, without making the document.
    pub(super) fn found(&mut self, plain: Change) {
        self.history.add(&plain);
        self.body.create(plain);
    }

    /// Decides what becomes of a change: it joins the batch, with all that waited
    /// for it, or waits, or is refused.
    pub(super) fn admit(
        &mut self,
        change: Change,
        batch: &mut Batch,
    ) -> Result<Applied, ApplyError> {
        if self.is_of_former(&change) {
            return self.take_former(change);
        }
        let hash = change.hash();
        let held = self.waiting.contains(&hash) || batch.contains(&hash);
        if held || self.lacks([hash], batch).is_empty() {
            return Ok(Applied::Duplicate);
        }
        judge_origin(&change)?;
        let missing = self.lacks(change.deps().iter().copied(), batch);
        if let Some(&first) = missing.first() {
            self.wait(change, first)?;
            return Ok(Applied::Waiting {
                missing: missing.into_iter().map(ChangeId::of).collect(),
            });
        }
        self.accept(change, batch)?;
        Ok(self.release(hash, batch))
    }

    /// Accepts everything that has waited for `accepted`, and what waited for that.
    fn release(&mut self, accepted: ChangeHash, batch: &mut Batch) -> Applied {
        let mut released = 0;
        let mut refused = Vec::new();
        let mut accepted = vec![accepted];
        while let Some(hash) = accepted.pop() {
            for change in self.waiting.released_by(&hash) {
                let hash = change.hash();
                let missing = self.lacks(change.deps().iter().copied(), batch);
                let outcome = match missing.first() {
                    Some(&missing) => self.wait(change, missing),
                    None => self.accept(change, batch).map(|()| {
                        released += 1;
                        accepted.push(hash);
                    }),
                };
                if let Err(error) = outcome {
                    let id = ChangeId::of(hash);
                    refused.push(RefusedChange { id, error });
                }
            }
        }
        Applied::Now { released, refused }
    }

    pub(super) fn wait(&mut self, change: Change, missing: ChangeHash) -> Result<(), ApplyError> {
        self.waiting
            .file(change, missing)
            .map_err(|_full| ApplyError::WaitingFull)
    }

    /// Adds a change of which nothing is missing to the batch.
    fn accept(&mut self, change: Change, batch: &mut Batch) -> Result<(), ApplyError> {
        self.judge_sequence(&change)?;
        let bytes = self.history.bytes() + change.raw_bytes().len() as u64;
        if bytes > DOCUMENT_BYTES_HARD_MAX {
            return Err(ApplyError::DocumentFull { bytes });
        }
        self.history.add(&change);
        batch.push(change);
        Ok(())
    }

    fn judge_sequence(&self, change: &Change) -> Result<(), ApplyError> {
        let (of, here) = (actor::generation(change.actor_id()), self.generation());
        if of != Some(here) {
            return Err(ApplyError::OutOfSequence(format!(
                "its author writes to another document than {here}"
            )));
        }
        let (seq, next) = (change.seq(), self.history.next_sequence(change.actor_id()));
        if seq < next {
            let node = actor::node(change.actor_id()).ok_or(ApplyError::Stranger)?;
            return Err(ApplyError::SequenceReused { node, seq });
        }
        if seq > next {
            return Err(ApplyError::OutOfSequence(format!(
                "number {seq} of its author follows {}",
                next - 1
            )));
        }
        let (start, start_max) = (change.start_op().get(), self.history.next_operation_max());
        if start > start_max {
            return Err(ApplyError::OutOfSequence(format!(
                "operation {start} where at most {start_max} can follow"
            )));
        }
        Ok(())
    }

    pub(super) fn sound(&self) -> Result<(), ApplyError> {
        match self.health {
            Health::Sound => Ok(()),
            Health::Poisoned => Err(ApplyError::Poisoned),
        }
    }

    /// Those of `changes` that are neither part of the document nor of the batch.
    pub(super) fn lacks(
        &self,
        changes: impl IntoIterator<Item = ChangeHash>,
        batch: &Batch,
    ) -> Vec<ChangeHash> {
        let elsewhere: Vec<ChangeHash> = changes
            .into_iter()
            .filter(|change| !batch.contains(change))
            .collect();
        self.body.missing(&elsewhere)
    }
}

fn judge_origin(change: &Change) -> Result<(), ApplyError> {
    if actor::node(change.actor_id()).is_none() {
        return Err(ApplyError::Stranger);
    }
    if change.deps().is_empty() {
        return Err(ApplyError::Rootless);
    }
    if change.timestamp() < 0 {
        return Err(ApplyError::BeforeTime);
    }
    Ok(())
}
