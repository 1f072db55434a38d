//! Where the logs on this disk begin: the *floor* of a log is its last entry that is not
//! here any more, and of which the number and the timestamp are kept.
//!
//! Invariant kept here: of every log, exactly the entries above its floor and up to the
//! version vector are on disk. A floor is written in one batch with the deletion of what
//! is not above it, so that nobody who opens the database takes a log for a shorter one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_regions::{Hlc, NodeId, ShardId};
use meridian_replication_core::LogFloor;
use meridian_storage::{Batch, KeyValue, StorageError, Store};

use crate::error::OpenError;
use crate::keys::{self, LOG, PROGRESS, QUARANTINE};

/// Records read at once.
const PAGE: usize = 4_096;

/// The floors of all logs that have one.
#[derive(Debug, Default)]
pub(crate) struct Floors(Mutex<BTreeMap<(NodeId, ShardId), LogFloor>>);

impl Floors {
    pub(crate) fn new(floors: &[LogFloor]) -> Self {
        let floors = floors.iter();
        let floors = floors.map(|floor| ((floor.origin, floor.shard), *floor));
        Self(Mutex::new(floors.collect()))
    }

    pub(crate) fn get(&self, origin: NodeId, shard: ShardId) -> Option<LogFloor> {
        self.floors().get(&(origin, shard)).copied()
    }

    /// The number of a log's floor; 0 for a log that is whole.
    pub(crate) fn seq(&self, origin: NodeId, shard: ShardId) -> u64 {
        self.get(origin, shard).map_or(0, |floor| floor.seq)
    }

    pub(crate) fn all(&self) -> Vec<LogFloor> {
        self.floors().values().copied().collect()
    }

    /// Raises a floor, from now on for whoever asks, and has `submit` write it, given the
    /// number before: under the lock, so that a later one is written later. `None` if it is
    /// as high already.
    pub(crate) fn raise<T>(&self, floor: LogFloor, submit: impl FnOnce(u64) -> T) -> Option<T> {
        let mut floors = self.floors();
        let known = floors.get(&(floor.origin, floor.shard));
        let before = known.map_or(0, |known| known.seq);
        (before < floor.seq).then(|| {
            floors.insert((floor.origin, floor.shard), floor);
            submit(before)
        })
    }

    fn floors(&self) -> MutexGuard<'_, BTreeMap<(NodeId, ShardId), LogFloor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of a log's entries from `from` up to a floor, those that were set aside: they are kept
/// when the others go, because nothing else has them.
pub(crate) fn set_aside(
    store: &Store,
    from: u64,
    floor: &LogFloor,
) -> Result<Vec<KeyValue>, StorageError> {
    let (mut next, until) = bounds(from, floor);
    let mut kept = Vec::new();
    while let Some((place, _)) = store.scan(QUARANTINE, &next, &until, 1)?.pop() {
        // A change that was released by an entry is filed behind that entry's key.
        if keys::parse_entry(&place).is_some()
            && let Some(entry) = store.get(LOG, &place)?
        {
            kept.push((keys::kept(&place), entry));
        }
        next = place;
        next.push(0);
    }
    Ok(kept)
}

/// Adds to a batch that a log begins above `floor`, and the deletion of its entries from
/// `from` up to there, but for the ones that were set aside.
pub(crate) fn put(batch: &mut Batch, set_aside: Vec<KeyValue>, from: u64, floor: &LogFloor) {
    for (place, entry) in set_aside {
        batch.put(PROGRESS, place, entry);
    }
    let (from, until) = bounds(from, floor);
    batch.delete_range(LOG, from, until);
    let key = keys::floor(floor.origin, floor.shard);
    batch.put(PROGRESS, key, encode(floor).to_vec());
}

fn bounds(from: u64, floor: &LogFloor) -> (Vec<u8>, Vec<u8>) {
    let place = |seq| keys::entry(floor.origin, floor.shard, seq);
    (place(from), place(floor.seq.saturating_add(1)))
}

/// The floors on disk.
pub(crate) fn read_all(store: &Store) -> Result<Vec<LogFloor>, OpenError> {
    let (mut from, until) = keys::floors();
    let mut floors = Vec::new();
    loop {
        let page = store.scan(PROGRESS, &from, &until, PAGE)?;
        for (key, value) in &page {
            let floor = decode(key, value);
            floors.push(floor.ok_or_else(|| OpenError::Log("a floor of no log".to_owned()))?);
        }
        let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else {
            return Ok(floors);
        };
        from.clone_from(last);
        from.push(0);
    }
}

/// What is stored of a floor: number, timestamp.
pub(crate) fn encode(floor: &LogFloor) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&floor.seq.to_be_bytes());
    value[8..].copy_from_slice(&floor.hlc.as_u64().to_be_bytes());
    value
}

/// Reads a record of a floor; `None` for anything else.
pub(crate) fn decode(key: &[u8], value: &[u8]) -> Option<LogFloor> {
    let (origin, shard) = keys::parse_floor(key)?;
    let (seq, hlc) = value.split_first_chunk::<8>()?;
    let seq = u64::from_be_bytes(*seq);
    (seq > 0).then_some(LogFloor {
        origin,
        shard,
        seq,
        hlc: Hlc::from_u64(u64::from_be_bytes(hlc.try_into().ok()?)),
    })
}
