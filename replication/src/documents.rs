//! Open documents, in stripes by shard.
//!
//! A stripe's lock is held while a document is changed and its batch is submitted,
//! and never across an await: changes of one document reach the database in the
//! order in which they were made. A document may therefore be ahead of the disk;
//! who shows it to a reader waits for the disk first.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use meridian_failpoints::Failpoint;
use meridian_regions::{Genesis, ListingId, SHARD_COUNT, ShardId, UnixNanos};
use meridian_replication_core::{ListingDocument, ReceivedEntry};
use meridian_storage::{Batch, Store};

use crate::error::ReadError;
use crate::events::ListingNews;
use crate::keys::{self, CHANGES, DOCUMENTS, GENESIS, HEADS, PROGRESS};

/// Stored changes of a document after which it gets a new snapshot. Loading replays
/// at most this many; a snapshot rewrites about 2 KB.
const CHANGES_BETWEEN_SNAPSHOTS: usize = 64;
/// Changes read at most when a document is loaded: the snapshot rule keeps them far
/// below.
const CHANGES_READ_MAX: usize = 1 << 20;

/// A document, and how far the disk is behind it.
pub(crate) struct Hot {
    pub(crate) document: ListingDocument,
    /// Whether nothing of it has been submitted yet.
    is_new: bool,
    /// Its genesis record, if one has been submitted.
    genesis: Option<Vec<u8>>,
    /// Whether it holds a change that has not been submitted.
    work: Work,
    stored_changes: usize,
    /// Which of the listing's documents is stored.
    stored_generation: u32,
    /// Whether it has begun anew since it was submitted.
    begins: bool,
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
    fn new(document: ListingDocument, stored_changes: usize, genesis: Option<Vec<u8>>) -> Self {
        Self {
            stored_generation: document.generation(),
            document,
            is_new: false,
            genesis,
            work: Work::Done,
            stored_changes,
            begins: false,
            submitted: 0,
            durable: Arc::default(),
        }
    }

    /// A new document, of which nothing is stored yet.
    pub(crate) fn fresh(document: ListingDocument) -> Self {
        Self {
            is_new: true,
            ..Self::new(document, 0, None)
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
    fn give_up(&mut self) {
        if self.work == Work::BegunTogether && self.document.is_sound() {
            self.work = Work::GivenUp;
        }
    }

    fn is_sound(&self) -> bool {
        self.work == Work::Done && self.document.is_sound()
    }

    /// Whether everything in it is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire) >= self.submitted
    }

    /// Counts a submission; the answer is to be called once it is durable.
    pub(crate) fn submit(&mut self) -> impl FnOnce() + Send + 'static {
        self.submitted += 1;
        let (number, durable) = (self.submitted, Arc::clone(&self.durable));
        let begins = std::mem::take(&mut self.begins);
        if begins {
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
        self.stored_changes += count;
        let is_another = self.note_beginning(batch, at);
        if self.stored_changes < CHANGES_BETWEEN_SNAPSHOTS && !is_another {
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

/// One stripe: the documents of some shards, least recently used first to go.
pub(crate) struct Stripe {
    hot: LruCache<ListingId, Hot>,
    hot_max: usize,
}

impl Stripe {
    /// Keeps a document open. Others go for it, but never one that the disk is still
    /// behind: loaded again too early, it would give a number twice. The writer's
    /// queue bounds how many those are.
    pub(crate) fn keep(&mut self, id: ListingId, hot: Hot) {
        self.hot.put(id, hot);
        while self.hot.len() > self.hot_max
            && self.hot.peek_lru().is_some_and(|(_, hot)| hot.is_durable())
        {
            self.hot.pop_lru();
        }
    }

    /// Keeps a document open of which nothing is stored yet, and whose first change is being made.
    /// What unwinds before [`Hot::end`] leaves it here, so that nobody begins another one before
    /// the disk has what was submitted.
    pub(crate) fn begin_new(&mut self, document: ListingDocument) -> &mut Hot {
        let id = document.id().clone();
        let mut hot = Hot::fresh(document);
        hot.begin();
        self.keep(id.clone(), hot);
        let kept = self.hot.get_mut(&id);
        kept.expect("others go for what was kept last, and one stays")
    }

    /// Of entries of this stripe's shards, those at the beginning whose documents it can keep
    /// open all at once: none of them goes before what it holds is submitted.
    pub(crate) fn that_fits<'a>(&self, entries: &'a [ReceivedEntry]) -> &'a [ReceivedEntry] {
        let mut listings = BTreeSet::new();
        let fits = entries.iter().take_while(|entry| {
            let listing = entry.content.as_ref().map(|said| &said.listing);
            listings.extend(listing);
            listings.len() <= self.hot_max
        });
        &entries[..fits.count()]
    }

    /// The change of a document that was begun ends by being submitted now; the answer is to
    /// be called once it is durable.
    pub(crate) fn end_submitted(&mut self, id: &ListingId) -> Option<Box<dyn FnOnce() + Send>> {
        let hot = self.hot.peek_mut(id)?;
        hot.end();
        Some(Box::new(hot.submit()))
    }

    /// What was begun together of these documents is given up, to be made one by one.
    pub(crate) fn give_up<'a>(&mut self, listings: impl Iterator<Item = &'a ListingId>) {
        for id in listings {
            if let Some(hot) = self.hot.peek_mut(id) {
                hot.give_up();
            }
        }
    }

    /// Forgets a document that was left half-way, to load what is durable.
    fn settle(&mut self, id: &ListingId) -> Result<(), ReadError> {
        let Some(hot) = self.hot.peek(id).filter(|hot| !hot.is_sound()) else {
            return Ok(());
        };
        if !hot.is_durable() {
            let listing = id.clone();
            return Err(ReadError::Unsettled { listing });
        }
        if hot.work == Work::GivenUp {
            tracing::debug!(listing = %id, "changes that came together are taken one by one");
        } else {
            tracing::error!(listing = %id, "a document was interrupted half-way and is loaded again");
        }
        self.hot.pop(id);
        Ok(())
    }
}

/// All open documents.
pub(crate) struct Documents {
    stripes: Vec<Mutex<Stripe>>,
}

impl Documents {
    pub(crate) fn new(hot_max: NonZeroUsize) -> Self {
        let stripes = usize::from(SHARD_COUNT);
        let stripe = || Stripe {
            hot: LruCache::unbounded(),
            hot_max: hot_max.get().div_ceil(stripes),
        };
        Self {
            stripes: (0..stripes).map(|_| Mutex::new(stripe())).collect(),
        }
    }

