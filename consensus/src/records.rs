//! Records of groups on disk, each with a checksum of its own.
//!
//! Every log entry, vote, state and note is stored behind a checksum over its key and its
//! bytes, and is read in no other way. RocksDB's own checksums tell of a block that has
//! rotted on disk; these tell of everything between us and there: memory, a compaction
//! gone wrong, a record under the key of another.
//!
//! A record that does not match is an error that names the group and the record. Nothing
//! is skipped and nothing guessed: that group does not run on this node from then on, its
//! other voters go on, and so do all other groups here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_storage::{Batch, KeyValue, StorageError, Store};
use twox_hash::XxHash3_64;

use crate::keys::{GroupKey, LOG, described};

/// Bytes before a record: the format, then the checksum.
const HEAD_BYTES: usize = 9;
/// Format of a sealed record. Another one is refused by its number.
const FORMAT: u8 = 1;
/// Groups that are remembered to be ill. With so many, the disk is to be replaced; those
/// beyond are found to be ill again at every use.
const ILL_MAX: usize = 1_024;

/// The records in a database, read with their checksums. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    store: Store,
    damaged: Arc<AtomicU64>,
    /// What was found damaged first, of groups of which something was.
    ill: Arc<Mutex<HashMap<GroupKey, String>>>,
}

impl Records {
    pub(crate) fn over(store: Store) -> Self {
        Self {
            store,
            damaged: Arc::default(),
            ill: Arc::default(),
        }
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// How often a record did not match its checksum.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// How many groups do not run here for it.
    pub(crate) fn ill(&self) -> usize {
        self.ills().len()
    }

    /// Whether a group may run here.
    ///
    /// # Errors
    /// What of it was found to be damaged since this node started.
    pub(crate) fn check(&self, group: &GroupKey) -> Result<(), StorageError> {
        let ills = self.ills();
        ills.get(group)
            .map_or(Ok(()), |cause| Err(StorageError::Damaged(cause.clone())))
    }

    /// The record under `key`.
    pub(crate) fn get(&self, cf: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let sealed = self.store.get(cf, key)?;
        sealed.map(|sealed| self.open(cf, key, sealed)).transpose()
    }

    /// At most `limit` entries of logs, from `from` on, before `until`.
    pub(crate) fn entries(
        &self,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<KeyValue>, StorageError> {
        let sealed = self.store.scan(LOG, from, until, limit)?;
        let opened = sealed.into_iter().map(|(key, sealed)| {
            let record = self.open(LOG, &key, sealed)?;
            Ok((key, record))
        });
        opened.collect()
    }

    /// The last entry of logs in `[from, until)`.
    pub(crate) fn last_entry(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> Result<Option<KeyValue>, StorageError> {
        let last = self.store.last_before(LOG, from, until)?;
        last.map(|(key, sealed)| {
            let record = self.open(LOG, &key, sealed)?;
            Ok((key, record))
        })
        .transpose()
    }

    fn open(&self, cf: &str, key: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        let unsealed = match unseal(key, &sealed) {
            Ok(()) => {
                sealed.drain(..HEAD_BYTES);
                return Ok(sealed);
            }
            Err(unsealed) => unsealed,
        };
        self.damaged.fetch_add(1, Ordering::Relaxed);
        let record = described(cf, key);
        let cause = format!("{record} {unsealed}");
        self.fall_ill(GroupKey::in_key(key), &cause);
        Err(StorageError::Damaged(cause))
    }

    /// Keeps a group from running here, and says so, once.
    pub(crate) fn fall_ill(&self, group: Option<GroupKey>, cause: &str) {
        let mut ills = self.ills();
        let Some(group) = group.filter(|_| ills.len() < ILL_MAX) else {
            tracing::error!(cause, "a record of a group cannot be used");
            return;
        };
        ills.entry(group).or_insert_with(|| {
            tracing::error!(cause, "a group does not run on this node any more");
            cause.to_owned()
        });
    }

    fn ills(&self) -> MutexGuard<'_, HashMap<GroupKey, String>> {
        self.ill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a record into a batch, behind its checksum.
pub(crate) fn put(batch: &mut Batch, cf: &'static str, key: Vec<u8>, record: &[u8]) {
    let sealed = seal(&key, record);
    batch.put(cf, key, sealed);
}

pub(crate) fn seal(key: &[u8], record: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEAD_BYTES + record.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&checksum(key, record).to_le_bytes());
    sealed.extend_from_slice(record);
    sealed
}

/// Why what stands under a key is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealed {
    #[error("is damaged: it does not match its checksum")]
    Damaged,
    #[error(
        "is of format {0}, which this release does not know: run the release that wrote it; if \
         none did, the record is damaged"
    )]
    Unknown(u8),
}

/// Checks a record: the rest of it is what was sealed.
pub(crate) fn unseal(key: &[u8], sealed: &[u8]) -> Result<(), Unsealed> {
    match sealed.split_first_chunk::<HEAD_BYTES>() {
        Some(([FORMAT, sum @ ..], record)) if *sum == checksum(key, record).to_le_bytes() => Ok(()),
        Some(([FORMAT, ..], _)) | None => Err(Unsealed::Damaged),
        Some(([format, ..], _)) => Err(Unsealed::Unknown(*format)),
    }
}

fn checksum(key: &[u8], record: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(key), record)
}

#[cfg(test)]
mod tests {
    use super::{Unsealed, seal, unseal};

    #[test]
    fn every_flipped_bit_and_every_other_key_is_noticed() {
        let is_whole = |key: &[u8], sealed: &[u8]| unseal(key, sealed).is_ok();
        let sealed = seal(b"key", b"a record");
        assert!(is_whole(b"key", &sealed));
        assert!(!is_whole(b"kez", &sealed));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(b"key", &flipped), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(!is_whole(b"key", &sealed[..length]), "cut at {length}");
        }
        assert!(is_whole(b"key", &seal(b"key", b"")));
    }

    #[test]
    fn record_of_another_format_is_refused_by_its_number() {
        let mut sealed = seal(b"key", b"a record");
        sealed[0] = 2;
        let refused = unseal(b"key", &sealed).expect_err("not ours");
        assert_eq!(refused, Unsealed::Unknown(2));
        assert!(refused.to_string().contains("format 2"), "{refused}");
        assert_eq!(unseal(b"key", &sealed[..3]), Err(Unsealed::Damaged));
    }
}
