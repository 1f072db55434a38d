//! Copies of three nodes that were made at different moments, and the cluster that begins with
//! them.

mod bridged;
mod lives;
mod overtaken;
mod overwritten;
mod terms;
mod unread;

use meridian_consensus_core::Rejection;
use meridian_regions::Genesis;
use tempfile::TempDir;

use super::damage::flip;
use super::{Cluster, block, genesis, node};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::{BookingsCopy, Levelled, Past, Until, level};

const LIFE: &str = "restored";
/// More than a snapshot and the entries that are kept behind it.
const ENTRIES_MANY: usize = 340;

/// A copy of a node's database as it is now.
fn copy(cluster: &Cluster, id: u64) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::remove_dir(folder.path()).expect("it is empty");
    let copied = cluster.node(id).checkpoint(folder.path());
    copied.expect("copied");
    folder
}

impl Cluster {
    /// Stops everything, and starts it on copies that were made into one state.
    async fn restore(&mut self, copies: Vec<TempDir>) -> Levelled {
        self.restore_until(copies, None).await
    }

    /// The same, taken forward by later copies.
    async fn restore_until(&mut self, copies: Vec<TempDir>, until: Option<Until>) -> Levelled {
        for id in 1..=3 {
            self.stop_node(id).await;
        }
        let levelled = level(named(&copies), until, LIFE, now_ms()).await;
        self.graves
            .extend(std::mem::replace(&mut self.folders, copies));
        for id in 1..=3 {
            self.pasts.insert(id, Past::Lost(LIFE.to_owned()));
            self.start_node(id);
        }
        levelled.expect("levelled")
    }

    /// Closes a night under a key of its own for the attempt and the night: with the same key, what
    /// was answered for another night would be answered again.
    async fn is_free(&self, genesis: &Genesis, night: i8, attempt: &str) -> bool {
        let mut command = block(night);
        if let Some(idempotency) = command.idempotency.as_mut() {
            idempotency.key = format!("{attempt}, night {night}");
        }
        let outcome = self.propose(genesis, &command).await;
        !matches!(outcome.rejection(), Some(Rejection::SlotTaken { .. }))
    }
}

/// Copies of nodes 1, 2 and 3.
fn named(copies: &[TempDir]) -> Vec<BookingsCopy> {
    let each = copies.iter().zip(1..).map(|(folder, id)| BookingsCopy {
        node: node(id),
        folder: folder.path().to_path_buf(),
    });
    each.collect()
}

/// A moment behind everything that has been proposed, and before all that will be.
async fn moment() -> u64 {
    let moment = now_ms();
    while now_ms() <= moment {
        tokio::task::yield_now().await;
    }
    moment
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("after 1970")
}

/// Night 2 was closed by nodes that were copied before and one that was copied after: the one
/// has it, the two would elect each other without it.
#[tokio::test(flavor = "multi_thread")]
async fn copies_of_different_moments_become_one_state_in_which_nothing_is_undone() {
    let mut cluster = Cluster::start();
    let genesis = genesis(90);
    cluster.propose(&genesis, &block(1)).await;
    cluster.read(&genesis).await;
    let mut copies = vec![copy(&cluster, 1), copy(&cluster, 2)];
    cluster.propose(&genesis, &block(2)).await;
    // Everybody has it: node 3 has applied it, or will.
    caught_up(&cluster, 3, &genesis, 2).await;
    copies.push(copy(&cluster, 3));
    let levelled = cluster.restore(copies).await;
    assert_eq!((levelled.groups, levelled.differed), (1, 1));
    assert!(levelled.doubtful.is_empty());
    assert!(!cluster.node(1).returns(), "it votes");
    // The two are a quorum, and have been given what they lacked.
    cluster.stop_node(3).await;
    for night in [1, 2] {
        assert!(!cluster.is_free(&genesis, night, "again").await, "{night}");
    }
    cluster.start_node(3);
    assert!(cluster.is_free(&genesis, 3, "new").await);
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 3).await;
    }
}

