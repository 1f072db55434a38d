//! Renderings of listings, bounded by their bytes, loaded once for all who wait.
//!
//! Not here: what a load does (`read.rs`), and anything that differs between two requests
//! for one listing. Session token, staleness and level of consistency are the answer's.
//!
//! Invariant: **who comes after a change was acknowledged, or after any session token says
//! that it is here, is never served what was before it.** A rendering gets in by two ways:
//!
//! - What has become durable is put in, in the order of a listing's changes: by the writer, or
//!   by whoever renders it, if the disk was faster. He still has the document's lock then: no
//!   later change is on its way.
//! - A load takes the listing's place, looks at the document, and fills the place if it is
//!   still its own. A change that becomes durable clears the place first, then lets tokens
//!   speak of it, and is acknowledged last. So a load that began before finds its place
//!   gone, whatever it saw; one that begins later sees the change.
//!
//! That nothing is known of a listing is kept by the same rule: its creation is a change.
//! An error is kept by nobody.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meridian_regions::ListingId;
use quick_cache::sync::{Cache, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::read::ReadListing;

/// What a place takes beside its rendering: the key twice over, and the tables' share.
const PLACE_BYTES: usize = 256;
/// An ordinary rendering, as far as the cache's own tables depend on it.
const RENDERING_BYTES: usize = 4 << 10;

/// A listing as it is served; `None` if nothing is known of it here.
pub(crate) type Found = Option<Arc<ReadListing>>;

/// Reads of listings since the start, and what is kept for the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadStats {
    /// Reads that found what they looked for.
    pub hits: u64,
    /// Reads that rendered the document.
    pub loads: u64,
    /// Reads that waited for another's load.
    pub coalesced: u64,
    /// Renderings that went for others.
    pub evictions: u64,
    /// Renderings kept, in bytes, about.
    pub bytes: u64,
}

/// Renderings of durable documents, of listings that somebody reads.
pub(crate) struct Rendered {
    places: Cache<ListingId, Found, Bytes, DefaultHashBuilder, Evictions>,
    evictions: Evictions,
    hits: AtomicU64,
    loads: AtomicU64,
    coalesced: AtomicU64,
}

/// What a look finds.
pub(crate) enum Look<'a> {
    /// It is known what is to be served.
    Known(Found),
    /// Nobody knows: the caller is to find out, and whoever comes next waits for him.
    Load(Load<'a>),
}

/// The place of a listing while it is loaded. Dropped unfilled, it goes to the next who
/// waits.
pub(crate) struct Load<'a>(
    PlaceholderGuard<'a, ListingId, Found, Bytes, DefaultHashBuilder, Evictions>,
);

/// The rendering of a change that is on its way to disk, made meanwhile. Whoever comes second,
/// its maker or the disk, puts it in.
#[derive(Debug, Default)]
pub(crate) struct Upcoming(Mutex<Stage>);

#[derive(Debug, Default)]
enum Stage {
    /// It is being made, and the change being written.
    #[default]
    Awaited,
    /// It waits for the disk.
    Made(Arc<ReadListing>),
    /// The disk has been faster.
    Durable,
}

impl Upcoming {
    fn advance(&self, next: Stage) -> Stage {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut stage, next)
    }
}

impl Rendered {
    pub(crate) fn new(bytes_max: NonZeroUsize) -> Self {
        let evictions = Evictions::default();
        Self {
            places: Cache::with(
                bytes_max.get() / RENDERING_BYTES,
                bytes_max.get() as u64,
                Bytes,
                DefaultHashBuilder::default(),
                evictions.clone(),
            ),
            evictions,
            hits: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            coalesced: AtomicU64::new(0),
        }
    }

    /// What is to be served of a listing; waits while another finds out.
    pub(crate) async fn look(&self, id: &ListingId) -> Look<'_> {
        if let Some(found) = self.places.get(id) {
            count(&self.hits);
            return Look::Known(found);
        }
        match self.places.get_value_or_guard_async(id).await {
            Ok(found) => {
                count(&self.coalesced);
                Look::Known(found)
            }
            Err(place) => {
                count(&self.loads);
                Look::Load(Load(place))
            }
        }
    }

    /// A change of the listing has become durable. `tell` says so to whoever mints or
    /// honours tokens, and to loads; `upcoming` is the rendering with the change in it, if
    /// somebody makes it.
    pub(crate) fn supersede(
        &self,
        id: &ListingId,
        upcoming: Option<&Upcoming>,
        tell: impl FnOnce(),
    ) {
        self.places.remove(id);
        tell();
        let before = upcoming.map(|upcoming| upcoming.advance(Stage::Durable));
        if let Some(Stage::Made(listing)) = before {
            self.places.insert(id.clone(), Some(listing));
        }
    }

    /// A rendering that somebody waits for has been made, under the lock of its document that
    /// has been held since its change was submitted.
    pub(crate) fn made(&self, id: &ListingId, upcoming: &Upcoming, listing: &Arc<ReadListing>) {
        let before = upcoming.advance(Stage::Made(Arc::clone(listing)));
        if matches!(before, Stage::Durable) {
            self.places.insert(id.clone(), Some(Arc::clone(listing)));
        }
    }

    pub(crate) fn stats(&self) -> ReadStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReadStats {
            hits: read(&self.hits),
            loads: read(&self.loads),
            coalesced: read(&self.coalesced),
            evictions: read(&self.evictions.0),
            bytes: self.places.weight(),
        }
    }
}

impl Load<'_> {
    /// Serves those who wait, and those who come until the next change.
    pub(crate) fn fill(self, found: Found) {
        // Refused if a change has come meanwhile: those who wait came before it.
        let _ = self.0.insert(found);
    }
}

/// Weighs a place.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<ListingId, Found> for Bytes {
    fn weight(&self, _id: &ListingId, found: &Found) -> u64 {
        let rendering = found.as_ref().map_or(0, |listing| listing.bytes());
        (PLACE_BYTES + rendering) as u64
    }
}

/// Counts what goes for others.
#[derive(Debug, Clone, Default)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<ListingId, Found> for Evictions {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), _id: ListingId, _found: Found) {
        count(&self.0);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
impl Rendered {
    /// Places taken.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}
