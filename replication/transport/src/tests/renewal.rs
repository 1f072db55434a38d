//! Certificates that change while a mesh runs.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, DEADLINE, Running, identity, node};
use super::raw::{endpoint_with, knock};
use crate::call::REPLACED;
use crate::pki::Authority;
use crate::{Channel, PeerStatus, TlsError, TlsMaterial, certified_in};

/// Another authority of the same cluster, with certificates for both nodes.
pub(super) struct NewAuthority {
    folder: PathBuf,
    pub(super) key: Option<String>,
}

impl NewAuthority {
    pub(super) fn beside(cluster: &Cluster) -> Self {
        let folder = cluster.folder.path().join("new");
        std::fs::create_dir(&folder).expect("a folder");
        let authority = Authority::create(cluster.authority.cluster()).expect("made");
        authority.save(&folder).expect("saved");
        for id in [1, 2] {
            let issued = authority.issue(&identity(id, "eu-west", "demo"));
            let saved = issued.and_then(|issued| issued.save(&folder, &format!("node-{id}")));
            saved.expect("issued");
        }
        let read = |path: PathBuf| std::fs::read_to_string(path).expect("it was saved");
        let both = read(cluster.folder.path().join("ca.pem")) + &read(folder.join("ca.pem"));
        std::fs::write(folder.join("both.pem"), both).expect("written");
        let key = certified_in(&folder.join("ca.pem")).expect("read").own_key;
        Self { folder, key }
    }

