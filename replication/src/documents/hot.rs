//! An open document: how its changes are stored, and how far the disk is behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use meridian_failpoints::Failpoint;
use meridian_regions::{Genesis, ListingId, UnixNanos};
use meridian_replication_core::ListingDocument;
use meridian_storage::Batch;

use crate::events::ListingNews;
use crate::keys::{self, CHANGES, DOCUMENTS, GENESIS, HEADS, PROGRESS};

/// Stored changes of a document after which it gets a new snapshot, if they are no small
/// [part](SNAPSHOT_SHARE) of what that holds. A snapshot rewrites about 2 KB.
const CHANGES_BETWEEN_SNAPSHOTS: u64 = 64;
/// One in so many of what a snapshot holds may be stored beside it: loading replays no more,
/// and a listing that is written to as fast as can be, whose history is long until it begins
/// anew, is not written out whole for a few changes.
const SNAPSHOT_SHARE: u64 = 16;

/// A document, and how far the disk is behind it.
pub(crate) struct Hot {
    pub(crate) document: ListingDocument,
    /// Whether nothing of it has been submitted yet.
    is_new: bool,
    /// Its genesis record, if one has been submitted.
    genesis: Option<Vec<u8>>,
    /// Whether it holds a change that has not been submitted.
    work: Work,
    stored_changes: u64,
    /// Which of the listing's documents is stored.
    stored_generation: u32,
    /// Whether it has begun anew since it was submitted.
    begins: bool,
    /// The submission with which it did so last; 0 for before it was loaded.
    begun: u64,
    submitted: u64,
    durable: Arc<AtomicU64>,
}

/// How far a change of an open document has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It has been submitted, or there was none.
    Done,
    /// It is being made, or its maker was interrupted.
    Begun,
    /// The same, of several that came together.
    BegunTogether,
    /// They are made again one by one.
    GivenUp,
}

/// What becomes of a genesis record that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Founding {
    /// It is the first: it is stored.
    First,
    /// It is the one that is there.
    Known,
    /// There is another one, which stands.
    Another,
}

impl Hot {
    pub(super) fn new(
        document: ListingDocument,
        stored_changes: u64,
        genesis: Option<Vec<u8>>,
    ) -> Self {
        Self {
            stored_generation: document.generation(),
            document,
            is_new: false,
            genesis,
            work: Work::Done,
            stored_changes,
            begins: false,
            begun: 0,
            submitted: 0,
            durable: Arc::default(),
        }
    }

    /// A new document, of which nothing is stored yet.
    pub(crate) fn fresh(document: ListingDocument) -> Self {
        Self::new(document, 0, None).into_new()
    }

    /// The same document, of which nothing counts as stored yet.
    pub(super) fn into_new(self) -> Self {
        Self {
            is_new: true,
            ..self
        }
    }

    /// Whether this submission is the first of the listing.
    pub(crate) const fn is_first(&mut self) -> bool {
        std::mem::replace(&mut self.is_new, false)
    }

    /// Adds what stores its genesis record, unless it has one: who votes on a listing
    /// is decided once.
    pub(crate) fn found(&mut self, batch: &mut Batch, genesis: &Genesis) -> Founding {
        if let Some(known) = &self.genesis {
            let same = Genesis::decode(known).is_ok_and(|known| known == *genesis);
            return if same {
                Founding::Known
            } else {
                Founding::Another
            };
        }
        let record = genesis.encode();
        batch.put(GENESIS, self.document.id().to_key(), record.clone());
        self.genesis = Some(record);
        Founding::First
    }

    /// A change is being made. Whatever unwinds before [`Hot::end`] leaves a document
    /// that is ahead of its log and must be loaded again.
    pub(crate) fn begin(&mut self) -> &mut ListingDocument {
        self.work = Work::Begun;
        &mut self.document
    }

    /// The same, of changes that may yet be given up and made one by one.
    pub(crate) fn begin_together(&mut self) -> &mut ListingDocument {
        self.work = Work::BegunTogether;
        &mut self.document
    }

    /// The change has been submitted, or was none.
    pub(crate) fn end(&mut self) {
        self.work = Work::Done;
    }

    /// What was begun together is made again one by one: the document is loaded again for no
    /// fault of its own.
    pub(super) fn give_up(&mut self) {
        if self.work == Work::BegunTogether && self.document.is_sound() {
            self.work = Work::GivenUp;
        }
    }

    /// Whether what was begun together is made again one by one.
    pub(super) fn is_given_up(&self) -> bool {
        self.work == Work::GivenUp
    }

    pub(super) fn is_sound(&self) -> bool {
        self.work == Work::Done && self.document.is_sound()
    }

