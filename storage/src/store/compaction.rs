//! What the database does beside its writers' work: it flushes what is in memory, and rewrites its
//! files.

use super::Store;
use crate::{WriteStats, Writer};

/// What runs in the background, over all column families.
const RUNNING: [&str; 2] = [
    "rocksdb.num-running-compactions",
    "rocksdb.num-running-flushes",
];
/// What is to be rewritten, of one of them.
const PENDING: &str = "rocksdb.estimate-pending-compaction-bytes";

/// How far a database is with rewriting its files. Writes are held up where it falls far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactionStats {
    /// Compactions and flushes that run now.
    pub running: u64,
    /// About how many bytes are to be rewritten, of all column families.
    pub pending_bytes: u64,
}

impl CompactionStats {
    /// Whether nothing is to be rewritten.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.running == 0 && self.pending_bytes == 0
    }
}

/// What a database and its disk are at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskStats {
    /// Synced writes since the start, and how long they took.
    pub writes: WriteStats,
    /// Batches that wait for the disk.
    pub writes_queued: usize,
    /// What is rewritten.
    pub compaction: CompactionStats,
}

impl DiskStats {
    /// Of a database and who writes to it.
    #[must_use]
    pub fn of(store: &Store, writer: &Writer) -> Self {
        Self {
            writes: writer.stats(),
            writes_queued: writer.queued(),
            compaction: store.compaction(),
        }
    }
}

impl Store {
    /// What is rewritten now, and what waits for it; 0 where the database does not say.
    #[must_use]
    pub fn compaction(&self) -> CompactionStats {
        let of_all = |name: &&str| self.database.property_int_value(*name).ok()?;
        let families = self.column_families.iter();
        let pending = families.filter_map(|family| {
            let family = self.family(family);
            let pending = self.database.property_int_value_cf(family, PENDING);
            pending.ok()?
        });
        CompactionStats {
            running: RUNNING.iter().filter_map(of_all).sum(),
            pending_bytes: pending.sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use crate::{CompactionStats, Store, StoreOptions};

    const FAMILY: &str = "records";
    const RECORD_BYTES: usize = 64 << 10;
    /// A gigabyte: a memory of one megabyte is flushed long before.
    const RECORDS_MAX: u64 = 16 << 10;

    #[test]
    fn what_is_rewritten_is_told_until_it_is_done() {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(StoreOptions {
            path: folder.path().to_path_buf(),
            column_families: &[FAMILY],
            block_cache_bytes: 1 << 20,
            write_buffer_bytes: 1 << 20,
        });
        let store = store.expect("opened");
        assert_eq!(store.compaction(), CompactionStats::default());
        let family = store.family(FAMILY);
        let is_told = (0..RECORDS_MAX).any(|number| {
            // All over the family, so that files overlap.
            let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let written = store.database.put_cf(family, key, [0; RECORD_BYTES]);
            written.expect("written");
            !store.compaction().is_done()
        });
        assert!(is_told, "a megabyte is flushed");
        while !store.compaction().is_done() {
            std::thread::yield_now();
        }
    }
}
