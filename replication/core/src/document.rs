//! One listing as a replica holds it: an Automerge document behind typed writes and
//! a typed view.
//!
//! Not a store: whoever holds a document makes its changes durable, and drops and
//! reloads it where that failed (see the crate's documentation). Merging is
//! Automerge's; this module decides what the registers are, so that a merge of
//! valid writes is a valid listing, and keeps invariants 4 and 11.

mod batch;
mod body;
mod conflicts;
mod contain;
mod creation;
mod deletion;
mod exchange;
mod genesis;
mod history;
mod intake;
mod news;
mod ops;
mod photos;
mod read;
mod reconcile;
mod records;
mod register;
mod renewal;
mod resolve;
mod revise;
mod shown;
mod snapshot;
mod standing;
mod text;
mod together;
mod waiting;
mod write;

#[cfg(test)]
mod tests;

use meridian_regions::{ListingId, NodeId, UnixNanos};

pub use conflicts::{Conflict, ConflictingValue};
pub use deletion::{Decision, Keeps};
pub use exchange::{Beyond, ends_of};
pub use genesis::COUNTERS;
pub use intake::{Applied, ApplyError, RefusedChange};
pub use news::{ChangeKind, NewChange};
pub use records::ChangeRecord;
pub use renewal::{BeginningError, Renewal};
pub use resolve::{Again, Choice};
pub use snapshot::LoadError;
pub use write::EditError;

use crate::change::EncodedChange;
use crate::draft::ValidDraft;
use crate::edit::EditOp;
use crate::heads::{ChangeId, Heads};
use crate::limits::{CHANGE_BYTES_MAX, DOCUMENT_BYTES_MAX};
use crate::patch::ListingPatch;
use crate::view::ListingView;
use body::Body;
use history::History;
use renewal::{Base, Kept};
use waiting::Waiting;
use write::Reads;

/// Where a listing stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// Only the genesis is known here; the change that creates the listing
    /// has not arrived.
    Uncreated,
    /// It can be read and edited.
    Live,
    /// Somebody deleted it while others edited it. It stays, and can be read and edited,
    /// until the host decides.
    Disputed,
    /// Somebody deleted it, having seen every edit that is here.
    Deleted,
}

/// One replica of a listing.
#[derive(Clone)]
pub struct ListingDocument {
    id: ListingId,
    body: Body,
    waiting: Waiting,
    history: History,
    health: Health,
    /// Where it begins, if that is not the genesis.
    base: Option<Box<Base>>,
    /// What it was before, as long as something of that may still come.
    former: Option<Box<Kept>>,
}

/// Whether the document may still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    /// A defect of the library or of ours interrupted a change half-way. What is
    /// durable is sound: the document has to be loaded again.
    Poisoned,
}

impl ListingDocument {
    /// The document of a listing of which nothing is known but its id: the genesis
    /// changes, the same bytes on every replica.
    #[must_use]
    pub fn empty(id: &ListingId) -> Self {
        let named = genesis::named(id);
        let mut history = History::default();
        history.add(&genesis::containers().1);
        history.add(&named);
        Self {
            id: id.clone(),
            body: Body::blank(named),
            waiting: Waiting::default(),
            history,
            health: Health::Sound,
            base: None,
            former: None,
        }
    }

    /// Creates a listing. The document is then the caller's to make durable.
    ///
    /// Only one node may create a listing: two creations of one id merge, field by
    /// field, and their descriptions follow each other.
    #[must_use]
    pub fn create(
        id: &ListingId,
        actor: NodeId,
        at: UnixNanos,
        draft: &ValidDraft,
    ) -> (Self, EncodedChange) {
        let mut document = Self::empty(id);
        let change = creation::change(&document, actor, at, draft.as_draft());
        let encoded = EncodedChange::of(&change);
        let bytes = encoded.as_bytes().len();
        // Nobody could read a larger one again, and the bounds of fields leave no way to it.
        assert!(
            bytes <= CHANGE_BYTES_MAX,
            "a draft of {bytes} bytes was valid"
        );
        document.found(change);
        (document, encoded)
    }

    /// Writes what a merge patch wants changed. `None` if the listing is so already.
    ///
    /// A patch of a field in conflict resolves the conflict, also if it repeats the
    /// value that is shown.
    ///
    /// # Errors
    /// [`EditError`]; the document is then as it was.
    pub fn patch(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        patch: &ListingPatch,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.live()?;
        self.write(
            DOCUMENT_BYTES_MAX,
            (actor, at),
            "patch",
            revise::reads(patch),
            |writer| revise::patch(writer, patch),
        )
    }

