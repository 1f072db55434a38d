//! Later copies in which a group is damaged: what the others tell may not be everything.

use meridian_regions::Genesis;

use tempfile::TempDir;

use super::super::moving::order;
use super::super::{Cluster, NEVER_IDLE, block, genesis, node};
use super::{LIFE, caught_up, copy, flip, moment, named, now_ms};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::{Levelled, Unread, Until, level};

async fn damage(cluster: &Cluster, id: u64, genesis: &Genesis) {
    let vote = GroupKey::new(&genesis.listing).state(StateKind::Vote);
    flip(&cluster.node(id), STATE, vote).await;
}

/// A group that an earlier backup has and one that was founded since, taken forward by later copies
/// of which those of some nodes are damaged.
async fn forward(first: u64, damaged: &[u64]) -> (Levelled, [Genesis; 2]) {
    let cluster = Cluster::start();
    let [known, founded] = [genesis(first), genesis(first + 1)];
    cluster.propose(&known, &block(1)).await;
    let earlier = [1, 2, 3].map(|id| copy(&cluster, id));
    cluster.propose(&known, &block(2)).await;
    cluster.propose(&founded, &block(2)).await;
    for id in 1..=3 {
        caught_up(&cluster, id, &known, 2).await;
        caught_up(&cluster, id, &founded, 1).await;
    }
    let at_ms = moment().await;
    for id in damaged {
        for genesis in [&known, &founded] {
            damage(&cluster, *id, genesis).await;
        }
    }
    let later = [1, 2, 3].map(|id| copy(&cluster, id));
    let until = Until {
        copies: named(&later),
        at_ms,
    };
    let levelled = level(named(&earlier), Some(until), LIFE, now_ms()).await;
    (levelled.expect("levelled"), [known, founded])
}

fn unread(genesis: &Genesis, damaged: &[u64]) -> Unread {
    Unread {
        listing: genesis.listing.clone(),
        damaged: damaged.iter().copied().map(node).collect(),
    }
}

/// What is left is taken, and told as what may not be everything.
#[tokio::test(flavor = "multi_thread")]
async fn group_whose_later_copies_are_damaged_on_most_voters_is_named_with_them() {
    let (levelled, [known, founded]) = forward(130, &[1, 3]).await;
    let forward = &levelled.forward;
    assert_eq!(
        (forward.groups, forward.unread_total),
        (2, 2),
        "{forward:?}"
    );
    let mut expected = [unread(&known, &[1, 3]), unread(&founded, &[1, 3])];
    expected.sort_by(|one, other| one.listing.cmp(&other.listing));
    let mut named = forward.unread.clone();
    named.sort_by(|one, other| one.listing.cmp(&other.listing));
    assert_eq!(named, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_of_which_no_later_copy_can_be_read_is_named_also_if_it_was_founded_since() {
    let (levelled, [known, founded]) = forward(132, &[1, 2, 3]).await;
    let forward = &levelled.forward;
    assert_eq!(
        (forward.groups, forward.unread_total),
        (0, 2),
        "{forward:?}"
    );
    for genesis in [&known, &founded] {
        assert!(
            forward.unread.contains(&unread(genesis, &[1, 2, 3])),
            "{forward:?}"
        );
    }
}

/// Two of three tell everything that was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_most_voters_do_not_share_leaves_no_doubt() {
    let (levelled, _) = forward(134, &[2]).await;
    let forward = &levelled.forward;
    assert_eq!(
        (forward.groups, forward.unread_total),
        (2, 0),
        "{forward:?}"
    );
}

/// The earlier copies, taken forward by the later ones.
async fn no_doubt_is_left([earlier, later]: [Vec<TempDir>; 2]) {
    let until = Until {
        copies: named(&later),
        at_ms: moment().await,
    };
    let levelled = level(named(&earlier), Some(until), LIFE, now_ms()).await;
    let levelled = levelled.expect("levelled");
    assert_eq!(levelled.forward.unread_total, 0, "{levelled:?}");
    assert_eq!(levelled.doubtful_total, 0, "{levelled:?}");
}

/// A group that has gone from nodes 1, 2 and 3 to 4, 5 and 6, of which node 1, cut off, knows
/// nothing; copies of before, of all nodes, and of after, in which those of some are damaged.
async fn gone(number: u64, damaged: &[u64]) -> (Genesis, [Vec<TempDir>; 2]) {
    let cluster = Cluster::of(6, NEVER_IDLE);
    let genesis = genesis(number);
    cluster.propose(&genesis, &block(1)).await;
    for id in 1..=3 {
        caught_up(&cluster, id, &genesis, 1).await;
    }
    let copies = || (1..=6).map(|id| copy(&cluster, id)).collect();
    let earlier = copies();
    cluster.cut(1);
    let order = order(&[1, 2, 3], &[4, 5, 6]);
    cluster.carry_out(2, &genesis, &order).await;
    cluster.propose(&genesis, &block(2)).await;
    for id in [2, 3] {
        assert_eq!(cluster.role(id, &genesis).await, "elsewhere", "{id}");
    }
    for id in 4..=6 {
        caught_up(&cluster, id, &genesis, 2).await;
    }
    for id in damaged {
        damage(&cluster, *id, &genesis).await;
    }
    let later = copies();
    (genesis, [earlier, later])
}

/// The log that ends last is node 1's then, by which 1, 2 and 3 vote, and none of them is damaged.
#[tokio::test(flavor = "multi_thread")]
async fn group_that_has_gone_to_voters_whose_copies_are_all_damaged_is_named() {
    let (genesis, [earlier, later]) = gone(136, &[4, 5, 6]).await;
    let until = Until {
        copies: named(&later),
        at_ms: moment().await,
    };
    let levelled = level(named(&earlier), Some(until), LIFE, now_ms()).await;
    let forward = levelled.expect("levelled").forward;
    assert_eq!(forward.short_total, 0, "node 1's reaches back: {forward:?}");
    assert_eq!(forward.unread, [unread(&genesis, &[4, 5, 6])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_has_gone_where_nothing_can_be_read_is_in_doubt_in_one_backup_alone() {
    let (genesis, [_, later]) = gone(139, &[4, 5, 6]).await;
    let levelled = level(named(&later), None, LIFE, now_ms()).await;
    assert_eq!(levelled.expect("levelled").doubtful, [genesis.listing]);
}

/// Two of those to whom it has gone tell everything, whatever became of who has left.
#[tokio::test(flavor = "multi_thread")]
async fn damage_of_one_to_whom_a_group_has_gone_leaves_no_doubt() {
    no_doubt_is_left(gone(137, &[5]).await.1).await;
}

/// A copy of a node that has left may be damaged as well: most of those who vote have a log.
#[tokio::test(flavor = "multi_thread")]
async fn damage_of_one_that_has_left_a_group_leaves_no_doubt() {
    no_doubt_is_left(gone(138, &[1]).await.1).await;
}
