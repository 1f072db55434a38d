//! Later copies that tell a group's log together, as none of them does alone.

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, Writer};
use prost::Message;
use tempfile::TempDir;
use tokio::time::timeout;

use super::super::{Cluster, DEADLINE, block, genesis, node, store_in};
use super::{ENTRIES_MANY, LIFE, caught_up, copy, level, moment, named, now_ms};
use crate::applied_state::AppliedState;
use crate::codec::{EntryRecord, LogIdRecord, decode_entry};
use crate::keys::{GroupKey, LOG, STATE, StateKind};
use crate::records::{Records, put};
use crate::types::LogIdOf;
use crate::{BookingsCopy, Levelled, Until};

/// Entries after which one node is copied: behind the first that are cut off later, and before any
/// is cut off there.
const ENTRIES_BETWEEN: usize = 230;

/// Proposes again and again what is refused: an entry each.
async fn fill(cluster: &Cluster, genesis: &Genesis, attempts: std::ops::Range<usize>) {
    for attempt in attempts {
        let attempt = format!("attempt {attempt}");
        assert!(!cluster.is_free(genesis, 1, &attempt).await);
    }
}

/// Awaits that a node has applied an entry.
async fn applied(cluster: &Cluster, id: u64, genesis: &Genesis, index: u64) {
    let groups = cluster.node(id);
    timeout(DEADLINE, async {
        loop {
            cluster.read(genesis).await;
            let view = groups.local(&genesis.listing).expect("readable");
            if view.applied_index >= Some(index) {
                return;
            }
        }
    })
    .await
    .expect("it has everything");
}

/// The entry before the first that a copy still has.
fn before_the_first(copy: &TempDir, genesis: &Genesis) -> LogIdOf {
    let records = Records::over(store_in(copy));
    let key = GroupKey::new(&genesis.listing).state(StateKind::Purged);
    let record = records.get(STATE, &key).expect("readable");
    let record = record.expect("something was cut off");
    LogIdRecord::decode(record.as_slice())
        .expect("an id")
        .into()
}

/// Has the entry of an index be one of another term in a copy, and its ledger have executed that
/// one, if it had executed it last: as if somebody else had led there.
pub(super) async fn led_by_another(copy: &TempDir, genesis: &Genesis, at: LogIdOf) {
    let store = store_in(copy);
    let writer = Writer::start(&store).expect("started");
    let key = GroupKey::new(&genesis.listing);
    let records = Records::over(store);
    let page = records.entries(&key.entry(at.index), &key.end(), 1);
    let page = page.expect("readable");
    let mut entry = decode_entry(&page.first().expect("it is there").1).expect("an entry");
    assert_eq!(entry.log_id, at);
    entry.log_id = LogIdOf::new_term_index(at.leader_id.term + 1, at.index);
    let mut batch = Batch::new();
    let record = EntryRecord::from(&entry).encode_to_vec();
    put(&mut batch, LOG, key.entry(at.index), &record);
    let place = key.state(StateKind::Applied);
    if let Some(applied) = records.get(STATE, &place).expect("readable") {
        let mut applied = AppliedState::decode(&applied).expect("a ledger");
        if applied.log_id == Some(at) {
            applied.log_id = Some(entry.log_id);
            put(&mut batch, STATE, place, &applied.encode());
        }
    }
    let permit = writer.reserve().await.expect("it writes");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    let failure = writer.failure();
    drop((writer, records));
    timeout(DEADLINE, Writer::ended(failure))
        .await
        .expect("closed");
}

/// The first backup, and of a second one what nodes 1 and 2 have at its end, node 3 from before.
struct Backups {
    earlier: Vec<TempDir>,
    last: Vec<TempDir>,
    between: TempDir,
    at_ms: u64,
}

impl Backups {
    async fn of(cluster: &Cluster, genesis: &Genesis) -> Self {
        cluster.propose(genesis, &block(1)).await;
        for id in 1..=3 {
            caught_up(cluster, id, genesis, 1).await;
        }
        let earlier = vec![copy(cluster, 1), copy(cluster, 2), copy(cluster, 3)];
        cluster.propose(genesis, &block(2)).await;
        fill(cluster, genesis, 0..ENTRIES_BETWEEN).await;
        applied(cluster, 3, genesis, ENTRIES_BETWEEN as u64).await;
        let between = copy(cluster, 3);
        fill(cluster, genesis, ENTRIES_BETWEEN..ENTRIES_MANY).await;
        cluster.propose(genesis, &block(3)).await;
        let at_ms = moment().await;
        cluster.propose(genesis, &block(4)).await;
        Self {
            earlier,
            last: vec![copy(cluster, 1), copy(cluster, 2)],
            between,
            at_ms,
        }
    }

    /// The later copies, that of node 3 among them or not.
    fn until(&self, between: Option<&TempDir>) -> Until {
        let mut copies = named(&self.last);
        copies.extend(between.map(|folder| BookingsCopy {
            node: node(3),
            folder: folder.path().to_path_buf(),
        }));
        Until {
            copies,
            at_ms: self.at_ms,
        }
    }

    async fn level(&self, between: Option<&TempDir>) -> Levelled {
        let until = self.until(between);
        let levelled = level(named(&self.earlier), Some(until), LIFE, now_ms()).await;
        levelled.expect("levelled")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_begins_late_is_read_on_from_a_copy_that_has_the_entry_before_its_first() {
    let mut cluster = Cluster::start();
    let genesis = genesis(106);
    let backups = Backups::of(&cluster, &genesis).await;
    let before = before_the_first(&backups.last[0], &genesis);
    assert!(before.index > 8, "nothing reaches back: {before}");
    let alone = backups.level(None).await;
    assert_eq!((alone.forward.groups, alone.forward.short_total), (0, 1));
    let until = backups.until(Some(&backups.between));
    let levelled = cluster.restore_until(backups.earlier, Some(until)).await;
    let forward = &levelled.forward;
    assert_eq!((forward.groups, forward.short_total), (1, 0));
    assert!(forward.entries > ENTRIES_MANY as u64, "{forward:?}");
    for night in [1, 2, 3] {
        assert!(!cluster.is_free(&genesis, night, "again").await, "{night}");
    }
    assert!(cluster.is_free(&genesis, 4, "new").await, "it was later");
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_that_has_another_entry_where_a_log_begins_tells_nothing_of_it() {
    let cluster = Cluster::start();
    let genesis = genesis(107);
    let backups = Backups::of(&cluster, &genesis).await;
    let before = before_the_first(&backups.last[0], &genesis);
    led_by_another(&backups.between, &genesis, before).await;
    let levelled = backups.level(Some(&backups.between)).await;
    let forward = &levelled.forward;
    assert_eq!((forward.groups, forward.short_total), (0, 1));
}
