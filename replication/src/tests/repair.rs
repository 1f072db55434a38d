//! What the log has lost is found by comparing documents, and mended by them.

use std::path::Path;

use meridian_regions::{Hlc, ListingId, NodeId, Shards};
use meridian_replication_core::LogEntry;
use meridian_storage::{Batch, Durability, Store, StoreOptions, Writer};
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, data_of};
use super::events::names;
use super::returning::until;
use super::setup::{
    PATIENCE, amenity, close, create, draft, entries, genesis, listing, node, open, options, sent,
    title,
};
use crate::keys::{self, CHANGES, FAMILIES, GENESIS, HEADS, LOG};
use crate::sequencer::now;
use crate::{LogLost, Precondition, RepairRound, RepairScope, Replica, ReplicaOptions, RoundState};

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// Node 1 has created a listing and edited it twice, and every node has that.
pub(super) struct Past {
    pub(super) folder: TempDir,
    pub(super) id: ListingId,
    pub(super) log: Vec<LogEntry>,
    /// The digest of the listing's heads after each entry.
    pub(super) digests: Vec<Vec<u8>>,
}

impl Past {
    pub(super) async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let writer = open(data_of(folder.path(), 1), 1);
        let id = create(&writer, 1).await;
        let mut digests = vec![digest(&writer, &id)];
        for name in ["first", "second"] {
            let edited = writer.edit(&id, &amenity(name), Precondition::None).await;
            edited.expect("durable");
            digests.push(digest(&writer, &id));
        }
        let log = entries(&writer);
        close(writer).await;
        let past = Self {
            folder,
            id,
            log,
            digests,
        };
        for other in [2, 3] {
            past.tell(other, 3).await;
        }
        past
    }

    /// The database of a node as it was when node 1 had written entry `count`.
    pub(super) async fn begin_again(&self, other: u64, count: usize) {
        let data = data_of(self.folder.path(), other);
        std::fs::remove_dir_all(data).expect("removed");
        self.tell(other, count).await;
    }

    /// Gives a node what node 1 had written by its entry `count`.
    async fn tell(&self, other: u64, count: usize) {
        let replica = open(data_of(self.folder.path(), other), other);
        replica
            .apply(sent(&self.log[..count]))
            .await
            .expect("applied");
        close(replica).await;
    }

    /// Changes the database of a node by hand.
    pub(super) async fn by_hand(&self, id: u64, change: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new();
        change(&mut batch);
        write(&data_of(self.folder.path(), id), batch).await;
    }

    /// The database of a node forgets the listing's document beyond entry `count`.
    pub(super) async fn put_document_back(&self, id: u64, count: usize) {
        self.by_hand(id, |batch| {
            for entry in &self.log[count..] {
                batch.delete(CHANGES, keys::change(&self.id, entry.origin, entry.seq));
            }
            batch.put(
                HEADS,
                keys::heads(&self.id),
                self.digests[count - 1].clone(),
            );
        })
        .await;
    }

    /// The database of a node forgets a listing, of which its log says that it is there.
    async fn forget(&self, id: u64, listing: &ListingId) {
        self.by_hand(id, |batch| {
            batch.delete(HEADS, keys::heads(listing));
            batch.delete(GENESIS, listing.to_key());
            batch.delete_range(
                CHANGES,
                keys::listing_prefix(listing),
                keys::changes_end(listing),
            );
        })
        .await;
    }

    /// Node 1 creates listings beside the one of this past, and every node has them.
    async fn create_beside(&self, listings: &[u64]) -> Vec<ListingId> {
        let writer = open(data_of(self.folder.path(), 1), 1);
        let mut beside = Vec::new();
        for number in listings {
            beside.push(create(&writer, *number).await);
        }
        let log = entries(&writer);
        close(writer).await;
        for other in [2, 3] {
            let replica = open(data_of(self.folder.path(), other), other);
            replica.apply(sent(&log)).await.expect("applied");
            close(replica).await;
        }
        beside
    }

    /// Node 1 has lost its last change of the listing, and no log has it.
    async fn lose_last_change(&self) {
        self.put_document_back(1, 2).await;
        for everybody in [1, 2, 3] {
            self.lose_entry(everybody, 2).await;
        }
    }

    /// The log of node 1 in the database of a node loses entry number `index`.
    async fn lose_entry(&self, id: u64, index: usize) {
        let entry = &self.log[index];
        let key = keys::entry(entry.origin, entry.shard, entry.seq);
        self.by_hand(id, |batch| batch.delete(LOG, key)).await;
    }
}