    /// Carries out operations in order, all of them or none. `None` if they change
    /// nothing.
    ///
    /// # Errors
    /// [`EditError`]; the document is then as it was.
    pub fn edit(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        ops: &[EditOp],
    ) -> Result<Option<EncodedChange>, EditError> {
        self.live()?;
        let counts = ops.iter().all(|op| matches!(op, EditOp::Increment { .. }));
        let message = if counts { deletion::COUNT } else { "edit" };
        self.write(
            DOCUMENT_BYTES_MAX,
            (actor, at),
            message,
            ops::reads(ops),
            |writer| ops::edit(writer, ops),
        )
    }

    /// Brings an imported listing to what its source says now: writes the fields
    /// that the draft states and that differ, and leaves alone what it leaves out
    /// and what is fixed at creation. `None` if nothing differs, and for a deleted
    /// listing: importing it again does not bring it back.
    ///
    /// # Errors
    /// [`EditError`]; the document is then as it was.
    pub fn reconcile(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        draft: &ValidDraft,
    ) -> Result<Option<EncodedChange>, EditError> {
        match self.live() {
            Ok(()) => self.write(
                DOCUMENT_BYTES_MAX,
                (actor, at),
                "import",
                Reads::EVERYTHING,
                |writer| reconcile::update(writer, draft.as_draft()),
            ),
            Err(EditError::Deleted) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the listing: writes its tombstone. `None` if it is deleted already. An edit
    /// that this one has not seen disputes it, whenever it comes.
    ///
    /// # Errors
    /// [`EditError::Kept`] if somebody has decided to keep the listing since `known` was
    /// read from [`ListingDocument::keeps`]; the document is then as it was, as after any
    /// other [`EditError`].
    pub fn delete(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        known: &Keeps,
    ) -> Result<Option<EncodedChange>, EditError> {
        match self.live() {
            Ok(()) => self.mark_deleted(actor, at, known, deletion::DELETE),
            Err(EditError::Deleted) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The listing's id.
    #[must_use]
    pub const fn id(&self) -> &ListingId {
        &self.id
    }

    /// Where the listing stands in its life.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        read::lifecycle(&self.body)
    }

    /// The listing as people read it. Before it is created, every field is empty.
    #[must_use]
    pub fn view(&self) -> ListingView {
        read::view(&self.id, &self.body, self.history.updated_at())
    }

    /// The heads: the same wherever the same changes have been applied.
    #[must_use]
    pub fn heads(&self) -> Heads {
        Heads::of(self.body.heads())
    }

    /// Concurrent writes to one field, field by field. Empty as long as nobody
    /// disagreed, and once the listing is deleted.
    ///
    /// Not listed are lists and counters, where concurrent writes do not exclude
    /// each other, and values that are equal. [`crate::MERGE_RULES`] says what is shown.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        if self.lifecycle() == Lifecycle::Deleted {
            return Vec::new();
        }
        conflicts::find(self.body.get())
    }

    /// How many changes are part of the document, the two of its genesis included.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.history.changes()
    }

    /// How many changes a snapshot of it holds: also those of the former document, as long as
    /// that is kept.
    #[must_use]
    pub fn changes_saved(&self) -> u64 {
        let former = self.former.as_ref();
        self.changes() + former.map_or(0, |former| former.changes())
    }

    /// How many changes wait for others that have not arrived.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Changes that are not here and that others wait for: every one of them.
    pub fn awaited(&self) -> impl Iterator<Item = ChangeId> {
        let on: Vec<_> = self.waiting.stands_on().into_iter().collect();
        self.body.missing(&on).into_iter().map(ChangeId::of)
    }

    /// Whether a change is here, be it that it waits for others.
    #[must_use]
    pub fn has(&self, change: ChangeId) -> bool {
        let hash = change.hash();
        self.waiting.contains(&hash) || self.body.missing(&[hash]).is_empty()
    }

    /// Whether it may be used on. If not, it was interrupted half-way: what is durable
    /// is sound, and it has to be loaded again.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.health == Health::Sound
    }

    fn live(&self) -> Result<(), EditError> {
        match self.lifecycle() {
            Lifecycle::Live | Lifecycle::Disputed => Ok(()),
            Lifecycle::Deleted => Err(EditError::Deleted),
            Lifecycle::Uncreated => Err(EditError::Uncreated),
        }
    }
}

impl std::fmt::Debug for ListingDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ListingDocument")
            .field("id", &self.id)
            .field("changes", &self.changes())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
