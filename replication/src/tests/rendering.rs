//! What a place in the cache of renderings may be filled with.

use std::num::NonZeroUsize;
use std::sync::Arc;

use meridian_regions::{ListingId, UnixNanos};
use meridian_replication_core::ListingDocument;

use super::setup::{draft, listing, node};
use crate::ReadListing;
use crate::rendered::{Found, Load, Look, Rendered, Upcoming};

fn cache(bytes_max: usize) -> Rendered {
    Rendered::new(NonZeroUsize::new(bytes_max).expect("not zero"))
}

fn rendering(id: &ListingId, title: &str) -> Found {
    let at = UnixNanos::from_millis(1);
    let (document, _change) = ListingDocument::create(id, node(1), at, &draft(title));
    Some(Arc::new(ReadListing::render(&document)))
}

/// A change with this rendering becomes durable.
fn supersede(cache: &Rendered, id: &ListingId, found: &Found) {
    let upcoming = upcoming(cache, id, found);
    cache.supersede(id, Some(&upcoming), || ());
}

/// The rendering of a change that is still being written.
fn upcoming(cache: &Rendered, id: &ListingId, found: &Found) -> Upcoming {
    let upcoming = Upcoming::default();
    cache.made(id, &upcoming, found.as_ref().expect("a rendering"));
    upcoming
}

async fn load<'a>(cache: &'a Rendered, id: &ListingId) -> Load<'a> {
    match cache.look(id).await {
        Look::Load(load) => load,
        Look::Known(found) => panic!("{found:?} is known"),
    }
}

async fn known(cache: &Rendered, id: &ListingId) -> Found {
    match cache.look(id).await {
        Look::Known(found) => found,
        Look::Load(_) => panic!("nothing is known"),
    }
}

#[tokio::test]
async fn load_that_a_change_overtook_fills_nothing() {
    let (cache, id) = (cache(1 << 20), listing(1));
    let (before, after) = (rendering(&id, "Before"), rendering(&id, "After"));
    // Whether it saw nothing or something, and whether the change came with its
    // rendering or without.
    for seen in [None, before] {
        let overtaken = load(&cache, &id).await;
        cache.supersede(&id, None, || ());
        overtaken.fill(seen.clone());
        let overtaken = load(&cache, &id).await;
        supersede(&cache, &id, &after);
        overtaken.fill(seen);
        assert_eq!(known(&cache, &id).await, after);
        cache.supersede(&id, None, || ());
    }
}

#[tokio::test]
async fn no_token_speaks_of_a_change_while_what_was_before_is_served() {
    let (cache, id) = (cache(1 << 20), listing(1));
    let after = rendering(&id, "After");
    load(&cache, &id).await.fill(rendering(&id, "Before"));
    assert_eq!(cache.len(), 1);
    let upcoming = upcoming(&cache, &id, &after);
    cache.supersede(&id, Some(&upcoming), || assert_eq!(cache.len(), 0));
    assert_eq!(known(&cache, &id).await, after);
}

/// Whichever is slower, the disk or the rendering: as soon as both are done, and not before.
#[tokio::test]
async fn rendering_is_served_once_it_is_made_and_its_change_durable() {
    let (cache, id) = (cache(1 << 20), listing(1));
    let (before, after) = (rendering(&id, "Before"), rendering(&id, "After"));
    let rendered = after.clone().expect("a rendering");
    for is_disk_faster in [false, true] {
        load(&cache, &id).await.fill(before.clone());
        let upcoming = Upcoming::default();
        if is_disk_faster {
            cache.supersede(&id, Some(&upcoming), || ());
            // Who comes in between waits for the document's lock; he fills nothing then.
            let overtaken = load(&cache, &id).await;
            cache.made(&id, &upcoming, &rendered);
            overtaken.fill(before.clone());
        } else {
            cache.made(&id, &upcoming, &rendered);
            assert_eq!(known(&cache, &id).await, before, "not durable");
            cache.supersede(&id, Some(&upcoming), || ());
        }
        assert_eq!(known(&cache, &id).await, after);
        cache.supersede(&id, None, || ());
    }
}

#[tokio::test]
async fn change_too_large_to_be_kept_still_supersedes() {
    let id = listing(1);
    let (small, large) = (
        rendering(&id, "Loft"),
        rendering(&id, &"Very large loft".repeat(10)),
    );
    let bytes = |found: &Found| found.as_ref().map_or(0, |found| found.bytes());
    let cache = cache(bytes(&small) + (bytes(&large) - bytes(&small)) / 2 + 256);
    load(&cache, &id).await.fill(small.clone());
    supersede(&cache, &id, &large);
    let overtaken = load(&cache, &id).await;
    supersede(&cache, &id, &large);
    overtaken.fill(small);
    load(&cache, &id).await;
}

#[tokio::test]
async fn renderings_go_for_others_within_the_bound() {
    const BYTES_MAX: usize = 256 << 10;
    let cache = cache(BYTES_MAX);
    let hot = listing(0);
    load(&cache, &hot).await.fill(rendering(&hot, "Hot"));
    for number in 1..1_000 {
        let id = listing(number);
        load(&cache, &id).await.fill(rendering(&id, "Loft"));
        known(&cache, &hot).await;
    }
    let stats = cache.stats();
    assert!(stats.bytes <= BYTES_MAX as u64, "{stats:?}");
    assert_eq!(stats.evictions, 1_000 - cache.len() as u64);
    assert_eq!((stats.hits, stats.loads, stats.coalesced), (999, 1_000, 0));
}
