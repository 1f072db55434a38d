//! Who is not let in, and who is not trusted when dialled.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, DEADLINE, Script, identity, node};
use super::raw::{endpoint_with, knock};
use crate::pki::Authority;
use crate::{Mesh, MeshError, NodeIdentity, PeerAddress, TlsError, TlsMaterial};

/// A certificate that proves nothing.
struct Forgery {
    what: &'static str,
    /// Part of what its bearer hears when it knocks.
    refused_for: &'static str,
    forge: fn(&Cluster) -> TlsMaterial,
}

const FORGERIES: [Forgery; 7] = [
    Forgery {
        what: "of another authority",
        refused_for: "BadSignature",
        forge: |cluster| {
            let other = Authority::create(cluster.authority.cluster()).expect("made");
            let issued = other.issue(&identity(2, "eu-west", "demo"));
            save(cluster, issued.expect("issued"))
        },
    },
    Forgery {
        what: "self-signed",
        refused_for: "UnknownIssuer",
        forge: |cluster| {
            let key = KeyPair::generate().expect("a key");
            let params = params_of(&[identity(2, "eu-west", "demo")]);
            let certificate = params.self_signed(&key).expect("signed");
            write(cluster, &certificate.pem(), &key)
        },
    },
    Forgery {
        what: "of another cluster",
        refused_for: "NameConstraintViolation",
        forge: |cluster| sign(cluster, params_of(&[identity(2, "eu-west", "other")])),
    },
    Forgery {
        what: "of a node outside of the topology",
        refused_for: "not in the topology",
        forge: |cluster| {
            let issued = cluster.authority.issue(&identity(9, "eu-west", "demo"));
            save(cluster, issued.expect("issued"))
        },
    },
    Forgery {
        what: "of another region",
        refused_for: "expects node 2 of eu-west",
        forge: |cluster| {
            let issued = cluster.authority.issue(&identity(2, "us-east", "demo"));
            save(cluster, issued.expect("issued"))
        },
    },
    Forgery {
        what: "with two names",
        refused_for: "several names",
        forge: |cluster| {
            let names = [2, 9].map(|id| identity(id, "eu-west", "demo"));
            sign(cluster, params_of(&names))
        },
    },
    Forgery {
        what: "that has expired",
        refused_for: "expired",
        forge: |cluster| sign(cluster, expired()),
    },
];

