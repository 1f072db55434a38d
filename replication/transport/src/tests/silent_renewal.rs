//! A connection that is silent, and stands by earlier certificates as well.

use std::time::Duration;

use quinn::Connection;
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, Running, node};
use super::links::{answers, ended};
use super::renewal::{NewAuthority, Shown, Trusted, is_renewed};
use super::ways::{Lets, Told, patient};

/// Two nodes that have changed their authority while nothing went from the first to the second: no
/// certificate of before is believed any more.
struct Changed {
    cluster: Cluster,
    way: Told,
    one: Running,
    two: Running,
    new: NewAuthority,
    /// By the certificates of before.
    silent: Connection,
}

impl Changed {
    /// Node 1 closes what it does not believe any more after so long.
    async fn while_silent(distrusted_max: Duration) -> Self {
        let cluster = Cluster::new();
        let way = Told::way(&cluster).await;
        let mut options = way.options(&cluster);
        options.distrusted_max = distrusted_max;
        let one = cluster.start_with(1, options);
        let two = cluster.start_with(2, patient(&cluster, 2));
        one.until_connected().await;
        two.until_connected().await;
        let silent = one.connection();
        way.lets.send_replace(Lets::Nothing);
        let quic = one.mesh.quic().expect("over QUIC");
        let peer = quic.peers.peer(node(2)).expect("it is there");
        // As the dialler sees it: just before, it would begin to renew the connection.
        let silence = timeout(DEADLINE, peer.is_silent(true)).await;
        silence.expect("noticed in time");
        let new = NewAuthority::beside(&cluster);
        for (id, renewed) in [(1, &one), (2, &two)] {
            let tls = new.tls(&cluster, Trusted::New, Shown::New, id);
            renewed.mesh.renew(&tls).expect("it fits");
        }
        Self {
            cluster,
            way,
            one,
            two,
            new,
            silent,
        }
    }

    /// Waits until node 1 is connected by certificates of the new authority, and calls node 2.
    async fn until_new(&self) {
        self.one.until_seen(is_renewed).await;
        let shown = self.one.mesh.peers().remove(0).certified;
        assert_eq!(shown.expect("connected").issuer_key, self.new.key);
        answers(&self.one).await;
    }

    async fn end(self) {
        tokio::join!(self.one.stop(), self.two.stop());
        self.way.end().await;
        drop(self.cluster);
    }
}

/// Long beside what a test takes.
const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_by_earlier_certificates_gives_way_to_one_by_those_of_today() {
    let changed = Changed::while_silent(LONG).await;
    let outdated = changed.one.mesh.peers().remove(0);
    assert!(outdated.connected && outdated.is_outdated, "{outdated:?}");
    changed.way.lets.send_replace(Lets::TheNew);
    let mut connections = changed.one.mesh.connections(outdated.node);
    let another = timeout(DEADLINE, connections.wait_for(|count| *count == 2)).await;
    drop(another.expect("dialled by the certificates of today"));
    changed.until_new().await;
    assert_eq!(ended(&changed.silent).await, "closed");
    assert_eq!(changed.one.mesh.peers()[0].silent_replaced, 1);
    changed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_by_earlier_certificates_that_is_heard_again_is_renewed() {
    let changed = Changed::while_silent(LONG).await;
    changed.way.lets.send_replace(Lets::All);
    changed.until_new().await;
    assert_eq!(ended(&changed.silent).await, "closed");
    changed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_that_is_not_believed_any_more_ends_and_is_dialled_on_for() {
    let changed = Changed::while_silent(Duration::from_millis(100)).await;
    changed.one.until(|peer| !peer.connected).await;
    assert_eq!(ended(&changed.silent).await, "closed");
    changed.way.lets.send_replace(Lets::All);
    changed.until_new().await;
    changed.end().await;
}
