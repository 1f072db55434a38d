//! A byte that flips on disk: one group stops on one node, and says which record it was.

use std::time::Duration;

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, StorageError};
use tokio::time::timeout;

use super::{Cluster, DEADLINE, block, genesis, hold, node};
use crate::keys::{GroupKey, LOG, STATE, StateKind};
use crate::{Groups, ProposeError, ReadError};

/// Soon enough for a test, long enough for a command to end before.
const SOON: Duration = Duration::from_millis(80);

/// Flips one bit in the midst of a stored value.
pub(super) async fn flip(groups: &Groups, cf: &'static str, key: Vec<u8>) {
    let value = groups.store().get(cf, &key).expect("readable");
    let mut value = value.expect("there");
    let middle = value.len() / 2;
    value[middle] ^= 0x10;
    let mut batch = Batch::new();
    batch.put(cf, key, value);
    let permit = groups.shared().writer.reserve().await.expect("it writes");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
}

/// Where records of the group stand, and their names.
fn places(genesis: &Genesis) -> [(&'static str, Vec<u8>, &'static str); 4] {
    let key = GroupKey::new(&genesis.listing);
    [
        (STATE, key.state(StateKind::Vote), "the vote of"),
        (STATE, key.state(StateKind::Applied), "the applied state of"),
        (
            STATE,
            key.state(StateKind::Genesis),
            "the genesis record of",
        ),
        // The last one, which every wake looks at.
        (LOG, key.entry(3), "entry 3 of"),
    ]
}

/// What a read of a group that is ill says.
async fn refusal(groups: &Groups, genesis: &Genesis) -> String {
    match groups.read(genesis, DEADLINE).await.map(|_| ()) {
        Err(ReadError::Storage(StorageError::Damaged(cause))) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_record_stops_its_group_on_its_node_and_nothing_else() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let whole = genesis(50);
    cluster.propose(&whole, &block(1)).await;
    for number in 0..4 {
        let genesis = genesis(51 + number);
        let place = usize::try_from(number).expect("small");
        let (cf, key, name) = places(&genesis)[place].clone();
        for night in 1..=2 {
            cluster.propose(&genesis, &block(night)).await;
        }
        cluster.at_rest().await;
        // The leader's own copy: the worst place.
        let groups = cluster.node(1);
        flip(&groups, cf, key).await;
        let cause = refusal(&groups, &genesis).await;
        assert!(cause.contains(name), "{cause}");
        assert!(cause.contains(&genesis.listing.to_string()), "{cause}");
        assert_eq!(groups.stats().damaged, number + 1, "it is read once");
        assert_eq!(groups.stats().ill, place + 1);
        // The others lead on, and other groups of the node do not notice.
        cluster.propose(&genesis, &block(3)).await;
        let refused = groups.propose(&genesis, block(4), DEADLINE).await;
        assert!(matches!(refused, Err(ProposeError::Ill(_))), "{refused:?}");
        groups.read(&whole, DEADLINE).await.expect("it leads it");
    }
    assert!(cluster.node(1).failure().borrow().is_none());
    assert_eq!(cluster.node(2).stats().damaged, 0);
}

/// Noticed only while the group is awake: a follower needs the entry.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_entry_is_sent_to_nobody_and_its_leader_leads_no_more() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(56);
    cluster.propose(&genesis, &block(0)).await;
    cluster.cut(3);
    for night in 1..=3 {
        cluster.propose(&genesis, &block(night)).await;
    }
    cluster.at_rest().await;
    let key = GroupKey::new(&genesis.listing);
    flip(&cluster.node(1), LOG, key.entry(3)).await;
    cluster.heal();
    let outcome = timeout(DEADLINE, async {
        loop {
            // Its leader may answer nothing any more, until it is found out.
            let short = Duration::from_secs(1);
            let read = async |groups: Groups| groups.read(&genesis, short).await.ok();
            let view = cluster.until_answered(read).await;
            let behind = cluster.node(3).local(&genesis.listing).expect("readable");
            if behind.ledger.encode() == view.ledger.encode() {
                return view.ledger.revision();
            }
        }
    });
    assert_eq!(outcome.await.expect("it has caught up"), 4);
    assert_eq!(cluster.node(1).stats().ill, 1);
    assert_ne!(
        cluster.node(2).known_leader(&genesis).await,
        Some(node(1)),
        "who cannot be woken leads nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_is_ill_hides_no_other_from_whoever_looks_for_work() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let listings = [60, 61, 62].map(genesis);
    for genesis in &listings {
        cluster.propose(genesis, &hold(1)).await;
    }
    cluster.at_rest().await;
    let groups = cluster.node(1);
    let due = |limit| {
        let due = groups.due(u64::MAX / 2, None, limit).expect("readable");
        due.into_iter().map(|one| one.genesis).collect::<Vec<_>>()
    };
    assert_eq!(due(8).len(), listings.len());
    let place = GroupKey::new(&listings[0].listing).state(StateKind::Genesis);
    flip(&groups, STATE, place).await;
    let others: Vec<Genesis> = listings[1..].to_vec();
    assert_eq!(due(8), others);
    // A page that it would have filled alone.
    assert_eq!(due(1), others[..1]);
}