    /// Who is trusted, and whose certificate of node `id` is shown.
    pub(super) fn tls(
        &self,
        cluster: &Cluster,
        trusted: Trusted,
        shown: Shown,
        id: u64,
    ) -> TlsMaterial {
        let (old, new) = (cluster.folder.path(), self.folder.as_path());
        let ca = match trusted {
            Trusted::Both => new.join("both.pem"),
            Trusted::New => new.join("ca.pem"),
        };
        let folder = if shown == Shown::Old { old } else { new };
        let file = |ending: &str| folder.join(format!("node-{id}.{ending}"));
        TlsMaterial::load(&ca, &file("pem"), &file("key")).expect("loaded")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trusted {
    Both,
    New,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Old,
    New,
}

pub(super) fn is_renewed(peer: &PeerStatus) -> bool {
    peer.connected && !peer.is_outdated && peer.retiring == 0
}

/// Calls the other node over and over; answers how many calls were answered.
async fn calls(running: &Running, until: &CancellationToken) -> u64 {
    let to = running.mesh.peers()[0].node;
    let mut answered = 0;
    while !until.is_cancelled() {
        let answer = running.mesh.call(to, Channel::Raft, "x".into(), DEADLINE);
        assert_eq!(answer.await, Ok("x".into()), "after {answered} calls");
        answered += 1;
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_is_replaced_without_a_lost_call_and_nothing_hangs_on_the_old_one() {
    let (cluster, one, two) = Cluster::start().await;
    let new = NewAuthority::beside(&cluster);
    let first = [one.connection(), two.connection()];
    let done = CancellationToken::new();
    let steps = async {
        for (trusted, shown) in [
            (Trusted::Both, Shown::Old),
            (Trusted::Both, Shown::New),
            (Trusted::New, Shown::New),
        ] {
            for (id, node) in [(1, &one), (2, &two)] {
                let tls = new.tls(&cluster, trusted, shown, id);
                node.mesh.renew(&tls).expect("it fits");
                one.until_seen(is_renewed).await;
                two.until_seen(is_renewed).await;
            }
        }
        done.cancel();
    };
    let (there, back, ()) = tokio::join!(calls(&one, &done), calls(&two, &done), steps);
    assert!(there > 0 && back > 0);
    for (node, first) in [(&one, &first[0]), (&two, &first[1])] {
        let reason = first.close_reason().expect("it was renewed").to_string();
        assert!(reason.contains("closed"), "{reason}");
        let shown = node.mesh.peers().remove(0).certified.expect("connected");
        assert_eq!(shown.issuer_key, new.key);
        assert_eq!(node.mesh.peers()[0].silent_replaced, 0);
    }
    let stranger = endpoint_with(new.tls(&cluster, Trusted::Both, Shown::Old, 2));
    let refused = knock(&cluster, &stranger)
        .await
        .expect_err("of the old authority");
    assert!(refused.contains("BadSignature"), "{refused}");
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_under_way_is_answered_on_the_connection_that_is_replaced() {
    let (cluster, one, two) = Cluster::start().await;
    let new = NewAuthority::beside(&cluster);
    let replaced = one.connection();
    let call = one
        .mesh
        .call(node(2), Channel::Raft, "later".into(), DEADLINE);
    let renewed = async {
        // The peer has it, or it would not be under way there.
        let tls = new.tls(&cluster, Trusted::Both, Shown::Old, 2);
        two.mesh.renew(&tls).expect("it fits");
        one.until_seen(|peer| peer.retiring == 1 && !peer.is_outdated)
            .await;
        assert!(replaced.close_reason().is_none());
        assert_ne!(one.connection().stable_id(), replaced.stable_id());
        two.script.trigger.cancel();
    };
    let (answer, ()) = tokio::join!(call, renewed);
    assert_eq!(answer, Ok("later".into()));
    one.until_seen(is_renewed).await;
    assert!(replaced.close_reason().is_some());
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_resumes_gives_way() {
    let (cluster, one, two) = Cluster::start().await;
    let new = NewAuthority::beside(&cluster);
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "idle".into());
    let mut frames = opened.await.expect("agreed");
    assert_eq!(frames.next().await, Ok(Some("started".into())));
    one.mesh
        .renew(&new.tls(&cluster, Trusted::Both, Shown::Old, 1))
        .expect("it fits");
    let ended = timeout(DEADLINE, frames.next()).await.expect("in time");
    let told = ended.expect_err("it gave way").to_string();
    assert!(told.contains(REPLACED), "{told}");
    drop(frames);
    one.until_seen(is_renewed).await;
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_never_comes_into_force() {
    let (cluster, one, two) = Cluster::start().await;
    let new = NewAuthority::beside(&cluster);
    let old = |name: &str| cluster.folder.path().join(name);
    let load = |cert: &PathBuf, key: &PathBuf| TlsMaterial::load(&old("ca.pem"), cert, key);
    let other_key = load(&old("node-1.pem"), &old("node-2.key")).expect("read");
    let refused = one.mesh.renew(&other_key).expect_err("another's key");
    assert!(matches!(refused, TlsError::Mismatch(_)), "{refused}");
    let other_node = cluster.tls("node-2");
    let refused = one.mesh.renew(&other_node).expect_err("another node's");
    assert!(matches!(refused, TlsError::OtherNode { .. }), "{refused}");
    let (cert, key) = (new.folder.join("node-1.pem"), new.folder.join("node-1.key"));
    let not_trusted = load(&cert, &key).expect("read");
    let refused = one.mesh.renew(&not_trusted).expect_err("nobody's");
    assert!(matches!(refused, TlsError::NotTrusted { .. }), "{refused}");

    let peer = one.mesh.peers().remove(0);
    assert!(is_renewed(&peer), "{peer:?}");
    let endpoint = endpoint_with(cluster.tls("node-2"));
    knock(&cluster, &endpoint).await.expect("let in as before");
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_by_an_authority_that_was_taken_out_ends_in_time() {
    let cluster = Cluster::new();
    let new = NewAuthority::beside(&cluster);
    let mut options = cluster.options(1);
    options.distrusted_max = Duration::from_millis(500);
    let (one, two) = (cluster.start_with(1, options), cluster.start_node(2));
    one.until_connected().await;
    two.until_connected().await;
    let lost = [one.connection(), two.connection()];
    one.mesh
        .renew(&new.tls(&cluster, Trusted::New, Shown::New, 1))
        .expect("it fits");
    for connection in &lost {
        let reason = timeout(DEADLINE, connection.closed()).await;
        let reason = reason.expect("ended in time").to_string();
        assert!(reason.contains("closed"), "{reason}");
    }
    let peer = one.until(|peer| !peer.connected).await;
    assert!(peer.certified.is_none(), "{peer:?}");
    tokio::join!(one.stop(), two.stop());
}
