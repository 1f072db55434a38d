//! Which changes this node has logged itself: it tells a document that was put back from
//! a log that was.

use std::collections::HashSet;
use std::time::Duration;

use meridian_regions::ShardId;
use meridian_replication_core::{ReceivedEntry, made_at};
use meridian_storage::StorageError;

use super::{RepairError, blocking};
use crate::keys::{self, LOG};
use crate::replica::Replica;

/// Entries read at once, and their bytes.
const PAGE: usize = 1_024;
const PAGE_BYTES: usize = 4 << 20;

/// Changes in this node's own log, by the beginning of their hashes: 16 bytes for each.
/// A shard is read when it is asked about, and given up for the next one: what a walk finds
/// of a shard stands together.
#[derive(Debug, Default)]
pub(super) struct OwnLog(Option<(ShardId, HashSet<[u8; 16]>)>);

impl OwnLog {
    /// Whether this node has logged a change of a shard.
    pub(super) async fn contains(
        &mut self,
        replica: &Replica,
        shard: ShardId,
        change: &[u8],
    ) -> Result<bool, RepairError> {
        if replica.was_trimmed(shard, change) {
            return Ok(true);
        }
        if self.0.as_ref().is_none_or(|(read, _)| *read != shard) {
            // First: never two of them in memory.
            self.0 = None;
            let replica = replica.clone();
            let changes = blocking(move || replica.own_changes(shard)).await??;
            self.0 = Some((shard, changes));
        }
        let read = self.0.as_ref();
        Ok(read.is_some_and(|(_, changes)| changes.contains(&name(change))))
    }
}

impl Replica {
    /// Whether a change of this node was logged by an entry that has been trimmed since. A
    /// shard's changes are made and numbered one after the other, so that what was made
    /// before the floor's time stands below it. A log that was set back has its floor from
    /// before whatever it has lost.
    fn was_trimmed(&self, shard: ShardId, change: &[u8]) -> bool {
        let floor = self.inner().floors.get(self.inner().this(), shard);
        let floor = floor.map(|floor| floor.hlc.to_unix_nanos());
        // Told in whole milliseconds: it may have been made up to one later.
        let made_at = made_at(change).map(|at| at.saturating_add(Duration::from_millis(1)));
        made_at.is_some_and(|made_at| floor.is_some_and(|floor| made_at <= floor))
    }

    fn own_changes(&self, shard: ShardId) -> Result<HashSet<[u8; 16]>, StorageError> {
        let this = self.inner().this();
        let mut changes = HashSet::new();
        let mut from = keys::entry(this, shard, 0);
        let until = keys::entry(this, shard, u64::MAX);
        loop {
            let bounds = (&from[..], &until[..]);
            let page = self
                .inner()
                .store
                .scan_within(LOG, bounds, PAGE, PAGE_BYTES)?;
            let Some((last, _)) = page.last() else {
                return Ok(changes);
            };
            from.clone_from(last);
            from.push(0);
            for (_, entry) in page {
                let entry = ReceivedEntry::decode(entry);
                let content = entry.and_then(|entry| entry.content);
                // What cannot be read is not known to be there.
                if let Ok(content) = content {
                    changes.insert(name(&content.change));
                }
            }
        }
    }
}

fn name(change: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(change);
    let mut name = [0; 16];
    name.copy_from_slice(&hash.as_bytes()[..16]);
    name
}
