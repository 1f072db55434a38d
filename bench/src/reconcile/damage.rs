//! Documents that are put back or taken away by hand, in the database of a replica that is not
//! running. Its log still says that it has them.

use std::path::Path;

use anyhow::Context;
use meridian_regions::ListingId;
use meridian_replication_core::{ListingDocument, item_key};
use meridian_storage::{Batch, Durability, Store, Writer};

use super::open;

const CHANGES: &str = "changes";
const HEADS: &str = "heads";
const GENESIS: &str = "genesis";
/// Of one listing: its creation, and one change of it.
const CHANGES_MAX: usize = 16;

/// Puts every second of these listings back to its creation, and takes the others away.
pub(super) async fn damage(
    database: &Path,
    listings: impl Iterator<Item = ListingId>,
) -> anyhow::Result<()> {
    let store = open(database)?;
    let writer = Writer::start(&store)?;
    let mut batch = Batch::new();
    for (place, listing) in listings.enumerate() {
        if place % 2 == 0 {
            put_back(&store, &mut batch, &listing)?;
        } else {
            take_away(&mut batch, &listing);
        }
    }
    let permit = writer.reserve().await?;
    permit.submit(batch, Durability::Synced).await?;
    let failure = writer.failure();
    drop((writer, store));
    Writer::ended(failure).await;
    Ok(())
}

fn put_back(store: &Store, batch: &mut Batch, listing: &ListingId) -> anyhow::Result<()> {
    let (from, until) = changes_of(listing);
    let changes = store.scan(CHANGES, &from, &until, CHANGES_MAX)?;
    let (creation, later) = changes.split_first().context("a document is stored")?;
    let document = ListingDocument::load(listing, None, [&creation.1[..]])?;
    let digest = document.heads().digest();
    batch.put(HEADS, item_key(listing), digest.to_vec());
    for (key, _) in later {
        batch.delete(CHANGES, key.clone());
    }
    Ok(())
}

fn take_away(batch: &mut Batch, listing: &ListingId) {
    let (from, until) = changes_of(listing);
    batch.delete_range(CHANGES, from, until);
    batch.delete(HEADS, item_key(listing));
    batch.delete(GENESIS, listing.to_key());
}

/// The bounds of a listing's changes: the length of its key, the key, who made which.
fn changes_of(listing: &ListingId) -> (Vec<u8>, Vec<u8>) {
    let key = listing.to_key();
    let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
    let from = [&[length], &key[..]].concat();
    let until = [&from[..], &[0xff; 17]].concat();
    (from, until)
}