    /// Whether everything in it is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire) >= self.submitted
    }

    /// Whether it is durable that it has begun anew, whatever was written since: what is stored
    /// about its former document is about the one that it has. At the node that takes them, some
    /// write of a busy listing is always on its way.
    pub(crate) fn has_begun_durably(&self) -> bool {
        !self.begins && self.durable.load(Ordering::Acquire) >= self.begun
    }

    /// Counts a submission; the answer is to be called once it is durable.
    pub(crate) fn submit(&mut self) -> impl FnOnce() + Send + 'static {
        self.submitted += 1;
        let (number, durable) = (self.submitted, Arc::clone(&self.durable));
        let begins = std::mem::take(&mut self.begins);
        if begins {
            self.begun = number;
            Failpoint::BeginAnewBefore.hit();
        }
        move || {
            if begins {
                Failpoint::BeginAnewAfter.hit();
            }
            durable.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// Decides how a change that the document holds already is stored, and makes the
    /// snapshot if it is time for one: before the change has a number, because a whole
    /// document takes milliseconds. One that has begun anew is stored whole.
    pub(crate) fn store(&mut self, batch: &mut Batch, at: UnixNanos) -> Stored {
        self.store_so_many(1, batch, at)
    }

    /// Stores changes that the document holds already, each at its place.
    pub(crate) fn store_all(
        &mut self,
        batch: &mut Batch,
        at: UnixNanos,
        changes: Vec<(Vec<u8>, Vec<u8>)>,
    ) {
        match self.store_so_many(changes.len(), batch, at) {
            Stored::Snapshot(document) => put_whole(batch, self.document.id(), document),
            Stored::Change => {
                for (place, change) in changes {
                    batch.put(CHANGES, place, change);
                }
            }
        }
    }

    fn store_so_many(&mut self, count: usize, batch: &mut Batch, at: UnixNanos) -> Stored {
        self.stored_changes += count as u64;
        let is_another = self.note_beginning(batch, at);
        let share = self.document.changes_saved() / SNAPSHOT_SHARE;
        if self.stored_changes < share.max(CHANGES_BETWEEN_SNAPSHOTS) && !is_another {
            return Stored::Change;
        }
        Stored::Snapshot(self.whole())
    }

    /// Notes that the document has begun anew since it was stored, and answers whether it
    /// has.
    fn note_beginning(&mut self, batch: &mut Batch, at: UnixNanos) -> bool {
        let generation = self.document.generation();
        let stored = std::mem::replace(&mut self.stored_generation, generation);
        if stored == generation {
            return false;
        }
        #[cfg(test)]
        if crate::planted::is_planted(crate::planted::Bug::FormerForgotten) {
            self.document.forget_former();
        }
        if self.document.awaits_former() {
            let at = at.as_millis().to_be_bytes();
            batch.put(PROGRESS, keys::former(self.document.id()), at.to_vec());
        }
        self.begins = true;
        true
    }

    /// Stores the document whole, and its digest with it: for changes that no log entry
    /// brought.
    pub(crate) fn rewrite(&mut self, batch: &mut Batch, at: UnixNanos) {
        self.note_beginning(batch, at);
        let id = self.document.id().clone();
        let digest = self.document.heads().digest();
        batch.put(HEADS, keys::heads(&id), digest.to_vec());
        put_whole(batch, &id, self.whole());
    }

    fn whole(&mut self) -> Vec<u8> {
        self.stored_changes = 0;
        self.document.save()
    }

    /// What has become part of it and has not been told: to be told by the batch that stores
    /// it.
    pub(crate) fn take_news(&mut self) -> Vec<ListingNews> {
        let news = self.document.take_news().into_iter();
        let listing = self.document.id();
        news.map(|change| ListingNews {
            listing: listing.clone(),
            change,
        })
        .collect()
    }

    /// Whether nothing of it counts as stored yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether its genesis record has been submitted.
    pub(crate) const fn is_founded(&self) -> bool {
        self.genesis.is_some()
    }
}

/// Stores a snapshot instead of the changes that it holds.
fn put_whole(batch: &mut Batch, id: &ListingId, document: Vec<u8>) {
    batch.put(DOCUMENTS, id.to_key(), document);
    batch.delete_range(CHANGES, keys::listing_prefix(id), keys::changes_end(id));
}

/// How the latest changes of a document are stored.
pub(crate) enum Stored {
    /// Each by itself.
    Change,
    /// With all others.
    Snapshot(Vec<u8>),
}

impl Stored {
    /// Adds it to a batch. `place` is the key of the change.
    pub(crate) fn put(self, batch: &mut Batch, id: &ListingId, place: Vec<u8>, change: Vec<u8>) {
        match self {
            Self::Change => batch.put(CHANGES, place, change),
            Self::Snapshot(document) => put_whole(batch, id, document),
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::*;
    use crate::tests::setup::{draft, listing};

    #[test]
    fn document_has_begun_durably_while_the_disk_is_behind_what_came_since() {
        let (id, at) = (listing(1), UnixNanos::from_millis(1));
        let node = NodeId::new(1).expect("not zero");
        let (document, _) = ListingDocument::create(&id, node, at, &draft("Loft"));
        let mut hot = Hot::new(document, 0, None);
        assert!(hot.has_begun_durably(), "it is as it was loaded");
        let heads = hot.document.heads();
        let begun = hot.begin().begin_anew(node, at, &heads);
        assert!(begun.expect("sound").is_some());
        let mut batch = Batch::new();
        hot.rewrite(&mut batch, at);
        assert!(!hot.has_begun_durably(), "it is not submitted");
        let begun = hot.submit();
        assert!(!hot.has_begun_durably(), "it is on its way");
        let later = hot.submit();
        begun();
        assert!(hot.has_begun_durably() && !hot.is_durable());
        later();
        assert!(hot.is_durable());
    }
}
