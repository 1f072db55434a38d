//! What the logs take on disk, by a few entries of each.

use meridian_regions::{NodeId, ShardId};
use meridian_replication_core::{LogFloor, ReceivedEntry};
use meridian_storage::StorageError;

use super::plan::{Section, Surveyed};
use crate::keys::{self, LOG};
use crate::replica::Inner;

/// Sections of a log: each is taken to be as large as its last entry makes it. A shorter log
/// is measured entry by entry.
const SECTIONS: u64 = 32;

impl Inner {
    /// Every log of which something is here. Blocks.
    pub(super) fn survey(&self) -> Result<Vec<Surveyed>, StorageError> {
        let logs = self.progress.vector();
        let logs = logs.iter().filter_map(|(origin, shard, last)| {
            let floor = self.floors.seq(origin, shard);
            (floor < last).then(|| self.survey_log(origin, shard, floor, last))
        });
        logs.collect()
    }

    fn survey_log(
        &self,
        origin: NodeId,
        shard: ShardId,
        floor: u64,
        last: u64,
    ) -> Result<Surveyed, StorageError> {
        let (mut sections, mut before) = (Vec::new(), floor);
        for end in ends(floor, last) {
            let key = keys::entry(origin, shard, end);
            // What is missing, or cannot be read, goes with what is behind it.
            let Some(entry) = self.store.get(LOG, &key)? else {
                continue;
            };
            let bytes = (key.len() + entry.len()) as u64;
            let Ok(entry) = ReceivedEntry::decode(entry) else {
                continue;
            };
            let end = LogFloor {
                origin,
                shard,
                seq: end,
                hlc: entry.hlc,
            };
            let bytes = bytes * (end.seq - before);
            before = end.seq;
            sections.push(Section { end, bytes });
        }
        Ok(Surveyed { last, sections })
    }
}

/// Where the sections of a log end.
fn ends(floor: u64, last: u64) -> Vec<u64> {
    let count = last - floor;
    let parts = count.min(SECTIONS);
    // Wide: a number times the sections may pass 64 bits.
    let end = |part: u64| u128::from(count) * u128::from(part) / u128::from(parts);
    let ends = (1..=parts).map(|part| floor + u64::try_from(end(part)).unwrap_or(count));
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn sections_cover_a_log_from_its_floor_to_its_last_entry() {
        assert_eq!(ends(7, 10), [8, 9, 10]);
        let many = ends(100, 1_100);
        assert_eq!((many.len(), many[0], many[31]), (32, 131, 1_100));
        assert_eq!(ends(0, u64::MAX).last(), Some(&u64::MAX));
    }
}
