//! A copy that was made between the arrival of a ledger and the purge of the log under it.

use std::time::Duration;

use meridian_storage::{Batch, Durability, Store, Writer};
use prost::Message;
use tempfile::TempDir;

use super::{LIFE, copy, named, now_ms};
use crate::codec::{EntryRecord, decode_entry};
use crate::keys::{GroupKey, LOG};
use crate::records::{Records, put};
use crate::tests::{Cluster, block, genesis, node};
use crate::types::LogIdOf;
use crate::{GroupOptions, level};

/// Soon enough for a test, long enough for a command to end before.
const SOON: Duration = Duration::from_millis(80);

fn open(copy: &TempDir, id: u64) -> Store {
    let options = GroupOptions::new(copy.path().to_path_buf(), node(id));
    Store::open(options.store()).expect("a copy")
}

fn ids(copy: &TempDir, id: u64, key: &GroupKey) -> Vec<LogIdOf> {
    let records = Records::over(open(copy, id));
    let entries = records.entries(&key.entry(0), &key.end(), 1_000);
    let entries = entries.expect("readable").into_iter();
    entries
        .map(|(_, record)| decode_entry(&record).expect("an entry").log_id)
        .collect()
}

/// As a snapshot leaves it for a moment: the last entry but one is of an earlier leader and nobody
/// has agreed on it, and the last one, which the ledger has executed, is not there.
async fn overtake(copy: &TempDir, id: u64, key: &GroupKey) {
    let store = open(copy, id);
    let writer = Writer::start(&store).expect("a thread");
    let records = Records::over(store);
    let (_, record) = records
        .last_entry(&key.entry(0), &key.end())
        .expect("readable")
        .expect("entries");
    let last = decode_entry(&record).expect("an entry").log_id;
    let place = key.entry(last.index - 1);
    let mut stored = records.entries(&place, &key.end(), 1).expect("readable");
    let mut entry = decode_entry(&stored.remove(0).1).expect("an entry");
    entry.log_id.leader_id.term -= 1;
    let mut batch = Batch::new();
    batch.delete(LOG, key.entry(last.index));
    let record = EntryRecord::from(&entry).encode_to_vec();
    put(&mut batch, LOG, place, &record);
    let permit = writer.reserve().await.expect("it writes");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    let ended = Writer::ended(writer.failure());
    drop((writer, records));
    ended.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_agreed_on_is_no_part_of_what_stands() {
    let mut cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(94);
    let key = GroupKey::new(&genesis.listing);
    for night in 1..=3 {
        cluster.propose(&genesis, &block(night)).await;
    }
    // Asleep, their ledgers are on disk.
    cluster.at_rest().await;
    let early = [2, 3].map(|id| copy(&cluster, id));
    cluster.propose(&genesis, &block(4)).await;
    cluster.at_rest().await;
    let [two, three] = early;
    let copies = [copy(&cluster, 1), two, three];
    for id in 1..=3 {
        cluster.stop_node(id).await;
    }
    overtake(&copies[2], 3, &key).await;
    let levelled = level(named(&copies), None, LIFE, now_ms()).await;
    levelled.expect("one state");
    let [best, overtaken] = [(0, 1), (2, 3)].map(|(at, id)| ids(&copies[at], id, &key));
    assert!(
        !overtaken.is_empty() && best.ends_with(&overtaken),
        "{overtaken:?} of {best:?}"
    );
}
