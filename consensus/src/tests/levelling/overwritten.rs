//! An earlier copy whose log ends in what has come to nothing: a leader had appended it alone, and
//! another went on without it.

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, Writer};
use prost::Message;
use tempfile::TempDir;
use tokio::time::timeout;

use super::super::{Cluster, DEADLINE, block, genesis, store_in};
use super::bridged::led_by_another;
use super::{LIFE, caught_up, copy, level, moment, named, now_ms};
use crate::applied_state::AppliedState;
use crate::codec::{EntryRecord, decode_entry};
use crate::keys::{GroupKey, LOG, STATE, StateKind};
use crate::records::{Records, put};
use crate::types::{EntryOf, LogIdOf};
use crate::{LevelError, Until};

/// More entries than any of these groups has.
const ALL: usize = 64;

/// The last entry of a group's log in a copy.
fn last(records: &Records, genesis: &Genesis) -> EntryOf {
    let key = GroupKey::new(&genesis.listing);
    let page = records.entries(&key.entry(0), &key.end(), ALL);
    let page = page.expect("readable");
    decode_entry(&page.last().expect("a log").1).expect("an entry")
}

/// What a copy has executed, as its ledger on disk says.
fn applied(records: &Records, genesis: &Genesis) -> LogIdOf {
    let key = GroupKey::new(&genesis.listing).state(StateKind::Applied);
    let record = records
        .get(STATE, &key)
        .expect("readable")
        .expect("a ledger");
    let applied = AppliedState::log_id_in(&record).expect("a ledger");
    applied.expect("who votes is applied")
}

/// Has a copy's log end in one entry more, which nobody else has: its leader had sent it to nobody.
async fn appended_alone(copy: &TempDir, genesis: &Genesis) {
    let store = store_in(copy);
    let writer = Writer::start(&store).expect("started");
    let mut entry = last(&Records::over(store), genesis);
    let (term, index) = (entry.log_id.leader_id.term, entry.log_id.index + 1);
    entry.log_id = LogIdOf::new_term_index(term, index);
    let key = GroupKey::new(&genesis.listing).entry(index);
    let mut batch = Batch::new();
    put(
        &mut batch,
        LOG,
        key,
        &EntryRecord::from(&entry).encode_to_vec(),
    );
    let permit = writer.reserve().await.expect("it writes");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    let failure = writer.failure();
    drop(writer);
    timeout(DEADLINE, Writer::ended(failure))
        .await
        .expect("closed");
}

/// Night 2 was acknowledged before the earlier backup, and its time is later than the moment: the
/// clock of its leader was ahead. Node 1 had led, and appended something that came to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_earlier_backup_has_is_never_undone_whatever_time_it_tells() {
    let mut cluster = Cluster::start();
    let genesis = genesis(108);
    cluster.propose(&genesis, &block(1)).await;
    let at_ms = moment().await;
    cluster.propose(&genesis, &block(2)).await;
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 2).await;
    }
    let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    for (copy, id) in copies.iter().zip(1..) {
        let records = Records::over(store_in(copy));
        let (executed, end) = (applied(&records, &genesis), last(&records, &genesis).log_id);
        assert!(
            executed.index + 1 < end.index,
            "{id}: both nights are in its log alone"
        );
    }
    appended_alone(&copies[0], &genesis).await;
    cluster.propose(&genesis, &block(3)).await;
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 3).await;
    }
    let second = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    for copy in &second {
        let end = last(&Records::over(store_in(copy)), &genesis).log_id;
        led_by_another(copy, &genesis, end).await;
    }
    let until = Until {
        copies: named(&second),
        at_ms,
    };
    let levelled = cluster.restore_until(copies, Some(until)).await;
    assert_eq!(levelled.forward.short_total, 0, "{levelled:?}");
    for night in [1, 2] {
        assert!(!cluster.is_free(&genesis, night, "again").await, "{night}");
    }
    assert!(cluster.is_free(&genesis, 3, "new").await, "it was later");
}

/// By index alone the later log would go on where the earlier copy ends.
#[tokio::test(flavor = "multi_thread")]
async fn later_log_with_another_entry_where_a_copy_has_executed_one_is_of_another_history() {
    let cluster = Cluster::start();
    let genesis = genesis(109);
    cluster.propose(&genesis, &block(1)).await;
    let earlier = [1, 2, 3].map(|id| copy(&cluster, id));
    cluster.propose(&genesis, &block(2)).await;
    let at_ms = moment().await;
    let later = [1, 2, 3].map(|id| copy(&cluster, id));
    let (end, executed) = {
        let copies = earlier.iter();
        let ends = copies.map(|copy| {
            let records = Records::over(store_in(copy));
            (last(&records, &genesis).log_id, applied(&records, &genesis))
        });
        ends.max().expect("three copies")
    };
    for copy in &later {
        for at in [executed, end] {
            led_by_another(copy, &genesis, at).await;
        }
    }
    let until = Until {
        copies: named(&later),
        at_ms,
    };
    let refused = level(named(&earlier), Some(until), LIFE, now_ms()).await;
    let refused = refused.expect_err("another history");
    assert!(
        matches!(refused, LevelError::AnotherLife { .. }),
        "{refused:?}"
    );
    let listing = genesis.listing.to_string();
    assert!(refused.to_string().contains(&listing), "{refused}");
}
