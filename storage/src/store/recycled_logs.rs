//! Why no log is written over again (ADR 62): what RocksDB makes of logs in which something
//! else was before. When one of these no longer passes, the decision can be looked at again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rocksdb::WriteBatch;
use tempfile::TempDir;

use super::{Store, database_options};
use crate::{Durability, StorageError, StoreOptions};

const FAMILIES: [&str; 2] = ["one", "another"];
/// Logs that are kept to be written over.
const RECYCLED: usize = 4;
/// A log is there to be written over some time after nobody needs it.
const ROTATIONS_MAX: u32 = 1000;
/// RocksDB begins a record anew in each block of a log.
const BLOCK: usize = 32 * 1024;
/// What stands before the value of a small record: the header of a recyclable one, that of its
/// batch, type, family, key with its length, length of the value.
const BEFORE_SMALL: usize = 11 + 12 + 1 + 1 + (1 + 2) + 1;
/// The same of a large one: its length takes three bytes.
const BEFORE_LARGE: usize = BEFORE_SMALL + 2;
/// Where a header says what kind of a record it is, and a whole recyclable one.
const KIND_AT: usize = 6;
const WHOLE: u8 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logs {
    /// As a store has them.
    Fresh,
    /// As they would be.
    Recycled,
}

fn open(folder: &Path, logs: Logs) -> Result<Store, StorageError> {
    let options = StoreOptions {
        path: folder.to_path_buf(),
        column_families: &FAMILIES,
        block_cache_bytes: 1 << 20,
        // Nothing is flushed unasked.
        write_buffer_bytes: 64 << 20,
    };
    match logs {
        Logs::Fresh => Store::open(options),
        Logs::Recycled => {
            let mut database = database_options(&options);
            database.set_recycle_log_file_num(RECYCLED);
            Store::open_with(&database, options)
        }
    }
}

fn put(store: &Store, family: &str, key: &str, value: &[u8], durability: Durability) {
    let mut batch = WriteBatch::default();
    batch.put_cf(store.family(family), key, value);
    store.write(batch, durability).expect("written");
}

fn flush(store: &Store, family: &str) {
    let flushed = store.database.flush_cf(store.family(family));
    flushed.expect("flushed");
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let files = files.map(|file| file.expect("readable").path());
    let is_log = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "log");
    let mut logs: Vec<_> = files.filter(is_log).collect();
    logs.sort();
    logs
}

/// The log that is written now, as it is on disk.
fn latest(folder: &Path) -> (PathBuf, Vec<u8>) {
    let path = logs(folder).pop().expect("a log");
    let bytes = std::fs::read(&path).expect("readable");
    (path, bytes)
}

/// What a process that ends now leaves.
fn left_by(folder: &TempDir) -> TempDir {
    let copy = TempDir::new().expect("a folder");
    for file in std::fs::read_dir(folder.path()).expect("readable") {
        let file = file.expect("readable");
        match std::fs::copy(file.path(), copy.path().join(file.file_name())) {
            // A log of before that was being deleted.
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            copied => drop(copied.expect("copied")),
        }
    }
    copy
}

/// Ends a store when one family has been flushed, another has not, and nothing is in the next log
/// yet: it was begun by a write that still waits, or what was in it was not synced when the power
/// failed. Damages what was acknowledged in the other family, and opens it; answers its key, too.
fn damaged_between_two_flushes(logs_are: Logs) -> (TempDir, String, Result<Store, StorageError>) {
    let folder = TempDir::new().expect("a folder");
    let store = open(folder.path(), logs_are).expect("opens");
    for round in 0..ROTATIONS_MAX {
        let key = format!("acknowledged in round {round}.");
        put(&store, "another", &key, b"value", Durability::Synced);
        put(
            &store,
            "one",
            "key",
            b"acknowledged, too",
            Durability::Synced,
        );
        flush(&store, "one");
        let next_is_recycled = !latest(folder.path()).1.is_empty();
        if next_is_recycled == (logs_are == Logs::Recycled) {
            let left = left_by(&folder);
            damage(left.path(), key.as_bytes());
            let opened = open(left.path(), logs_are);
            return (left, key, opened);
        }
        flush(&store, "another");
    }
    panic!("in {ROTATIONS_MAX} rotations no log was as it had to be");
}

/// Inverts a byte of a key in the log that has it.
fn damage(folder: &Path, key: &[u8]) {
    let found = logs(folder).into_iter().find_map(|log| {
        let bytes = std::fs::read(&log).expect("readable");
        let at = bytes.windows(key.len()).position(|part| part == key)?;
        Some((log, bytes, at))
    });
    let (log, mut bytes, at) = found.expect("some log has it");
    bytes[at] = !bytes[at];
    std::fs::write(log, bytes).expect("written");
}

#[test]
fn damage_is_noticed_between_the_flushes_of_two_families() {
    let (_folder, _key, opened) = damaged_between_two_flushes(Logs::Fresh);
    assert!(
        matches!(opened, Err(StorageError::Open { .. })),
        "{opened:?}"
    );
}

/// The old records of the next log are taken for the place at which recovery has stopped.
#[test]
fn recycled_log_would_hide_damage_between_the_flushes_of_two_families() {
    let (_folder, key, opened) = damaged_between_two_flushes(Logs::Recycled);
    let store = opened.expect("nothing is noticed");
    assert_eq!(store.get("another", key.as_bytes()), Ok(None));
}

/// Of three records, of which the first was synced, the page of the second one is lost in a
/// power cut. Which of the others are there afterwards, where all values in the log were of one
/// byte before?
fn found_behind_a_lost_page(before: u8) -> Vec<&'static str> {
    let folder = TempDir::new().expect("a folder");
    let store = open(folder.path(), Logs::Recycled).expect("opens");
    let (log, old) = (0..ROTATIONS_MAX)
        .find_map(|_| {
            put(
                &store,
                "one",
                "old",
                &[before; 3 * BLOCK],
                Durability::Synced,
            );
            FAMILIES.iter().for_each(|family| flush(&store, family));
            Some(latest(folder.path())).filter(|(_, bytes)| bytes.len() > 2 * BLOCK)
        })
        .expect("a log is written over in the end");
    let small = [7; 64];
    put(&store, "one", "k1", &small, Durability::Synced);
    let end = BEFORE_SMALL + small.len();
    let rest = vec![7; BLOCK - end - BEFORE_LARGE];
    put(&store, "one", "k2", &rest, Durability::Buffered);
    put(&store, "one", "k3", &small, Durability::Buffered);
    let mut torn = latest(folder.path()).1;
    assert_eq!(
        torn[BLOCK + KIND_AT],
        WHOLE,
        "the third record begins a block"
    );
    torn[end..BLOCK].copy_from_slice(&old[end..BLOCK]);
    let left = left_by(&folder);
    let name = log.file_name().expect("a file");
    std::fs::write(left.path().join(name), torn).expect("written");
    let recovered = open(left.path(), Logs::Recycled).expect("opens");
    let is_there = |key: &&str| {
        let found = recovered.get("one", key.as_bytes());
        found.expect("readable").is_some()
    };
    ["k1", "k2", "k3"].into_iter().filter(is_there).collect()
}

/// Zeros where a header should be are passed over, to the next block.
#[test]
fn recycled_log_in_which_zeros_were_would_be_read_past_a_lost_page() {
    assert_eq!(found_behind_a_lost_page(0), ["k1", "k3"]);
    assert_eq!(found_behind_a_lost_page(0xff), ["k1"]);
}
