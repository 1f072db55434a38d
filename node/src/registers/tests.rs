//! Which write stands, and that digests tell what differs.

use proptest::prelude::{Strategy, prop_assert_eq, proptest};
use tempfile::TempDir;

use super::digests::{Digests, bucket};
use super::record::{Register, Space, Stamp};
use super::store::RegisterStore;

/// No two writes of a register have one stamp: its value is told by it.
fn write() -> impl Strategy<Value = Register> {
    (0..3_u64, 1..4_u64).prop_map(|(ms, node)| Register {
        space: Space::Outbound,
        key: "one".to_owned(),
        stamp: Stamp { ms, node },
        value: (ms > 0).then(|| vec![u8::try_from(ms * 10 + node).expect("small")]),
    })
}

proptest! {
    #[test]
    fn writes_merge_in_any_order_and_any_number_of_times(
        a in write(), b in write(), c in write(),
    ) {
        prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
        let left = a.clone().merge(b.clone()).merge(c.clone());
        prop_assert_eq!(left, a.clone().merge(b.merge(c)));
        prop_assert_eq!(a.clone().merge(a.clone()), a);
    }
}

#[test]
fn write_is_later_than_what_its_writer_has_seen_whatever_its_clock_says() {
    let node = meridian_regions::NodeId::new(1).expect("not zero");
    let seen = Stamp { ms: 900, node: 7 };
    assert!(Stamp::after(Some(seen), 5, node) > seen);
    assert_eq!(Stamp::after(None, 5, node).ms, 5);
}

#[test]
fn digests_differ_in_the_bucket_of_what_differs_and_in_no_other() {
    let register = |key: &str, ms| Register {
        space: Space::Preferences,
        key: key.to_owned(),
        stamp: Stamp { ms, node: 1 },
        value: None,
    };
    let (mut ours, mut theirs) = (Digests::empty(), Digests::empty());
    for key in ["a", "b", "c"] {
        ours.replace(&register(key, 1), None);
    }
    for key in ["c", "a", "b"] {
        theirs.replace(&register(key, 1), None);
    }
    assert_eq!(ours, theirs);
    theirs.replace(&register("b", 2), Some(Stamp { ms: 1, node: 1 }));
    let differing: Vec<_> = ours.differing(theirs.as_slice()).collect();
    assert_eq!(differing, [(Space::Preferences, bucket("b"))]);
    assert_ne!(ours.whole(), theirs.whole());
}

#[tokio::test]
async fn register_outlives_a_restart_with_its_digest() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("registers");
    let register = Register {
        space: Space::Outbound,
        key: "endpoint/x".to_owned(),
        stamp: Stamp { ms: 5, node: 1 },
        value: Some(b"value".to_vec()),
    };
    let store = RegisterStore::open(path.clone()).expect("it opens");
    let permit = store.reserve().await.expect("room");
    store.submit(permit, &register).await.expect("written");
    let mut digests = Digests::empty();
    digests.replace(&register, None);
    drop(store);
    let store = RegisterStore::open(path).expect("it opens again");
    assert_eq!(store.list(Space::Outbound).expect("read"), [register]);
    assert_eq!(store.list(Space::Preferences).expect("read"), []);
    assert_eq!(store.digests().expect("read"), digests);
}
