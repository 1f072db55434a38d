//! Digests of heads as they are compared: outlines of shards, and items of a range.
//!
//! They are read from the records that are written in one batch with every change of a
//! document: no document is loaded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meridian_regions::{NodeId, ShardId};
use meridian_replication_core::{Item, Outline, OutlineBuilder, Range};
use meridian_storage::StorageError;

use crate::keys::HEADS;
use crate::replica::Replica;

/// Outlines that a peer's walk has not used for this long are given up: it has ended.
const KEPT: Duration = Duration::from_secs(60);

/// Items read at once: an outline asks for about a thousand.
const ITEMS_MAX: usize = 1 << 16;

/// Outlines made for walks of others: for each peer, those of its latest one.
#[derive(Debug, Default)]
pub(crate) struct Outlines(Mutex<BTreeMap<NodeId, Kept>>);

#[derive(Debug)]
struct Kept {
    walk: u64,
    used: Instant,
    shards: BTreeMap<ShardId, Arc<Outline>>,
}

impl Outlines {
    fn find(&self, peer: NodeId, walk: u64, shard: ShardId) -> Option<Arc<Outline>> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|_, kept| kept.used.elapsed() < KEPT);
        let kept = peers.get_mut(&peer).filter(|kept| kept.walk == walk)?;
        kept.used = Instant::now();
        kept.shards.get(&shard).map(Arc::clone)
    }

    fn keep(&self, peer: NodeId, walk: u64, shard: ShardId, outline: Arc<Outline>) {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = Instant::now();
        let shards = BTreeMap::new();
        let kept = peers.entry(peer).or_insert(Kept { walk, used, shards });
        if kept.walk != walk {
            kept.walk = walk;
            kept.shards.clear();
        }
        kept.shards.insert(shard, outline);
    }
}

impl Replica {
    /// The outline of a shard as it is now. Blocks.
    pub(super) fn outline(&self, shard: ShardId) -> Result<Outline, StorageError> {
        let mut outline = OutlineBuilder::default();
        let mut damaged = None;
        self.visit(shard, |key, digest| match digest.try_into() {
            Ok(digest) => outline.push(key, digest),
            Err(_) => damaged = Some(digest.len()),
        })?;
        damaged.map_or_else(|| Ok(outline.finish()), |bytes| Err(no_digest(bytes)))
    }

    /// The outline that a peer's walk goes by: made once for each walk. Blocks.
    pub(super) fn outline_for(
        &self,
        peer: NodeId,
        walk: u64,
        shard: ShardId,
    ) -> Result<Arc<Outline>, StorageError> {
        let outlines = &self.inner().outlines;
        if let Some(outline) = outlines.find(peer, walk, shard) {
            return Ok(outline);
        }
        let outline = Arc::new(self.outline(shard)?);
        outlines.keep(peer, walk, shard, Arc::clone(&outline));
        Ok(outline)
    }

    /// The items of a range as they are now; the first of them, if very many have come
    /// since the outline was made: then more is compared than differs. Blocks.
    pub(super) fn items(&self, range: &Range) -> Result<Vec<Item>, StorageError> {
        let store = &self.inner().store;
        let stored = store.scan(HEADS, range.from(), range.until(), ITEMS_MAX)?;
        let items = stored.into_iter().map(|(key, digest)| {
            let digest = digest
                .try_into()
                .map_err(|digest: Vec<u8>| no_digest(digest.len()))?;
            Ok(Item { key, digest })
        });
        items.collect()
    }
}

fn no_digest(bytes: usize) -> StorageError {
    StorageError::Read(format!("a digest of {bytes} bytes"))
}
