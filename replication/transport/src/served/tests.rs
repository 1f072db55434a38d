//! Connections in the order of their dials, greeted in another one.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Accepted, DialNumber, Served, outlived};
use crate::renewal::REPLACED_MAX;
use crate::tests::cluster::{Cluster, Running, node};
use crate::tests::raw::{endpoint_with, silent};

/// Connections that a peer has dialled one after the other, as if this end had accepted them.
async fn dialled<const N: usize>(served: &Served) -> (Running, [Accepted; N]) {
    let cluster = Cluster::new();
    let other_end = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let mut accepted = Vec::new();
    for dial in 0..N {
        let connection = silent(&cluster, &endpoint).await;
        let dial = DialNumber(u64::try_from(dial).expect("few"));
        accepted.push(served.accept(node(2), &connection, dial));
    }
    (other_end, accepted.try_into().expect("as many"))
}

fn is_replaced(accepted: &Accepted) -> bool {
    *accepted.replaced.borrow()
}

fn is_closed(accepted: &Accepted) -> bool {
    accepted.connection.close_reason().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn greeting_that_is_heard_late_takes_not_the_place_of_a_later_dial() {
    let served = Served::default();
    let (other_end, [first, second, third]) = dialled(&served).await;
    served.greeted(node(2), &second);
    served.greeted(node(2), &first);
    assert!(is_replaced(&first) && !is_replaced(&second));
    served.greeted(node(2), &third);
    assert!(is_replaced(&second) && !is_replaced(&third));
    assert!(is_closed(&first) && !is_closed(&second) && !is_closed(&third));
    other_end.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn earliest_of_three_is_closed_also_if_it_is_the_last_to_be_heard() {
    let served = Served::default();
    let (other_end, [first, second, third]) = dialled(&served).await;
    for greeted in [&second, &third, &first] {
        served.greeted(node(2), greeted);
    }
    assert!(is_closed(&first));
    assert!(!is_closed(&second) && !is_closed(&third) && !is_replaced(&third));
    other_end.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_counts_again_once_the_one_that_replaced_it_has_ended() {
    let served = Served::default();
    let (other_end, [first, second]) = dialled(&served).await;
    served.greeted(node(2), &first);
    served.greeted(node(2), &second);
    assert!(is_replaced(&first));
    served.ended(node(2), &second);
    assert!(!is_replaced(&first));
    let left: Vec<_> = served
        .of(node(2))
        .iter()
        .map(|one| one.stable_id())
        .collect();
    assert_eq!(left, [first.connection.stable_id()]);
    other_end.stop().await;
}

#[tokio::test(start_paused = true)]
async fn connection_that_counts_again_is_not_closed_for_what_was() {
    let (replaced, _) = watch::channel(true);
    let began = Instant::now();
    let counts_for_a_while = async {
        sleep(REPLACED_MAX / 2).await;
        replaced.send_replace(false);
        sleep(REPLACED_MAX * 2).await;
        replaced.send_replace(true);
    };
    tokio::join!(outlived(replaced.subscribe()), counts_for_a_while);
    let all = REPLACED_MAX / 2 + REPLACED_MAX * 2 + REPLACED_MAX;
    let took = began.elapsed();
    assert!(
        took >= all && took < all + Duration::from_secs(1),
        "{took:?}"
    );
}