async fn write(path: &Path, batch: Batch) {
    let store = Store::open(StoreOptions {
        path: path.to_path_buf(),
        column_families: FAMILIES,
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    });
    let store = store.expect("opened");
    let writer = Writer::start(&store).expect("started");
    let permit = writer.reserve().await.expect("room");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("durable");
    let failure = writer.failure();
    drop((writer, store));
    timeout(PATIENCE, Writer::ended(failure))
        .await
        .expect("closed");
}

pub(super) fn digest(replica: &Replica, id: &ListingId) -> Vec<u8> {
    let stored = replica.inner().store.get(HEADS, &keys::heads(id));
    stored.expect("readable").expect("there is one")
}

/// Waits until a node, by its place in the cluster, reaches both others.
async fn connected(cluster: &Cluster, index: usize) {
    let others = (1..=3).map(node);
    let others: Vec<NodeId> = others.filter(|id| id.get() != index as u64 + 1).collect();
    until("it is connected", async || {
        let mesh = &cluster.meshes[index];
        others.iter().all(|other| mesh.connected(*other))
    })
    .await;
}

/// Has a node compare and mend until it has visited everybody.
pub(super) async fn repaired(cluster: &Cluster, index: usize) -> RepairRound {
    let replica = &cluster.replicas[index];
    loop {
        connected(cluster, index).await;
        let ended = round_of(replica).await;
        if ended.progress.peers_done == ended.progress.peers {
            return ended;
        }
    }
}

/// Has a node compare with whomever it reaches, and mend.
async fn round_of(replica: &Replica) -> RepairRound {
    let asked = replica.repair(RepairScope::Everything).expect("room");
    until("the round is over", async || {
        ended(replica, asked.round).is_some()
    })
    .await;
    ended(replica, asked.round).expect("it is over")
}

fn ended(replica: &Replica, round: u64) -> Option<RepairRound> {
    let rounds = replica.repairs().into_iter();
    rounds
        .filter(|known| known.round == round)
        .find(|known| known.state.is_over())
}

