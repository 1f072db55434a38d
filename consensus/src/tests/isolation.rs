//! A group that answers nobody, and the others that do not notice.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{Cluster, DEADLINE, block, genesis};
use crate::{GroupOptions, ProposeError};

/// Longer than the test needs to look at everything that does not wait for it.
const HANGING: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn group_that_answers_nobody_takes_no_places_from_others() {
    let cluster = Cluster::start();
    let (silent, other) = (genesis(60), genesis(61));
    for genesis in [&silent, &other] {
        cluster.propose(genesis, &block(1)).await;
    }
    cluster.mute(&silent.listing);
    let groups = cluster.node(1);
    let places = GroupOptions::new("unused".into(), groups.node()).requests_max;
    let mut asked = JoinSet::new();
    for _ in 0..places {
        let (groups, silent) = (groups.clone(), silent.clone());
        asked.spawn(async move { groups.propose(&silent, block(2), HANGING).await });
    }
    // An eighth hangs; the others are told at once.
    for _ in 0..places - places / 8 {
        let told = asked.join_next().await.expect("asked").expect("it ends");
        assert_eq!(told.err(), Some(ProposeError::Overloaded));
    }
    assert_eq!(groups.stats().crowded, (places - places / 8) as u64);
    let booked = groups.propose(&other, block(2), DEADLINE).await;
    booked.expect("it is led here, and its voters answer");
    groups.read(&other, DEADLINE).await.expect("they do");
    // A group may be founded beside it.
    let third = genesis(62);
    groups
        .propose(&third, block(1), DEADLINE)
        .await
        .expect("founded");
    assert_eq!(asked.len(), places / 8, "they hang all the while");
    while let Some(told) = asked.join_next().await {
        let told = told.expect("it ends").expect_err("no quorum has answered");
        assert_ne!(told, ProposeError::Overloaded);
    }
}