    pub(crate) fn stripe(&self, shard: ShardId) -> MutexGuard<'_, Stripe> {
        self.stripes[usize::from(shard.get() % SHARD_COUNT)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Documents open now.
    pub(crate) fn len(&self) -> usize {
        ShardId::all()
            .map(|shard| self.stripe(shard).hot.len())
            .sum()
    }
}

/// The document of a listing, loaded if it is not open, or was interrupted half-way.
/// `None` if nothing is known of the listing.
pub(crate) fn open<'a>(
    stripe: &'a mut Stripe,
    store: &Store,
    id: &ListingId,
) -> Result<Option<&'a mut Hot>, ReadError> {
    stripe.settle(id)?;
    if !stripe.hot.contains(id) {
        let Some(hot) = load(store, id)? else {
            return Ok(None);
        };
        stripe.keep(id.clone(), hot);
    }
    Ok(stripe.hot.get_mut(id))
}

/// Shows the document of a listing without keeping it open. `None` if nothing is known of
/// the listing. Under the stripe's lock, what is not open is as it is on disk.
pub(crate) fn peek<T>(
    stripe: &Stripe,
    store: &Store,
    id: &ListingId,
    show: impl FnOnce(&ListingDocument) -> Option<T>,
) -> Result<Option<T>, ReadError> {
    if let Some(hot) = stripe.hot.peek(id).filter(|hot| hot.is_sound()) {
        return Ok(show(&hot.document));
    }
    Ok(load(store, id)?.and_then(|hot| show(&hot.document)))
}

fn load(store: &Store, id: &ListingId) -> Result<Option<Hot>, ReadError> {
    // Written with everything that is stored of a listing, and found faster than that
    // nothing is.
    if store.get(HEADS, &keys::heads(id))?.is_none() {
        return Ok(None);
    }
    stored(store, id)
}

/// A document of which nothing is known, to be mended: what is stored of it without a
/// digest, so that it is not written over, or an empty one.
pub(crate) fn unlisted(store: &Store, id: &ListingId) -> Result<Hot, ReadError> {
    let hot = match stored(store, id)? {
        Some(hot) => hot,
        None => {
            let genesis = store.get(GENESIS, &id.to_key())?;
            Hot::new(ListingDocument::empty(id), 0, genesis)
        }
    };
    Ok(Hot {
        is_new: true,
        ..hot
    })
}

fn stored(store: &Store, id: &ListingId) -> Result<Option<Hot>, ReadError> {
    let snapshot = store.get(DOCUMENTS, &id.to_key())?;
    let changes = store.scan(
        CHANGES,
        &keys::listing_prefix(id),
        &keys::changes_end(id),
        CHANGES_READ_MAX,
    )?;
    #[cfg(test)]
    let changes = crate::planted::without_tombstones(changes);
    if snapshot.is_none() && changes.is_empty() {
        return Ok(None);
    }
    let stored = changes.len();
    let bytes = changes.iter().map(|(_, change)| change.as_slice());
    let document = ListingDocument::load(id, snapshot.as_deref(), bytes).map_err(|cause| {
        ReadError::Document {
            listing: id.clone(),
            cause,
        }
    })?;
    let genesis = store.get(GENESIS, &id.to_key())?;
    Ok(Some(Hot::new(document, stored, genesis)))
}
