//! Beats, and what they tell of a peer.

use std::time::Duration;

use bytes::Bytes;
use meridian_regions::PhiAccrual;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, killable};
use super::raw::{endpoint_with, knock};
use crate::PeerStatus;
use crate::heartbeat::BEAT_BYTES_MAX;

#[tokio::test(flavor = "multi_thread")]
async fn beats_measure_a_link_that_nobody_uses() {
    let (_cluster, one, two) = Cluster::start().await;
    for running in [&one, &two] {
        let peer = running.until_seen(|peer| peer.phi.is_some()).await;
        assert!(
            peer.rtt.is_some() && peer.rtt_deviation.is_some(),
            "{peer:?}"
        );
        assert!(peer.is_reachable(), "{peer:?}");
    }
    tokio::join!(one.stop(), two.stop());
}

#[test]
fn silent_peer_is_suspected_long_before_its_connection_is_given_up() {
    let observer = Runtime::new().expect("a runtime");
    let cluster = Cluster::new();
    let (process, killed) = killable(&cluster);
    let one = observer.block_on(async {
        let mut options = cluster.options(1);
        options.idle_timeout = Duration::from_secs(3_600);
        let one = cluster.start_with(1, options);
        one.until_connected().await;
        one.until_seen(|peer| peer.phi.is_some()).await;
        one
    });
    process.shutdown_background();
    drop(killed);
    observer.block_on(async {
        let suspected = |peer: &PeerStatus| peer.phi >= Some(PhiAccrual::SUSPECTED);
        let peer = one.until_seen(suspected).await;
        assert!(peer.connected && !peer.is_reachable(), "{peer:?}");
        one.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_datagrams_costs_a_peer_nothing_but_its_own_beats() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let peer = knock(&cluster, &endpoint).await.expect("a peer");
    for _ in 0..10_000 {
        let beat = Bytes::from_static(&[7; BEAT_BYTES_MAX]);
        peer.send_datagram(beat).expect("datagrams are taken");
        let no_beat = Bytes::from_static(&[7; BEAT_BYTES_MAX + 1]);
        peer.send_datagram(no_beat).expect("datagrams are taken");
    }
    let echo = timeout(DEADLINE, peer.read_datagram()).await;
    let echo = echo.expect("in time").expect("the connection stands");
    assert_eq!(
        echo.len(),
        BEAT_BYTES_MAX,
        "what is no beat is not sent back"
    );
    assert!(peer.close_reason().is_none());
    let again = knock(&cluster, &endpoint).await;
    assert!(again.is_ok(), "{again:?}");
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}
