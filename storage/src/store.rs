//! The database and its reads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions, WriteBatch,
    WriteOptions,
};

use crate::synced_mark::SyncedMark;
use crate::{Durability, StorageError};

mod compaction;
#[cfg(test)]
mod recycled_logs;

pub use compaction::{CompactionStats, DiskStats};

/// Info logs kept by RocksDB beside the data: enough to look into last night.
const INFO_LOGS_KEPT: usize = 3;
/// The write-ahead log that a restart may have to replay, in bytes. Past it
/// RocksDB flushes the oldest column family.
const WAL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Flushes and compactions at once. Two leave the cores to the node.
const BACKGROUND_JOBS_MAX: i32 = 2;
/// A part of an index or a filter: what a read of a key that is not in memory loads of it.
const METADATA_BLOCK_BYTES: usize = 4 * 1024;
/// Bits per key of the bloom filters: about 1 % false positives.
const BLOOM_BITS_PER_KEY: f64 = 10.0;

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// How to open a [`Store`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Directory of the database; made if missing.
    pub path: PathBuf,
    /// Every column family, beside RocksDB's own `default`.
    pub column_families: &'static [&'static str],
    /// Memory for blocks read from table files, indexes and filters included, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for writes not yet flushed, over all column families, in bytes.
    pub write_buffer_bytes: usize,
}

/// One open database. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    database: Arc<DB>,
    synced: Arc<Mutex<SyncedMark>>,
    syncs: Arc<AtomicU64>,
    column_families: &'static [&'static str],
}

impl Store {
    /// Opens or creates the database.
    ///
    /// Recovery of the write-ahead log stops at the first damaged record and
    /// never skips one: what follows a hole is not trusted. A database that has
    /// lost what was synced is not opened.
    ///
    /// # Errors
    /// [`StorageError::Open`] when the directory is locked, unreadable or damaged,
    /// [`StorageError::Lost`] when acknowledged changes are missing.
    pub fn open(options: StoreOptions) -> Result<Self, StorageError> {
        Self::open_with(&database_options(&options), options)
    }

