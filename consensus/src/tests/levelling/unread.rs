//! Later copies in which a group is damaged: what the others tell may not be everything.

use meridian_regions::Genesis;

use super::super::{Cluster, block, genesis, node};
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
