//! Changes that become visible and durable together.

use rocksdb::WriteBatch;

use crate::Store;

/// An atomic set of changes. Building one touches no disk.
#[derive(Debug, Default)]
pub struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
}

#[derive(Debug)]
enum Operation {
    Put(&'static str, Vec<u8>, Vec<u8>),
    Delete(&'static str, Vec<u8>),
    DeleteRange(&'static str, Vec<u8>, Vec<u8>),
}

impl Batch {
    /// An empty batch: submitted synced, it is a barrier.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` in column family `cf`.
    pub fn put(&mut self, cf: &'static str, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.operations.push(Operation::Put(cf, key, value));
    }

    /// Removes `key` from column family `cf`.
    pub fn delete(&mut self, cf: &'static str, key: Vec<u8>) {
        self.bytes += key.len();
        self.operations.push(Operation::Delete(cf, key));
    }

    /// Removes every key in `[from, until)` from column family `cf`.
    pub fn delete_range(&mut self, cf: &'static str, from: Vec<u8>, until: Vec<u8>) {
        self.bytes += from.len() + until.len();
        self.operations
            .push(Operation::DeleteRange(cf, from, until));
    }

    /// Whether the batch changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Keys and values held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn append_to(&self, store: &Store, target: &mut WriteBatch) {
        for operation in &self.operations {
            match operation {
                Operation::Put(cf, key, value) => target.put_cf(store.family(cf), key, value),
                Operation::Delete(cf, key) => target.delete_cf(store.family(cf), key),
                Operation::DeleteRange(cf, from, until) => {
                    target.delete_range_cf(store.family(cf), from, until);
                }
            }
        }
    }
}