    /// Opens it so that what is written buffered stays in this process until the next
    /// synced write: a copy of the folder is what a power cut would have left. For
    /// simulations of one.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open_for_power_cuts(options: StoreOptions) -> Result<Self, StorageError> {
        let mut database = database_options(&options);
        database.set_manual_wal_flush(true);
        Self::open_with(&database, options)
    }

    /// Gives to the operating system what a store for power cuts has kept back, without
    /// an fsync: a copy of the folder is now what the end of the process would have left.
    ///
    /// # Errors
    /// [`StorageError::Write`] when the disk fails.
    pub fn hand_over(&self) -> Result<(), StorageError> {
        self.database
            .flush_wal(false)
            .map_err(|cause| StorageError::Write(cause.into_string()))
    }

    pub(crate) fn open_with(
        database: &Options,
        options: StoreOptions,
    ) -> Result<Self, StorageError> {
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let families = options
            .column_families
            .iter()
            .map(|name| ColumnFamilyDescriptor::new(*name, family_options(&cache)));
        let database = DB::open_cf_descriptors(database, &options.path, families);
        let database = database.map_err(|cause| StorageError::Open {
            path: options.path.clone(),
            cause: cause.into_string(),
        })?;
        let synced = SyncedMark::open(&options.path, database.latest_sequence_number())?;
        Ok(Self {
            database: Arc::new(database),
            synced: Arc::new(Mutex::new(synced)),
            syncs: Arc::default(),
            column_families: options.column_families,
        })
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`StorageError::Read`] when the disk or a checksum fails.
    pub fn get(&self, cf: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.database
            .get_cf(self.family(cf), key)
            .map_err(|cause| StorageError::Read(cause.into_string()))
    }

    /// At most `limit` pairs with `from <= key < until`, in key order.
    ///
    /// # Errors
    /// [`StorageError::Read`] when the disk or a checksum fails.
    pub fn scan(
        &self,
        cf: &str,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<KeyValue>, StorageError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_upper_bound(until.to_vec());
        self.database
            .iterator_cf_opt(
                self.family(cf),
                bounds,
                IteratorMode::From(from, Direction::Forward),
            )
            .take(limit)
            .map(|item| {
                item.map(|(key, value)| (key.into_vec(), value.into_vec()))
                    .map_err(|cause| StorageError::Read(cause.into_string()))
            })
            .collect()
    }

    /// Shows `each` every pair with `from <= key < until`, in key order, and keeps none. All are of
    /// one moment: until the end the database holds on to what they stand in.
    ///
    /// # Errors
    /// [`StorageError::Read`] when the disk or a checksum fails; what was shown before stands.
    pub fn visit(
        &self,
        cf: &str,
        (from, until): (&[u8], &[u8]),
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), StorageError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_upper_bound(until.to_vec());
        let mut pairs = self.database.raw_iterator_cf_opt(self.family(cf), bounds);
        pairs.seek(from);
        while let Some((key, value)) = pairs.item() {
            each(key, value);
            pairs.next();
        }
        pairs
            .status()
            .map_err(|cause| StorageError::Read(cause.into_string()))
    }

    /// Pairs with `from <= key < until`, in key order: at most `limit`, and none that
    /// would bring keys and values together above `bytes_max`, unless it is the first.
    /// What is left out has not been kept in memory.
    ///
    /// # Errors
    /// [`StorageError::Read`] when the disk or a checksum fails.
    pub fn scan_within(
        &self,
        cf: &str,
        (from, until): (&[u8], &[u8]),
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<KeyValue>, StorageError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_upper_bound(until.to_vec());
        let pairs = self.database.iterator_cf_opt(
            self.family(cf),
            bounds,
            IteratorMode::From(from, Direction::Forward),
        );
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for pair in pairs.take(limit) {
            let (key, value) = pair.map_err(|cause| StorageError::Read(cause.into_string()))?;
            bytes += key.len() + value.len();
            if !taken.is_empty() && bytes > bytes_max {
                break;
            }
            taken.push((key.into_vec(), value.into_vec()));
        }
        Ok(taken)
    }

    /// The pair with the greatest key in `[from, until)`.
    ///
    /// # Errors
    /// [`StorageError::Read`] when the disk or a checksum fails.
    pub fn last_before(
        &self,
        cf: &str,
        from: &[u8],
        until: &[u8],
    ) -> Result<Option<KeyValue>, StorageError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(from.to_vec());
        bounds.set_iterate_upper_bound(until.to_vec());
        self.database
            .iterator_cf_opt(self.family(cf), bounds, IteratorMode::End)
            .next()
            .map(|item| {
                item.map(|(key, value)| (key.into_vec(), value.into_vec()))
                    .map_err(|cause| StorageError::Read(cause.into_string()))
            })
            .transpose()
    }

    pub(crate) fn write(
        &self,
        batch: WriteBatch,
        durability: Durability,
    ) -> Result<(), StorageError> {
        if batch.is_empty() && durability == Durability::Buffered {
            // A barrier in the queue: it asks nothing of the disk.
            return Ok(());
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.database
            .write_opt(batch, &options)
            .map_err(|cause| StorageError::Write(cause.into_string()))?;
        if durability == Durability::Synced {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            // Nobody else writes: what the number counts is what has just been synced.
            let sequence = self.database.latest_sequence_number();
            let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
            synced
                .advance(sequence)
                .map_err(|cause| StorageError::Write(cause.to_string()))?;
        }
        Ok(())
    }

    /// Makes a database in the new folder `into` that holds what this one holds at one moment
    /// of the call: everything that was acknowledged before it began. Table files are linked,
    /// not copied, so that `into` has to be on the same file system, and never change. Blocks
    /// for as long as a flush takes.
    ///
    /// # Errors
    /// [`StorageError::Checkpoint`] if the folder is there, or the disk fails.
    pub fn checkpoint(&self, into: &Path) -> Result<(), StorageError> {
        let made = Checkpoint::new(&self.database).and_then(|made| made.create_checkpoint(into));
        made.map_err(|cause| StorageError::Checkpoint {
            path: into.to_path_buf(),
            cause: cause.into_string(),
        })
    }

    /// About how many bytes the latest values of some column families take on disk, and in memory
    /// until they are there; as the database counts its own files.
    ///
    /// # Errors
    /// [`StorageError::Read`] if it does not say.
    pub fn bytes_estimated(&self, families: &[&str]) -> Result<u64, StorageError> {
        let mut bytes = 0;
        for family in families {
            for property in [
                "rocksdb.estimate-live-data-size",
                "rocksdb.cur-size-all-mem-tables",
            ] {
                let said = self
                    .database
                    .property_int_value_cf(self.family(family), property)
                    .map_err(|cause| StorageError::Read(cause.into_string()))?;
                bytes += said.unwrap_or(0);
            }
        }
        Ok(bytes)
    }

    /// How often what was written has been synced since the database was opened: once for each
    /// group of writes in which something had to be.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// # Panics
    /// If the store was opened without `name`: the families are constants of the
    /// caller, so that this is a bug there.
    pub(crate) fn family(&self, name: &str) -> &ColumnFamily {
        self.database
            .cf_handle(name)
            .unwrap_or_else(|| panic!("the store was opened without column family {name}"))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Store")
            .field("path", &self.database.path())
            .finish()
    }
}

pub(crate) fn database_options(options: &StoreOptions) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_track_and_verify_wals_in_manifest(true);
    // No log is written over again (`recycle_log_file_num`): ADR 62.
    database.set_paranoid_checks(true);
    database.set_db_write_buffer_size(options.write_buffer_bytes);
    database.set_max_total_wal_size(WAL_BYTES_MAX);
    database.set_max_background_jobs(BACKGROUND_JOBS_MAX);
    database.set_keep_log_file_num(INFO_LOGS_KEPT);
    database
}

fn family_options(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    // Whole, the index and the filter of a large table are megabytes, read for one key.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(METADATA_BLOCK_BYTES);
    table.set_pin_top_level_index_and_filter(true);
    let mut family = Options::default();
    family.set_block_based_table_factory(&table);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_bottommost_compression_type(DBCompressionType::Zstd);
    family.set_level_compaction_dynamic_level_bytes(true);
    family
}
