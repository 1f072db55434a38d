//! Leadership that somebody wants elsewhere.

use super::moving::nodes;
use super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use crate::{ReadError, TransferError};

async fn term(cluster: &Cluster, id: u64, genesis: &meridian_regions::Genesis) -> u64 {
    let described = cluster.node(id).describe(&genesis.listing).await;
    described.expect("readable").map_or(0, |group| group.term)
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_goes_to_the_voter_that_is_named() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(400);
    cluster.propose(&genesis, &block(1)).await;
    let before = term(&cluster, 1, &genesis).await;
    let leader = cluster.node(1);
    let led = leader.transfer(&genesis, node(3), DEADLINE).await;
    let led = led.expect("handed over");
    // It may have gone home meanwhile, in a later term.
    assert!(before < led && led <= term(&cluster, 3, &genesis).await);
    cluster.propose(&genesis, &block(2)).await;
    assert_eq!(cluster.read(&genesis).await.ledger.revision(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_that_cannot_go_there_stays_and_says_why() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(401);
    cluster.propose(&genesis, &block(1)).await;
    let (leader, follower) = (cluster.node(1), cluster.node(2));
    let asked = follower.transfer(&genesis, node(3), DEADLINE).await;
    let elsewhere = TransferError::NotLeader {
        leader: Some(node(1)),
    };
    assert_eq!(asked.err(), Some(elsewhere));
    let stranger = leader.transfer(&genesis, node(4), DEADLINE).await;
    let no_voter = TransferError::NoVoter {
        to: node(4),
        voters: nodes(&[1, 2, 3]),
    };
    assert_eq!(stranger.err(), Some(no_voter));
    cluster.cut(3);
    let silent = leader.transfer(&genesis, node(3), DEADLINE).await;
    assert_eq!(silent.err(), Some(TransferError::Silent(node(3))));
    let before = term(&cluster, 1, &genesis).await;
    let same = leader.transfer(&genesis, node(1), DEADLINE).await;
    assert_eq!(same, Ok(before), "who leads already goes on");
    cluster.propose(&genesis, &block(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_without_a_part_in_a_group_hands_nothing_over() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(402);
    let asked = cluster.node(4).transfer(&genesis, node(1), DEADLINE).await;
    let unusable = TransferError::Unusable(ReadError::NotVoter);
    assert_eq!(asked.err(), Some(unusable));
}
