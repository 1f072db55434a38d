//! Replicas, listings and entries to test with.

use std::path::PathBuf;
use std::time::Duration;

use meridian_regions::{Genesis, ListingId, NodeId, Shards, Survival, UnixNanos};
use meridian_replication_core::{
    Currency, EditOp, ListingDraft, Location, LogEntry, Money, ReceivedEntry, ValidDraft,
};
use meridian_storage::Writer;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::keys::LOG;
use crate::{Member, Replica, ReplicaOptions};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const REGIONS: [&str; 3] = ["us-east", "eu-west", "ap-southeast"];

pub(crate) fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

pub(crate) fn member(id: u64) -> Member {
    let index = (usize::try_from(id).expect("small") - 1) % REGIONS.len();
    Member {
        node: node(id),
        region: REGIONS[index].parse().expect("a region"),
        holds: Shards::ALL,
    }
}

/// Node 4 was removed long ago.
pub(crate) fn options(path: PathBuf, id: u64) -> ReplicaOptions {
    let others = (1..=3).filter(|other| *other != id).map(member).collect();
    let mut options = ReplicaOptions::new(path, member(id), others);
    options.departed.push(node(4));
    options
}

pub(crate) fn open(path: PathBuf, id: u64) -> Replica {
    Replica::open(options(path, id)).expect("opened")
}

/// Replicas of nodes 1 and 2, and their folders: to be bound in this order, so that these go
/// last.
pub(crate) fn pair() -> ([TempDir; 2], Replica, Replica) {
    let folders = [1, 2].map(|_| TempDir::new().expect("a folder"));
    let [one, other] = [0, 1].map(|place| folders[place].path().to_path_buf());
    (folders, open(one, 1), open(other, 2))
}

pub(crate) fn listing(number: u64) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(number), number.into(), home)
}

pub(crate) fn draft(title: &str) -> ValidDraft {
    let price = Money {
        amount: 12_900,
        currency: "EUR".parse::<Currency>().expect("a currency"),
    };
    ListingDraft::new(title, Location::at(59.9, 10.7), 4, price)
        .validate()
        .expect("valid")
}

pub(crate) fn genesis(listing: &ListingId) -> Genesis {
    Genesis {
        listing: listing.clone(),
        survival: Survival::Region,
        voters: vec![node(1), node(2), node(3)],
        map_epoch: 1,
        created_by: node(1),
    }
}

pub(crate) async fn create(replica: &Replica, number: u64) -> ListingId {
    let id = listing(number);
    let genesis = Genesis {
        created_by: replica.inner().this(),
        ..genesis(&id)
    };
    let made = replica.create(&id, &draft("Loft"), genesis).await;
    made.expect("durable");
    id
}

pub(crate) fn amenity(name: &str) -> [EditOp; 1] {
    [EditOp::Add {
        path: "/amenities".to_owned(),
        value: name.to_owned(),
    }]
}

pub(crate) async fn title(replica: &Replica, id: &ListingId) -> Option<String> {
    let read = replica.read(id).await.expect("readable")?;
    Some(read.view().title.clone())
}

/// Everything in a replica's log.
pub(crate) fn entries(replica: &Replica) -> Vec<LogEntry> {
    let stored = replica.inner().store.scan(LOG, &[], &[0xff; 20], 10_000);
    let stored = stored.expect("readable").into_iter();
    stored
        .map(|(_, bytes)| LogEntry::decode(&bytes).expect("an entry"))
        .collect()
}

/// Entries as a peer sends them.
pub(crate) fn sent<'a>(entries: impl IntoIterator<Item = &'a LogEntry>) -> Vec<ReceivedEntry> {
    entries.into_iter().map(ReceivedEntry::from).collect()
}

/// Lets go of a replica and waits until its database is closed.
pub(crate) async fn close(replica: Replica) {
    let failure = replica.failure();
    drop(replica);
    timeout(PATIENCE, Writer::ended(failure))
        .await
        .expect("closed");
}
