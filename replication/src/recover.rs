//! What the log on disk says at a start: how far every origin has come.

use std::collections::BTreeMap;

use meridian_regions::{Hlc, NodeId, ShardId};
use meridian_replication_core::{LogFloor, ReceivedEntry, VersionVector};
use meridian_storage::Store;

use crate::error::OpenError;
use crate::floors;
use crate::keys::{self, HEADS, LOG, PROGRESS, QUARANTINE};
use crate::marks::Marks;

/// Records read at once while counting.
const PAGE: usize = 4_096;
/// A key after every entry.
const LOG_END: [u8; 19] = [0xff; 19];

/// Progress found in the log.
pub(crate) struct Recovered {
    pub(crate) vector: VersionVector,
    /// Where the logs begin that have been trimmed.
    pub(crate) floors: Vec<LogFloor>,
    /// The latest timestamp of each origin.
    pub(crate) seen: BTreeMap<NodeId, Hlc>,
    /// Up to where everything of each origin is here.
    pub(crate) watermarks: BTreeMap<NodeId, Marks>,
    /// Before it, this node has announced that it writes nothing more.
    pub(crate) clock: Hlc,
}

impl Recovered {
    /// The latest timestamp that this node knows of.
    pub(crate) fn last_hlc(&self) -> Hlc {
        let marks = self.watermarks.values().map(Marks::latest);
        let seen = self.seen.values().copied().chain(marks);
        seen.fold(self.clock, Hlc::max)
    }
}

/// Reads the last entry of every origin and shard, or its floor if nothing is above. Acknowledged entries are fsynced
/// and their recovery stops at damage, so that the last one found is the last one.
pub(crate) fn recover(store: &Store) -> Result<Recovered, OpenError> {
    let mut pairs = Vec::new();
    let mut seen: BTreeMap<NodeId, Hlc> = BTreeMap::new();
    let mut from = Vec::new();
    while let Some((key, _)) = store.scan(LOG, &from, &LOG_END, 1)?.into_iter().next() {
        let (origin, shard, _) = keys::parse_entry(&key)
            .ok_or_else(|| OpenError::Log(format!("a key of {} bytes", key.len())))?;
        let last = last_of(store, origin, shard)?;
        let latest = seen.entry(origin).or_default();
        *latest = last.hlc.max(*latest);
        pairs.push((origin, shard, last.seq));
        // Just past the last number that there can be.
        from = keys::entry(origin, shard, u64::MAX);
        from.push(0);
    }
    // What was trimmed counts: its numbers are given, and its times are past.
    let floors = floors::read_all(store)?;
    for floor in &floors {
        pairs.push((floor.origin, floor.shard, floor.seq));
        let latest = seen.entry(floor.origin).or_default();
        *latest = floor.hlc.max(*latest);
    }
    // Documents that were mended may hold what no log here does.
    for (origin, hlc) in timestamps(store, keys::all_seen())? {
        let latest = seen.entry(origin).or_default();
        *latest = hlc.max(*latest);
    }
    Ok(Recovered {
        vector: pairs.into_iter().collect(),
        floors,
        seen,
        // A watermark was written behind the entries that it speaks for, so that a log cut
        // off at its end by a power loss has lost the watermark first.
        watermarks: watermarks(store)?,
        clock: match store.get(PROGRESS, &keys::clock())? {
            Some(value) => timestamp(&value)?,
            None => Hlc::default(),
        },
    })
}

fn watermarks(store: &Store) -> Result<BTreeMap<NodeId, Marks>, OpenError> {
    let whole = timestamps(store, keys::watermarks())?.into_iter();
    let mut watermarks: BTreeMap<NodeId, Marks> = whole
        .map(|(origin, through)| (origin, Marks::all(through)))
        .collect();
    let (from, until) = keys::all_marks();
    for (key, value) in store.scan(PROGRESS, &from, &until, PAGE)? {
        let origin = keys::parse_origin(&key).ok_or_else(nobodys)?;
        watermarks.entry(origin).or_default().take_in(&value)?;
    }
    Ok(watermarks)
}

fn nobodys() -> OpenError {
    OpenError::Log("a timestamp of no node".to_owned())
}

/// Progress records of one kind, by origin.
fn timestamps(
    store: &Store,
    (from, until): ([u8; 1], [u8; 1]),
) -> Result<BTreeMap<NodeId, Hlc>, OpenError> {
    store
        .scan(PROGRESS, &from, &until, PAGE)?
        .into_iter()
        .map(|(key, value)| {
            let origin = keys::parse_origin(&key).ok_or_else(nobodys)?;
            Ok((origin, timestamp(&value)?))
        })
        .collect()
}

fn timestamp(value: &[u8]) -> Result<Hlc, OpenError> {
    value
        .try_into()
        .map(|bytes| Hlc::from_u64(u64::from_be_bytes(bytes)))
        .map_err(|_| OpenError::Log(format!("a timestamp of {} bytes", value.len())))
}

/// How many listings are stored.
pub(crate) fn count_listings(store: &Store) -> Result<u64, OpenError> {
    let mut listings = 0;
    for shard in ShardId::all() {
        let (from, until) = keys::heads_of(shard);
        listings += count(store, HEADS, from, &until)?;
    }
    Ok(listings)
}

/// How many changes have been set aside.
pub(crate) fn count_quarantined(store: &Store) -> Result<u64, OpenError> {
    count(store, QUARANTINE, Vec::new(), &LOG_END)
}

fn count(store: &Store, cf: &str, mut from: Vec<u8>, until: &[u8]) -> Result<u64, OpenError> {
    let mut records = 0;
    loop {
        let page = store.scan(cf, &from, until, PAGE)?;
        records += page.len() as u64;
        let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else {
            return Ok(records);
        };
        from.clone_from(last);
        from.push(0);
    }
}

fn last_of(store: &Store, origin: NodeId, shard: ShardId) -> Result<ReceivedEntry, OpenError> {
    let from = keys::entry(origin, shard, 0);
    let until = keys::entry(origin, shard, u64::MAX);
    let (_, value) = store
        .last_before(LOG, &from, &until)?
        .ok_or_else(|| OpenError::Log(format!("no entry of node {origin} in shard {shard}")))?;
    ReceivedEntry::decode(value).map_err(|cause| OpenError::Log(cause.to_string()))
}
