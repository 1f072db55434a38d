//! Files of certificates that change under a running node.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use meridian_client::{AdminClient, Trust};
use meridian_transport::pki::Authority;
use meridian_transport::{Certified, NodeIdentity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Standing, first_to_expire};
use crate::solo::{Solo, TOPOLOGY};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Another certificate and key of the same authority, in a folder beside.
fn issue(authority: &Authority, identity: &NodeIdentity, name: &str) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().expect("a folder");
    let issued = authority.issue(identity).expect("its own cluster");
    issued.save(folder.path(), name).expect("saved");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_fit_leave_those_before_in_force_and_are_told_of() {
    let authority = Authority::create(&"solo".parse().expect("a name")).expect("made");
    let solo = Solo::start_in(TOPOLOGY, &authority, |_config| ());
    let node = &solo.node;
    let [cert, key]: [PathBuf; 2] = [&node.config.tls.cert, &node.config.tls.key].map(Clone::clone);
    let first = node.certificates.standing().remove(0);
    let fresh = issue(&authority, &node.identity, "fresh");

    // As between two copies: the certificate is there, and its key is not yet.
    std::fs::copy(fresh.path().join("fresh.pem"), &cert).expect("copied");
    node.certificates.look().await;
    let between = node.certificates.standing().remove(0);
    assert_eq!(between.certificates, first.certificates);
    assert_eq!(between.changes, 0);
    let refused = node.certificates.refused().expect("said");
    assert!(refused.contains("do not fit together"), "{refused}");

    std::fs::write(&key, "no key").expect("written");
    node.certificates.look().await;
    let refused = node.certificates.refused().expect("said");
    assert!(refused.contains("node.key"), "{refused}");

    std::fs::copy(fresh.path().join("fresh.key"), &key).expect("copied");
    node.certificates.look().await;
    let last = node.certificates.standing().remove(0);
    assert_eq!((last.changes, last.refused), (1, None));
    assert_ne!(
        last.certificates[0].1.serial,
        first.certificates[0].1.serial
    );
    solo.stop().await;
}

/// A look that read the files as they were before a change, and is slow, is overtaken by none.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_earlier_never_takes_the_place_of_what_was_read_later() {
    let authority = Authority::create(&"solo".parse().expect("a name")).expect("made");
    let solo = Solo::start_in(TOPOLOGY, &authority, |_config| ());
    let node = &solo.node;
    let [cert, key]: [PathBuf; 2] = [&node.config.tls.cert, &node.config.tls.key].map(Clone::clone);
    let fresh = issue(&authority, &node.identity, "fresh");

    // Whoever reads this key waits for somebody to write it.
    let slow = fresh.path().join("slow");
    let made = Command::new("mkfifo").arg(&slow).status();
    assert!(made.expect("mkfifo of coreutils").success());
    std::fs::rename(&slow, &key).expect("put in place");
    let looks = TaskTracker::new();
    let look = || {
        let certificates = node.certificates.clone();
        looks.spawn(async move { certificates.look().await })
    };
    let early = look();
    // Opened only once a look has opened it for reading.
    let opened = tokio::task::spawn_blocking({
        let key = key.clone();
        move || std::fs::File::options().write(true).open(key)
    });
    let mut writer = opened.await.expect("no panic").expect("opened");

    std::fs::copy(fresh.path().join("fresh.pem"), &cert).expect("copied");
    std::fs::rename(fresh.path().join("fresh.key"), &key).expect("put in place");
    let mut late = look();
    let overtook = timeout(Duration::from_millis(200), &mut late).await;
    assert!(overtook.is_err(), "while an earlier one still reads");
    writer.write_all(b"no key").expect("read");
    drop(writer);
    early.await.expect("no panic");
    late.await.expect("no panic");
    let last = node.certificates.standing().remove(0);
    assert_eq!((last.changes, last.refused), (1, None));
    solo.stop().await;
}

/// Writes a certificate for localhost and its key, signed by an authority of their own; answers
/// that one, PEM.
fn sign_for_localhost(cert: &Path, key: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&own).expect("signed").pem();
    let issuer = Issuer::new(params, own);
    let own = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&own, &issuer).expect("signed");
    std::fs::write(cert, certificate.pem()).expect("written");
    std::fs::write(key, own.serialize_pem()).expect("written");
    authority
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_shown_a_new_certificate_from_its_next_look_on() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let (cert, key) = (folder.path().join("api.pem"), folder.path().join("api.key"));
    let first = sign_for_localhost(&cert, &key);
    let solo = Solo::start_with(|config| {
        config.client_tls.cert.clone_from(&cert);
        config.client_tls.key.clone_from(&key);
    });
    let node = &solo.node;
    let [api, operators] = node.certificates.doors();
    assert!(api.is_some());
    let routes = crate::admin::router(Arc::clone(node));
    let url = solo.serve_by(operators, routes).await;
    let believing = |authority: &str| {
        let trust = Trust::pem(authority.as_bytes()).expect("an authority");
        AdminClient::new(&url).expect("a client").with_trust(&trust)
    };
    let before = believing(&first);
    before.certificates().await.expect("it speaks HTTPS");
    let plain = AdminClient::new(url.replace("https", "http")).expect("a client");
    plain.certificates().await.expect_err("and nothing else");

    let second = sign_for_localhost(&cert, &key);
    std::fs::write(&key, "no key").expect("written");
    node.certificates.look().await;
    let refused = node.certificates.refused().expect("said");
    assert!(refused.contains("api.key"), "{refused}");
    believing(&first).certificates().await.expect("as before");
    let third = sign_for_localhost(&cert, &key);
    before
        .reload_certificates()
        .await
        .expect("on its connection");
    before.certificates().await.expect("which stays");
    for gone in [&first, &second] {
        let refused = believing(gone).certificates().await.expect_err("another");
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    let shown = believing(&third).certificates().await.expect("the new one");
    assert_eq!(shown["sets"][1]["changes"], 1);
    assert_eq!(shown["sets"][1]["certificates"][0]["what"], "clients");
    solo.stop().await;
}

fn until(own: &str, issuer: &str, seconds: i64) -> Certified {
    Certified {
        until_seconds: seconds,
        own_key: Some(own.to_owned()),
        issuer_key: Some(issuer.to_owned()),
        ..Certified::default()
    }
}

#[test]
fn what_expires_within_thirty_days_is_told_and_an_authority_that_goes_is_not() {
    let standing = |node: i64, old: i64, new: i64| Standing {
        certificates: vec![
            ("node", until("n", "new", node)),
            ("authority", until("old", "", old)),
            ("authority", until("new", "", new)),
        ],
        changes: 0,
        since_ms: 0,
        refused: None,
    };
    let (soon, later) = (29 * DAY_SECONDS, 31 * DAY_SECONDS);
    let first = |standing: Standing| first_to_expire(&[standing], 0);
    assert_eq!(first(standing(later, later, later)), None);
    assert_eq!(first(standing(later, soon, later)), None, "it goes");
    assert_eq!(first(standing(soon, later, later)), Some(("node", soon)));
    assert_eq!(
        first(standing(later, later, soon)),
        Some(("authority", soon))
    );
    assert_eq!(first(standing(-5, later, soon)), Some(("node", -5)));
}
