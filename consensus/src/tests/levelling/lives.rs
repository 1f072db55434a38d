//! A name that was used twice: what came after one restore is no part of another.

use meridian_storage::{Batch, Durability, Writer};
use tempfile::TempDir;

use super::super::{Cluster, block, genesis, store_in};
use super::{copy, moment, named, now_ms};
use crate::keys::{STATE, returned};
use crate::{LevelError, Until, level};

/// Has a copy tell of a life.
async fn lived(copy: &TempDir, life: &str) {
    let writer = Writer::start(&store_in(copy)).expect("started");
    let mut batch = Batch::new();
    batch.put(STATE, returned(), life.as_bytes().to_vec());
    let permit = writer.reserve().await.expect("room");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("durable");
    let failure = writer.failure();
    drop(writer);
    Writer::ended(failure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn later_copies_of_another_life_of_the_same_name_are_refused() {
    let cluster = Cluster::start();
    let genesis = genesis(106);
    cluster.propose(&genesis, &block(1)).await;
    let earlier = [1, 2, 3].map(|id| copy(&cluster, id));
    cluster.propose(&genesis, &block(2)).await;
    let at_ms = moment().await;
    let later = [1, 2, 3].map(|id| copy(&cluster, id));
    for (one, other) in earlier.iter().zip(&later) {
        lived(one, "the first restore").await;
        lived(other, "the second").await;
    }
    let until = || Until {
        copies: named(&later),
        at_ms,
    };
    for _again in 0..2 {
        let refused = level(named(&earlier), Some(until()), "a third", now_ms()).await;
        assert!(
            matches!(refused, Err(LevelError::AnotherLife { .. })),
            "{refused:?}"
        );
    }
    // All but one node have come back without their records since.
    lived(&later[2], "the first restore").await;
    let levelled = level(named(&earlier), Some(until()), "a third", now_ms()).await;
    assert_eq!(levelled.expect("one life").forward.groups, 1);
    // And once more, as after an interruption.
    let again = level(named(&earlier), Some(until()), "a third", now_ms()).await;
    assert!(again.is_ok(), "{again:?}");
}
