//! Open documents, in stripes by shard.
//!
//! A stripe's lock is held while a document is changed and its batch is submitted,
//! and never across an await: changes of one document reach the database in the
//! order in which they were made. A document may therefore be ahead of the disk;
//! who shows it to a reader waits for the disk first.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use meridian_regions::{ListingId, SHARD_COUNT, ShardId};
use meridian_replication_core::{ListingDocument, ReceivedEntry};
use meridian_storage::Store;

use crate::error::ReadError;
use crate::keys::{self, CHANGES, DOCUMENTS, GENESIS, HEADS};

mod hot;

pub(crate) use hot::{Founding, Hot};

/// Changes read at most when a document is loaded: the snapshot rule keeps them far
/// below.
const CHANGES_READ_MAX: usize = 1 << 20;

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
        if hot.is_given_up() {
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
    Ok(hot.into_new())
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
    let stored = changes.len() as u64;
    let bytes = changes.iter().map(|(_, change)| change.as_slice());
    let document = ListingDocument::load(id, snapshot.as_deref(), bytes)
        .map_err(|cause| ReadError::of(id, cause))?;
    let genesis = store.get(GENESIS, &id.to_key())?;
    Ok(Some(Hot::new(document, stored, genesis)))
}
