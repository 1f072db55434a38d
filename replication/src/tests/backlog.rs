//! A node that has much to take in from elsewhere says so, and no other does.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, data_of};
use super::setup::{PATIENCE, close, create, open};

/// More than a frame takes, and less than two frames do.
const LISTINGS: u64 = 600;
/// Whatever there was once counts.
const EVER: Duration = Duration::MAX;

#[tokio::test(flavor = "multi_thread")]
async fn node_says_that_a_backlog_comes_in_and_that_it_is_over() {
    let folder = TempDir::new().expect("a folder");
    let alone = open(data_of(folder.path(), 1), 1);
    for number in 1..=LISTINGS {
        create(&alone, number).await;
    }
    close(alone).await;
    let cluster = Cluster::start_in(folder, &[(1, 2), (2, 3), (1, 3)], None, None);
    // Little, and of the node that has nothing to take in beside it.
    create(&cluster.replicas[1], LISTINGS + 1).await;
    cluster.converged().await;
    let [first, second] = [0, 1].map(|place| cluster.replicas[place].backlog());
    assert!(second.comes_in(EVER), "it took in more than a frame");
    assert!(!first.comes_in(EVER), "it took in less");
    let over = async {
        while second.comes_in(Duration::ZERO) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, over).await.expect("nothing follows");
    cluster.stop().await;
}
