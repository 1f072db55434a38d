//! Authorities and credentials on a real disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Authority, CA_CERT_FILE, CA_KEY_FILE, PkiError};
use crate::NodeIdentity;

fn authority(cluster: &str) -> Authority {
    Authority::create(&cluster.parse().expect("a name")).expect("made")
}

fn node_of(cluster: &str) -> NodeIdentity {
    NodeIdentity {
        cluster: cluster.parse().expect("a name"),
        region: "eu-west".parse().expect("a region"),
        node: "1".parse().expect("a node"),
    }
}

#[test]
fn keys_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = authority("demo");
    authority.save(folder.path()).expect("saved");
    let issued = authority.issue(&node_of("demo")).expect("issued");
    issued.save(folder.path(), "node-1").expect("saved");
    for key in [CA_KEY_FILE, "node-1.key"] {
        let file = fs::metadata(folder.path().join(key)).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{key}");
    }
}

#[test]
fn nothing_is_written_over_nor_beside_a_file_of_another_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = authority("demo");
    first.save(folder.path()).expect("saved");
    let before = fs::read(folder.path().join(CA_KEY_FILE)).expect("there");
    assert!(matches!(
        first.save(folder.path()),
        Err(PkiError::Exists(_))
    ));
    fs::remove_file(folder.path().join(CA_KEY_FILE)).expect("removed");
    // A new key beside the old certificate would be of no use to anybody.
    let second = authority("demo").save(folder.path());
    assert!(matches!(second, Err(PkiError::Exists(_))), "{second:?}");
    assert!(!folder.path().join(CA_KEY_FILE).exists());
    fs::write(folder.path().join(CA_KEY_FILE), before).expect("put back");
    assert!(Authority::load(folder.path()).is_ok());
}

#[test]
fn authority_reads_back_and_signs_for_its_own_cluster_only() {
    let folder = tempfile::tempdir().expect("a folder");
    authority("demo").save(folder.path()).expect("saved");
    let loaded = Authority::load(folder.path()).expect("ours");
    assert_eq!(loaded.cluster().as_str(), "demo");
    assert!(loaded.issue(&node_of("demo")).is_ok());
    let refused = loaded
        .issue(&node_of("other"))
        .expect_err("another cluster");
    assert!(matches!(refused, PkiError::OtherCluster { .. }));
}

#[test]
fn key_of_another_authority_is_noticed() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    authority("demo").save(one.path()).expect("saved");
    authority("demo").save(two.path()).expect("saved");
    fs::copy(two.path().join(CA_KEY_FILE), one.path().join(CA_KEY_FILE)).expect("copied");
    let refused = Authority::load(one.path()).expect_err("the key is another's");
    assert!(matches!(refused, PkiError::OtherKey(_)), "{refused}");
}

#[test]
fn certificate_of_a_node_is_no_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let issued = authority("demo").issue(&node_of("demo")).expect("issued");
    fs::write(folder.path().join(CA_CERT_FILE), &issued.certificate_pem).expect("written");
    fs::write(folder.path().join(CA_KEY_FILE), &issued.key_pem).expect("written");
    let refused = Authority::load(folder.path()).expect_err("a node's");
    assert!(matches!(refused, PkiError::NotAnAuthority(_)), "{refused}");
}

#[test]
fn name_that_no_verifier_takes_is_refused_when_it_is_made() {
    let mut identity = node_of("demo");
    identity.region = "eu-".parse().expect("a region");
    let refused = authority("demo").issue(&identity).expect_err("no DNS name");
    assert!(matches!(refused, PkiError::Name(_)), "{refused}");
}
