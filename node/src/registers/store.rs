//! Registers on disk: a small database of their own, so that no plane depends on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_storage::{
    Batch, Committed, DiskStats, Durability, StorageError, Store, StoreOptions, WritePermit, Writer,
};
use prost::Message;

use super::digests::{Digests, bucket};
use super::record::{Record, Register, Space, Stamp};

/// The only column family.
const REGISTERS: &str = "registers";
/// Memory for blocks read, in bytes: all endpoints fit.
const BLOCK_CACHE_BYTES: usize = 2 << 20;
/// Memory for writes that are not flushed, in bytes.
const WRITE_BUFFER_BYTES: usize = 4 << 20;
/// Registers that are read in one scan of a whole space or bucket: more than a space that is
/// listed may have, or a bucket of ten million.
const SCAN_MAX: usize = 65_536;

type Name = (Space, String);

pub(crate) struct RegisterStore {
    store: Store,
    writer: Writer,
    /// Stamps that are on their way to the disk.
    pending: Mutex<HashMap<Name, Stamp>>,
}

impl RegisterStore {
    /// Opens or makes the database in `path`.
    pub(crate) fn open(path: PathBuf) -> Result<Self, StorageError> {
        let store = Store::open(StoreOptions {
            path,
            column_families: &[REGISTERS],
            block_cache_bytes: BLOCK_CACHE_BYTES,
            write_buffer_bytes: WRITE_BUFFER_BYTES,
        })?;
        let writer = Writer::start(&store)?;
        Ok(Self {
            store,
            writer,
            pending: Mutex::default(),
        })
    }

    /// The writer's failure, for whoever waits until the database is closed.
    pub(crate) fn failure(&self) -> tokio::sync::watch::Receiver<Option<StorageError>> {
        self.writer.failure()
    }

    /// What the database and its disk are at.
    pub(super) fn disk(&self) -> DiskStats {
        DiskStats::of(&self.store, &self.writer)
    }

    /// A copy of the database in a new folder.
    pub(super) fn checkpoint(&self, into: &Path) -> Result<(), StorageError> {
        self.store.checkpoint(into)
    }

    pub(super) async fn reserve(&self) -> Result<WritePermit, StorageError> {
        self.writer.reserve().await
    }

    /// Queues a write. Whoever calls decides under a lock of its own which write is later.
    pub(super) fn submit(&self, permit: WritePermit, register: &Register) -> Committed {
        let mut batch = Batch::new();
        let value = Record::from(register).encode_to_vec();
        batch.put(REGISTERS, key(register.space, &register.key), value);
        let name = (register.space, register.key.clone());
        self.pending().insert(name, register.stamp);
        permit.submit(batch, Durability::Synced)
    }

    /// A write is on disk: reads find it there.
    pub(super) fn settled(&self, register: &Register) {
        let name = (register.space, register.key.clone());
        let mut pending = self.pending();
        if pending.get(&name) == Some(&register.stamp) {
            pending.remove(&name);
        }
    }

    /// The stamp of the last write that was submitted.
    pub(super) fn stamp(&self, space: Space, key: &str) -> Result<Option<Stamp>, StorageError> {
        if let Some(stamp) = self.pending().get(&(space, key.to_owned())) {
            return Ok(Some(*stamp));
        }
        Ok(self.read(space, key)?.map(|register| register.stamp))
    }

    pub(super) fn read(&self, space: Space, name: &str) -> Result<Option<Register>, StorageError> {
        let found = self.store.get(REGISTERS, &key(space, name))?;
        found.map(|bytes| decode(&bytes)).transpose()
    }

    /// Every register of a space, deleted ones too.
    pub(super) fn list(&self, space: Space) -> Result<Vec<Register>, StorageError> {
        let code = space.code();
        self.scan(&[code], &[code + 1])
    }

    /// Every register of a bucket, deleted ones too.
    pub(super) fn bucket(&self, space: Space, bucket: u8) -> Result<Vec<Register>, StorageError> {
        let code = space.code();
        match bucket.checked_add(1) {
            Some(next) => self.scan(&[code, bucket], &[code, next]),
            None => self.scan(&[code, bucket], &[code + 1]),
        }
    }

    /// Digests of everything, read once at the start.
    pub(super) fn digests(&self) -> Result<Digests, StorageError> {
        let mut digests = Digests::empty();
        for space in Space::ALL {
            for bucket in 0..=u8::MAX {
                for register in self.bucket(space, bucket)? {
                    digests.replace(&register, None);
                }
            }
        }
        Ok(digests)
    }

    fn scan(&self, from: &[u8], until: &[u8]) -> Result<Vec<Register>, StorageError> {
        let found = self.store.scan(REGISTERS, from, until, SCAN_MAX)?;
        found.iter().map(|(_, value)| decode(value)).collect()
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Name, Stamp>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bucket by bucket, so that one is a scan.
fn key(space: Space, name: &str) -> Vec<u8> {
    let mut key = vec![space.code(), bucket(name)];
    key.extend_from_slice(name.as_bytes());
    key
}

fn decode(bytes: &[u8]) -> Result<Register, StorageError> {
    let record = Record::decode(bytes).ok().and_then(Record::read);
    record.ok_or_else(|| StorageError::Read("a register that cannot be read".to_owned()))
}