fn params_of(names: &[NodeIdentity]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(NodeIdentity::dns_name).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

fn expired() -> CertificateParams {
    let mut params = params_of(&[identity(2, "eu-west", "demo")]);
    params.not_after = (SystemTime::now() - Duration::from_secs(60)).into();
    params
}

/// Signs with the authority's own key what the authority would not sign.
fn sign(cluster: &Cluster, params: CertificateParams) -> TlsMaterial {
    let file = |name: &str| {
        std::fs::read_to_string(cluster.folder.path().join(name)).expect("it was saved")
    };
    let authority_key = KeyPair::from_pem(&file("ca.key")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&file("ca.pem"), authority_key).expect("ours");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    write(cluster, &certificate.pem(), &key)
}

fn write(cluster: &Cluster, certificate: &str, key: &KeyPair) -> TlsMaterial {
    let file = |name: &str| cluster.folder.path().join(name);
    std::fs::write(file("forged.pem"), certificate).expect("written");
    std::fs::write(file("forged.key"), key.serialize_pem()).expect("written");
    cluster.tls("forged")
}

fn save(cluster: &Cluster, issued: crate::pki::NodeCredentials) -> TlsMaterial {
    issued.save(cluster.folder.path(), "forged").expect("saved");
    cluster.tls("forged")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_nodes_of_the_topology_are_let_in() {
    for forgery in FORGERIES {
        let cluster = Cluster::new();
        let one = cluster.start_node(1);
        let endpoint = endpoint_with((forgery.forge)(&cluster));
        let refused = match knock(&cluster, &endpoint).await {
            Ok(_) => panic!("let in with a certificate {}", forgery.what),
            Err(cause) => cause,
        };
        assert!(
            refused.contains(forgery.refused_for),
            "{}: {refused}",
            forgery.what
        );
        // Who is of the topology still is.
        let peer = endpoint_with(cluster.tls("node-2"));
        assert!(knock(&cluster, &peer).await.is_ok());
        peer.close(0_u32.into(), b"done");
        one.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_been_removed_is_told_when_it_comes_back() {
    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.departed = options.peers.iter().map(|peer| peer.node).collect();
    options.peers.clear();
    let one = cluster.start_with(1, options);
    let removed = cluster.start_node(2);
    let told = timeout(DEADLINE, removed.mesh.expelled()).await;
    assert_eq!(told, Ok(node(1)));
    let cause = removed.last_error().await;
    assert!(cause.contains("has been removed"), "{cause}");
    removed.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stranger_is_not_told_that_it_has_been_removed() {
    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.peers.clear();
    let one = cluster.start_with(1, options);
    let stranger = cluster.start_node(2);
    let cause = stranger.last_error().await;
    assert!(cause.contains("not in the topology"), "{cause}");
    assert_eq!(stranger.mesh.expelled().now_or_never(), None);
    stranger.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_node_that_was_dialled_is_trusted() {
    for forgery in FORGERIES {
        let cluster = Cluster::new();
        let impostor = endpoint_with((forgery.forge)(&cluster));
        let mut options = cluster.options(1);
        options.peers[0].address = impostor.local_addr().expect("bound").to_string();
        let one = cluster.start_with(1, options);
        let tasks = TaskTracker::new();
        let (accepting, stop) = (impostor.clone(), CancellationToken::new());
        let until = stop.clone();
        tasks.spawn(async move {
            let accept = async {
                while let Some(incoming) = accepting.accept().await {
                    let _ = incoming.await;
                }
            };
            until.run_until_cancelled(accept).await;
        });
        let peer = one
            .until(|peer| peer.connected || peer.last_error.is_some())
            .await;
        assert!(!peer.connected, "trusted a certificate {}", forgery.what);
        let cause = peer.last_error.expect("just seen");
        let told = ["is the certificate at each end", "dialled", "several names"];
        assert!(
            told.iter().any(|words| cause.contains(words)),
            "{}: {cause}",
            forgery.what
        );
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        one.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_of_another_region_is_told_what_to_change() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let issued = cluster.authority.issue(&identity(2, "us-east", "demo"));
    let endpoint = endpoint_with(save(&cluster, issued.expect("issued")));
    let cause = knock(&cluster, &endpoint).await.expect_err("refused");
    assert!(cause.contains("node 2 of us-east"), "{cause}");
    assert!(cause.contains("expects node 2 of eu-west"), "{cause}");
    one.stop().await;
}

fn start_error(cluster: &Cluster, tls: TlsMaterial) -> MeshError {
    let mut options = cluster.options(2);
    options.tls = tls;
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    Mesh::start(options, Arc::new(Script::default()), &tracker, &cancel).expect_err("refused")
}

#[tokio::test]
async fn certificate_that_no_peer_would_accept_stops_the_start_and_says_what_to_do() {
    let cluster = Cluster::new();
    let of_another_node = start_error(&cluster, cluster.tls("node-1"));
    assert!(matches!(
        of_another_node,
        MeshError::Tls(TlsError::OtherNode { .. })
    ));
    let expired = start_error(&cluster, sign(&cluster, expired()));
    assert!(expired.to_string().contains("has expired"), "{expired}");
    std::fs::remove_file(cluster.folder.path().join("forged.pem")).expect("there");
    std::fs::remove_file(cluster.folder.path().join("forged.key")).expect("there");
    let not_issued = start_error(&cluster, (FORGERIES[0].forge)(&cluster));
    assert!(
        not_issued.to_string().contains("was not issued by"),
        "{not_issued}"
    );
    for error in [of_another_node, expired, not_issued] {
        let advice = "`meridian cert node --region eu-west --node 2`";
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_for_the_node_itself_is_passed_over() {
    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.peers.push(PeerAddress {
        node: node(1),
        region: "eu-west".parse().expect("a region"),
        address: cluster.address(1).to_string(),
    });
    let one = cluster.start_with(1, options);
    let peers: Vec<_> = one.mesh.peers().iter().map(|peer| peer.node).collect();
    assert_eq!(peers, [node(2)]);
    one.stop().await;
}
