//! One listing, as a backup has it.
//!
//! Read from the listings' database of one node of the backup, fetched into a folder that goes
//! away again. Nothing is written anywhere else: who wants it back edits the listing.

use anyhow::{Context, bail};
use meridian_regions::{ListingId, RegionId, Shards};
use meridian_replication::{Member, Replica, ReplicaOptions};
use serde_json::Value;
use tempfile::TempDir;

use super::room::ensure_room;
use super::{FileRecord, Manifest, Part, Target};
use crate::supervisor::LISTINGS_FOLDER;

/// The files that are fetched of one node: its database of listings, as a whole, because which
/// of them has the listing is not known outside of it.
fn files_of(part: &Part) -> impl Iterator<Item = &FileRecord> {
    let files = part.files.iter();
    files.filter(|file| file.database == LISTINGS_FOLDER)
}

/// Bytes of these.
pub(crate) fn bytes_of(part: &Part) -> u64 {
    files_of(part).map(|file| file.bytes).sum()
}

/// The listing as the node of `manifest` that has it showed it.
///
/// # Errors
/// A backup that cannot be read, or none of whose nodes has the listing.
pub(crate) async fn listing_in(
    target: &Target,
    manifest: &Manifest,
    id: &ListingId,
    mut each: impl FnMut(&FileRecord),
) -> anyhow::Result<Value> {
    let map = manifest.topology()?;
    for part in &manifest.parts {
        let region = map.node(part.node).map(|node| node.region.clone());
        let region = region.with_context(|| format!("the map lacks node {}", part.node))?;
        if let Some(found) = look(target, (part, region), id, &mut each).await? {
            return Ok(found);
        }
    }
    bail!("backup {} has no listing {id}", manifest.id)
}

async fn look(
    target: &Target,
    (part, region): (&Part, RegionId),
    id: &ListingId,
    each: &mut impl FnMut(&FileRecord),
) -> anyhow::Result<Option<Value>> {
    let folder = TempDir::new().context("cannot make a temporary folder")?;
    let room = ensure_room(folder.path(), bytes_of(part));
    room.context("TMPDIR names where the listings of one node are read")?;
    for file in files_of(part) {
        file.check()?;
        let into = folder.path().join(&file.name);
        target.fetch(file, Some(&into)).await?;
        each(file);
    }
    let this = Member {
        node: part.node,
        region,
        holds: Shards::ALL,
    };
    let options = ReplicaOptions::new(folder.path().to_path_buf(), this, Vec::new());
    let replica = Replica::open(options).context("the listings in the backup")?;
    let found = replica.read(id).await?;
    let found = found.filter(|found| !found.deleted());
    let shown = found.map(|found| serde_json::from_slice(found.json()));
    Ok(shown.transpose()?)
}
