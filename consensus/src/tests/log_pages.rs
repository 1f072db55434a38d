//! What a node shows of a log while its ledger, which came whole, stands ahead of it.

use std::time::Duration;

use meridian_storage::{Batch, Durability};
use prost::Message;

use super::{Cluster, block, genesis};
use crate::codec::{EntryRecord, decode_entry};
use crate::keys::{GroupKey, LOG};
use crate::records::put;
use crate::{Groups, LogPage};

/// Soon enough for a test, long enough for a command to end before.
const SOON: Duration = Duration::from_millis(80);

async fn page(groups: &Groups, listing: &meridian_regions::ListingId) -> LogPage {
    let page = groups.log_page(listing, 0).await.expect("readable");
    page.expect("something is applied")
}

/// As a leader that was cut off left it: its last entry was agreed on by nobody, the others went on
/// in a later term, and their ledger has come here before its log was purged.
#[tokio::test(flavor = "multi_thread")]
async fn entries_that_the_ledger_does_not_stand_on_are_not_shown() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(70);
    for night in 1..=3 {
        cluster.propose(&genesis, &block(night)).await;
    }
    cluster.at_rest().await;
    let groups = cluster.node(1);
    let before = page(&groups, &genesis.listing).await;
    let last = before.entries.last().expect("entries");
    assert_eq!(last.index, before.applied_index);

    let place = GroupKey::new(&genesis.listing).entry(before.applied_index);
    let mut stored = groups
        .shared()
        .records
        .entries(&place, &GroupKey::new(&genesis.listing).end(), 1)
        .expect("readable");
    let mut entry = decode_entry(&stored.remove(0).1).expect("an entry");
    entry.log_id.leader_id.term += 1;
    let mut batch = Batch::new();
    put(
        &mut batch,
        LOG,
        place,
        &EntryRecord::from(&entry).encode_to_vec(),
    );
    let permit = groups.shared().writer.reserve().await.expect("it writes");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");

    let shown = page(&groups, &genesis.listing).await;
    assert_eq!(shown.applied_index, before.applied_index);
    assert_eq!(shown.entries, []);
}