fn have(replica: &Replica, origin: NodeId) -> u64 {
    let vector = replica.inner().progress.vector();
    vector
        .iter()
        .filter(|(found, _, _)| *found == origin)
        .map(|(_, _, seq)| seq)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn document_that_was_put_back_is_mended_and_its_numbers_stay() {
    let past = Past::new().await;
    past.put_document_back(2, 1).await;
    let id = past.id.clone();
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    let put_back = &cluster.replicas[1];
    assert_eq!(have(put_back, node(1)), 3, "the log says that all is here");
    let round = repaired(&cluster, 1).await;
    assert_eq!(round.state, RoundState::Done, "{round:?}");
    let totals = put_back.repair_totals();
    assert_eq!((totals.differing, totals.mended, totals.refused), (1, 1, 0));
    assert_eq!(digest(put_back, &id), past.digests[2]);
    let read = put_back.read(&id).await.expect("readable").expect("there");
    let shown = String::from_utf8_lossy(read.json());
    assert!(shown.contains("second"), "{shown}");
    assert_eq!(have(put_back, node(1)), 3);
    assert_eq!(entries(put_back).len(), 3);
    assert_eq!(put_back.stats().quarantined, 0);
    // Nothing is found twice, and who has lost nothing finds nothing.
    for index in 0..3 {
        let round = repaired(&cluster, index).await;
        assert_eq!(round.progress.differing, 0, "{round:?}");
    }
    cluster.converged().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_was_deleted_by_hand_comes_back_with_its_genesis() {
    let past = Past::new().await;
    let id = past.id.clone();
    past.forget(2, &id).await;
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    let mended = &cluster.replicas[1];
    assert_eq!(title(mended, &id).await, None);
    assert_eq!(mended.stats().listings, 0);
    repaired(&cluster, 1).await;
    assert_eq!(mended.repair_totals().mended, 1);
    assert!(title(mended, &id).await.is_some());
    assert_eq!(mended.stats().listings, 1);
    let genesis = |replica: &Replica| replica.genesis(&id).expect("readable").expect("there");
    assert_eq!(genesis(mended), genesis(&cluster.replicas[0]));
    cluster.converged().await;
    cluster.stop().await;
}

/// Pulling stands still at the hole: nobody can say what stood there, but everybody can
/// have what it did.
#[tokio::test(flavor = "multi_thread")]
async fn what_stood_behind_a_hole_in_a_log_comes_by_way_of_documents() {
    let past = Past::new().await;
    for other in [2, 3] {
        past.begin_again(other, 1).await;
    }
    past.lose_entry(1, 1).await;
    let (id, last) = (past.id.clone(), past.log[2].hlc);
    let path = data_of(past.folder.path(), 2);
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    for index in [1, 2] {
        repaired(&cluster, index).await;
        assert_eq!(cluster.replicas[index].repair_totals().refused, 0);
    }
    cluster.converged().await;
    let mended = &cluster.replicas[1];
    assert_eq!(digest(mended, &id), past.digests[2]);
    assert_eq!(have(mended, node(1)), 1, "no entry has come");
    // What came with a document is told as what comes with a log is.
    let told = names(&cluster.replicas[0]);
    assert_eq!((names(mended), told.len()), (told, 3));
    // Who reads here has seen it, and so says the session's token; also after a restart.
    assert!(mended.session_token().demand(node(1)) >= Some(last));
    let look = async || {
        let reopened = open(path, 2);
        assert!(reopened.session_token().demand(node(1)) >= Some(last));
        assert_eq!(digest(&reopened, &id), past.digests[2]);
        close(reopened).await;
    };
    cluster.stop_and_keep(look).await;
}

/// The lag says that something is missing, and it is of one shard.
#[tokio::test(flavor = "multi_thread")]
async fn hole_in_a_log_holds_up_no_other_log() {
    let past = Past::new().await;
    for other in [2, 3] {
        past.begin_again(other, 1).await;
    }
    past.lose_entry(1, 1).await;
    let broken = Shards::from(past.id.shard());
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    let others = (100..)
        .map(listing)
        .filter(|id| !broken.contains(id.shard()));
    let id = others.take(1).next().expect("another shard");
    let (source, target) = (&cluster.replicas[0], &cluster.replicas[1]);
    let made = source.create(&id, &draft("Loft"), genesis(&id)).await;
    made.expect("durable");
    until("it has come by its log", async || {
        target.inner().progress.durable_of(node(1), id.shard()) == 1
    })
    .await;
    let written = source.inner().sequencer.now();
    until("and everything else, too", async || {
        let progress = &target.inner().progress;
        progress.reaches(node(1), Shards::ALL - broken, written)
    })
    .await;
    assert!(!target.inner().progress.reaches(node(1), broken, written));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_own_document_was_put_back_mends_it_and_writes_on() {
    let past = Past::new().await;
    past.put_document_back(1, 2).await;
    let id = past.id.clone();
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    let writer = &cluster.replicas[0];
    repaired(&cluster, 0).await;
    assert_eq!(writer.repair_totals().mended, 1);
    assert_eq!(*writer.log_lost().borrow(), None, "its log has the change");
    let edited = writer
        .edit(&id, &amenity("third"), Precondition::None)
        .await;
    edited.expect("durable");
    cluster.converged().await;
    for replica in &cluster.replicas {
        assert_eq!(replica.stats().quarantined, 0);
    }
    cluster.stop().await;
}

/// Node 1 has made a change that no log has, and that it has lost; the documents of the
/// others hold it.
async fn past_in_no_log() -> Past {
    let past = Past::new().await;
    past.lose_last_change().await;
    past
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_has_lost_a_change_of_its_own_from_document_and_log_takes_no_writes() {
    let past = past_in_no_log().await;
    let path = data_of(past.folder.path(), 1);
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    let writer = &cluster.replicas[0];
    let mut lost = writer.log_lost();
    connected(&cluster, 0).await;
    writer.repair(RepairScope::Everything).expect("room");
    let noticed = timeout(PATIENCE, lost.wait_for(Option::is_some));
    let noticed = noticed.await.expect("in time").expect("it runs").clone();
    assert!(
        matches!(noticed, Some(LogLost::Change { .. })),
        "{noticed:?}"
    );
    assert!(
        noticed
            .expect("noticed")
            .to_string()
            .contains("meridian rejoin")
    );
    let again = amenity("again");
    let refused = writer.edit(&past.id, &again, Precondition::None).await;
    refused.expect_err("it would give a number twice");
    // Nor after another start, before a round could notice again: until it has come back.
    let look = async || {
        let restarted = open(path.clone(), 1);
        assert!(matches!(
            &*restarted.log_lost().borrow(),
            Some(LogLost::Before(_))
        ));
        let refused = restarted.edit(&past.id, &again, Precondition::None).await;
        refused.expect_err("it would give a number twice");
        close(restarted).await;
        let returns = |life: &str| ReplicaOptions {
            returns: Some(life.to_owned()),
            ..options(path.clone(), 1)
        };
        let back = Replica::open(returns("a return")).expect("opened");
        assert_eq!(*back.log_lost().borrow(), None);
        back.complete_return().await.expect("durable");
        close(back).await;
        let back = Replica::open(returns("a return")).expect("opened");
        assert_eq!(*back.log_lost().borrow(), None);
        assert!(back.waiting().is_none());
        close(back).await;
    };
    cluster.stop_and_keep(look).await;
}

/// Documents that are fetched together are written one after the other, and awaited together.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_before_the_change_that_is_lost_is_mended_and_the_rest_is_not() {
    let past = Past::new().await;
    let shard = |number| listing(number).shard();
    let own = past.id.shard();
    let below = (2..).find(|number| shard(*number) < own);
    let above = (2..).find(|number| shard(*number) > own);
    let beside = past
        .create_beside(&[below.expect("one"), above.expect("one")])
        .await;
    past.lose_last_change().await;
    for forgotten in &beside {
        past.forget(1, forgotten).await;
    }
    let cluster = Cluster::start_in(past.folder, &[(1, 2)], None, None);
    let writer = &cluster.replicas[0];
    until("it is connected", async || {
        cluster.meshes[0].connected(node(2))
    })
    .await;
    let round = round_of(writer).await;
    assert_eq!(round.progress.differing, 3, "{round:?}");
    assert_eq!(round.progress.mended, 1, "{round:?}");
    let mut there = 0;
    for forgotten in &beside {
        there += usize::from(title(writer, forgotten).await.is_some());
    }
    assert_eq!(there, 1, "the one that came first");
    assert!(writer.log_lost().borrow().is_some());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_comes_back_has_what_only_documents_hold_before_it_writes() {
    let past = past_in_no_log().await;
    let id = past.id.clone();
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, Some(1));
    let back = &cluster.replicas[0];
    until("it writes again", async || back.waiting().is_none()).await;
    assert_eq!(digest(back, &id), past.digests[2]);
    let edited = back.edit(&id, &amenity("third"), Precondition::None).await;
    edited.expect("durable");
    cluster.converged().await;
    for replica in &cluster.replicas {
        assert_eq!(replica.stats().quarantined, 0, "no number was given twice");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn round_that_reaches_not_everybody_says_so() {
    let past = Past::new().await;
    let cluster = Cluster::start_in(past.folder, &[(1, 2)], None, None);
    let round = round_of(&cluster.replicas[0]).await;
    assert_eq!(round.state, RoundState::Incomplete);
    let said = round.progress.last_error.expect("why");
    assert!(said.contains("node 3"), "{said}");
    cluster.stop().await;
}

/// What is mended sets the clock, as an entry of a log does: so it is bounded alike.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_peer_that_has_seen_a_time_far_ahead_are_refused() {
    let past = Past::new().await;
    past.put_document_back(2, 1).await;
    let id = past.id.clone();
    let cluster = Cluster::start_in(past.folder, &[(1, 2)], None, None);
    let (peer, put_back) = (&cluster.replicas[0], &cluster.replicas[1]);
    let ahead = Hlc::from_unix_nanos(now().saturating_add(PATIENCE));
    peer.inner().progress.saw(&[(node(1), ahead)]);
    until("it is connected", async || {
        cluster.meshes[1].connected(node(1))
    })
    .await;
    round_of(put_back).await;
    assert_eq!(digest(put_back, &id), past.digests[0]);
    cluster.stop().await;
}