/// The log that ends last begins behind what the others have: they are given the ledger, and
/// have the keys of what they have never seen.
#[tokio::test(flavor = "multi_thread")]
async fn copy_that_is_far_behind_is_given_the_ledger() {
    let mut cluster = Cluster::start();
    let genesis = genesis(91);
    cluster.propose(&genesis, &block(1)).await;
    let mut copies = vec![copy(&cluster, 1), copy(&cluster, 2)];
    cluster.propose(&genesis, &block(2)).await;
    for attempt in 0..ENTRIES_MANY {
        let attempt = format!("attempt {attempt}");
        assert!(!cluster.is_free(&genesis, 2, &attempt).await);
    }
    caught_up(&cluster, 3, &genesis, 2).await;
    copies.push(copy(&cluster, 3));
    let levelled = cluster.restore(copies).await;
    assert_eq!(levelled.differed, 1);
    for night in [1, 2] {
        assert!(!cluster.is_free(&genesis, night, "again").await, "{night}");
    }
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_are_alike_are_left_as_they_are() {
    let mut cluster = Cluster::that_sleeps_after(std::time::Duration::from_millis(50));
    let genesis = genesis(92);
    cluster.propose(&genesis, &block(1)).await;
    cluster.at_rest().await;
    let copies = (1..=3).map(|id| copy(&cluster, id)).collect();
    let levelled = cluster.restore(copies).await;
    assert_eq!((levelled.groups, levelled.differed), (1, 0));
    assert!(!cluster.is_free(&genesis, 1, "again").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_without_a_copy_of_most_of_its_voters_is_named() {
    let cluster = Cluster::start();
    let genesis = genesis(93);
    cluster.propose(&genesis, &block(1)).await;
    caught_up(&cluster, 1, &genesis, 1).await;
    let only = copy(&cluster, 1);
    let copies = vec![BookingsCopy {
        node: node(1),
        folder: only.path().to_path_buf(),
    }];
    let levelled = level(copies, None, LIFE, now_ms()).await.expect("levelled");
    assert_eq!(levelled.doubtful, [genesis.listing]);
    assert_eq!(levelled.doubtful_total, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_of_which_no_copy_can_be_read_is_named() {
    let cluster = Cluster::start();
    let genesis = genesis(94);
    cluster.propose(&genesis, &block(1)).await;
    caught_up(&cluster, 1, &genesis, 1).await;
    let vote = GroupKey::new(&genesis.listing).state(StateKind::Vote);
    flip(&cluster.node(1), STATE, vote).await;
    let only = copy(&cluster, 1);
    let copies = vec![BookingsCopy {
        node: node(1),
        folder: only.path().to_path_buf(),
    }];
    let levelled = level(copies, None, LIFE, now_ms()).await.expect("levelled");
    assert_eq!(levelled.doubtful, [genesis.listing]);
}

/// Awaits that a node's ledger is at a revision.
async fn caught_up(cluster: &Cluster, id: u64, genesis: &Genesis, revision: u64) {
    let groups = cluster.node(id);
    tokio::time::timeout(super::DEADLINE, async {
        loop {
            // Being used brings the others up to date.
            cluster.read(genesis).await;
            let view = groups.local(&genesis.listing).expect("readable");
            if view.ledger.revision() >= revision {
                return;
            }
        }
    })
    .await
    .expect("it has everything");
}

/// Between two backups: what was proposed by the moment is there, and nothing of what came later.
#[tokio::test(flavor = "multi_thread")]
async fn group_is_taken_forward_to_a_moment_between_two_backups() {
    let mut cluster = Cluster::start();
    let [known, founded, later] = [95, 96, 97].map(genesis);
    cluster.propose(&known, &block(1)).await;
    let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    cluster.propose(&known, &block(2)).await;
    cluster.propose(&founded, &block(2)).await;
    let at_ms = moment().await;
    cluster.propose(&known, &block(3)).await;
    cluster.propose(&founded, &block(3)).await;
    cluster.propose(&later, &block(3)).await;
    let second = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    let until = Until {
        copies: named(&second),
        at_ms,
    };
    let levelled = cluster.restore_until(copies, Some(until)).await;
    assert_eq!(levelled.forward.groups, 2, "{levelled:?}");
    assert_eq!(levelled.forward.short_total, 0);
    for (genesis, nights) in [(&known, &[1, 2][..]), (&founded, &[2])] {
        for night in nights {
            assert!(!cluster.is_free(genesis, *night, "again").await, "{night}");
        }
        assert!(cluster.is_free(genesis, 3, "new").await, "it was later");
    }
    assert!(cluster.is_free(&later, 3, "new").await, "it was later");
    for id in 1..=3 {
        caught_up(&cluster, id, &known, 3).await;
        caught_up(&cluster, id, &founded, 2).await;
    }
}

/// The later copies hold votes and a lead of terms that the earlier ones have never seen: nobody
/// may be elected by them, and somebody has to be elected in spite of them.
#[tokio::test(flavor = "multi_thread")]
async fn group_that_changed_its_leader_in_between_is_taken_forward_and_votes_anew() {
    let mut cluster = Cluster::start();
    let genesis = genesis(98);
    cluster.propose(&genesis, &block(1)).await;
    let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    for id in 1..=3 {
        cluster.stop_node(id).await;
        cluster.start_node(id);
    }
    cluster.propose(&genesis, &block(2)).await;
    let at_ms = moment().await;
    cluster.propose(&genesis, &block(3)).await;
    let second = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    let until = Until {
        copies: named(&second),
        at_ms,
    };
    let levelled = cluster.restore_until(copies, Some(until)).await;
    assert_eq!(levelled.forward.groups, 1, "{levelled:?}");
    for night in [1, 2] {
        assert!(!cluster.is_free(&genesis, night, "again").await, "{night}");
    }
    assert!(cluster.is_free(&genesis, 3, "new").await);
}

/// So much happened between the backups that the log of the later one begins behind the earlier.
#[tokio::test(flavor = "multi_thread")]
async fn group_whose_log_does_not_reach_back_stays_as_it_was_and_is_named() {
    let mut cluster = Cluster::start();
    let genesis = genesis(99);
    cluster.propose(&genesis, &block(1)).await;
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 1).await;
    }
    let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    cluster.propose(&genesis, &block(2)).await;
    for attempt in 0..ENTRIES_MANY {
        let attempt = format!("attempt {attempt}");
        assert!(!cluster.is_free(&genesis, 2, &attempt).await);
    }
    let second = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
    let until = Until {
        copies: named(&second),
        at_ms: moment().await,
    };
    let levelled = cluster.restore_until(copies, Some(until)).await;
    assert_eq!(levelled.forward.groups, 0, "{levelled:?}");
    assert_eq!(
        levelled.forward.short,
        std::slice::from_ref(&genesis.listing)
    );
    assert!(!cluster.is_free(&genesis, 1, "again").await);
    assert!(
        cluster.is_free(&genesis, 2, "new").await,
        "as of the first backup"
    );
}
