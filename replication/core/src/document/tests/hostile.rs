//! Changes that no replica of this version makes.

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, Change, ObjType, ROOT, ScalarValue};
use meridian_regions::ListingId;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{at, created, draft, edited, listing, node, patched};
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX};
use crate::{Applied, ApplyError, ChangeError, EditError, Keeps, ListingDocument, actor};

/// A change that `author` makes on a document behind our back.
fn raw_change(
    document: &ListingDocument,
    author: ActorId,
    work: impl FnOnce(&mut Transaction<'_>),
) -> Change {
    let mut automerge = document.body.get().clone();
    automerge.set_actor(author);
    let mut transaction = automerge.transaction();
    work(&mut transaction);
    transaction.commit_with(CommitOptions::default());
    automerge.get_last_local_change().expect("a change")
}

/// Makes the checksum right again, if the bytes are a change at all.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Ok(change) = Change::try_from(&bytes[..]) {
        bytes[4..8].copy_from_slice(&change.hash().0[..4]);
    }
    bytes
}

fn refused(document: &mut ListingDocument, change: &[u8]) -> ApplyError {
    let before = document.save();
    let error = document.apply(change).expect_err("no replica made this");
    assert_eq!(document.save(), before);
    error
}

fn unsigned(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let bits = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            return out.push(bits);
        }
        out.push(bits | 0x80);
    }
}

/// A change chunk of node 2 with the given columns.
fn chunk(document: &ListingDocument, columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![1];
    body.extend(document.body.get().get_heads()[0].0);
    body.push(9);
    body.extend(actor::of_node(node(2), 0).to_bytes());
    body.push(1); // sequence number
    body.push(40); // first operation
    body.push(0); // time
    body.push(0); // message
    body.push(0); // other actors
    unsigned(columns.len() as u64, &mut body);
    for (specification, data) in columns {
        unsigned(*specification, &mut body);
        unsigned(data.len() as u64, &mut body);
    }
    for (_, data) in columns {
        body.extend(data);
    }
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    unsigned(body.len() as u64, &mut chunk);
    chunk.extend(body);
    chunk
}

#[test]
fn change_that_claims_billions_of_operations_is_refused_at_once() {
    let (mut document, _creation) = created();
    // A run of 2^40 times the action "put", in seven bytes.
    let mut run = Vec::new();
    unsigned(1 << 40, &mut run);
    run.push(1);
    let error = refused(&mut document.clone(), &chunk(&document, &[(0x42, run)]));
    let expected = ChangeError::Unfolds {
        what: "operations",
        found: 1 << 40,
        max: CHANGE_OPS_MAX,
    };
    assert_eq!(error, ApplyError::Change(expected));
    // One operation that overwrites 2^40 others.
    let mut count = vec![1];
    unsigned(1 << 40, &mut count);
    let columns = [(0x42, vec![1, 1]), (0x70, count)];
    let bytes = chunk(&document, &columns);
    let error = refused(&mut document, &bytes);
    assert_eq!(error.code(), "change-unfolds");
}

#[test]
fn change_that_repeats_a_long_key_is_refused() {
    let (mut document, _creation) = created();
    let mut keys = Vec::new();
    unsigned(50_000, &mut keys);
    unsigned(1_000, &mut keys);
    keys.extend([b'k'; 1_000]);
    let bytes = chunk(&document, &[(0x15, keys)]);
    assert_eq!(refused(&mut document, &bytes).code(), "change-unfolds");
}

#[test]
fn compressed_change_is_refused() {
    let (mut document, _creation) = created();
    let mut change = raw_change(&document, actor::of_node(node(2), 0), |document| {
        let text = "a".repeat(1_000);
        document.put(ROOT, "title", text).expect("a map takes it");
    });
    let compressed = change.bytes().into_owned();
    assert!(compressed.len() < change.raw_bytes().len());
    assert_eq!(
        refused(&mut document, &compressed).code(),
        "change-malformed"
    );
    document.apply(change.raw_bytes()).expect("the same, plain");
}

#[test]
fn change_beyond_the_bound_is_refused() {
    let (mut document, _creation) = created();
    let error = refused(&mut document, &vec![0; CHANGE_BYTES_MAX + 1]);
    assert_eq!(error.code(), "change-too-large");
}

#[test]
fn damaged_change_is_refused() {
    let (mut document, _creation) = created();
    let mut writer = document.clone();
    let change = patched(&mut writer, 1, json!({"title": "Harbour view"}));
    for index in 0..change.len() {
        let mut damaged = change.clone();
        damaged[index] ^= 1;
        refused(&mut document, &damaged);
    }
    document.apply(&change).expect("the undamaged one");
}

#[test]
fn change_of_a_stranger_or_of_no_listing_is_refused() {
    let (mut document, _creation) = created();
    for author in [actor::genesis(), ActorId::from([7; 16])] {
        let change = raw_change(&document, author, |document| {
            document.put(ROOT, "title", "x").expect("a map takes it");
        });
        assert_eq!(
            refused(&mut document, change.raw_bytes()),
            ApplyError::Stranger
        );
    }
    let mut rootless = Automerge::new().with_actor(actor::of_node(node(2), 0));
    let mut transaction = rootless.transaction();
    transaction.put(ROOT, "title", "x").expect("a map takes it");
    transaction.commit();
    let change = rootless.get_last_local_change().expect("a change");
    assert_eq!(
        refused(&mut document, change.raw_bytes()),
        ApplyError::Rootless
    );
}

#[test]
fn change_of_another_listing_never_becomes_part_of_this_one() {
    let (mut document, _creation) = created();
    let before = document.heads();
    let other = ListingId::derived("eu-west".parse().expect("a region"), "test", "2");
    let (_, change) = ListingDocument::create(&other, node(2), at(0), &draft());
    let applied = document
        .apply(change.as_bytes())
        .expect("it waits for its own genesis");
    assert!(matches!(applied, Applied::Waiting { .. }));
    assert_eq!(document.heads(), before);
}

#[test]
fn number_used_twice_is_told_and_the_first_change_stands() {
    let (document, creation) = created();
    let (mut one, mut other) = (document.clone(), document);
    let first = patched(&mut one, 2, json!({"title": "First"}));
    let second = patched(&mut other, 2, json!({"title": "Second"}));
    let reused = ApplyError::SequenceReused {
        node: node(2),
        seq: 1,
    };
    assert_eq!(refused(&mut one, &second), reused);
    let after_second = patched(&mut other, 1, json!({"title": "After"}));
    let mut replica = ListingDocument::empty(&listing());
    for change in [&second, &after_second, &first] {
        replica.apply(change).expect("it waits for the creation");
    }
    let applied = replica.apply(&creation).expect("what they wait for");
    let Applied::Now { released, refused } = applied else {
        panic!("the creation lacks nothing: {applied:?}");
    };
    assert_eq!((released + refused.len(), refused.len()), (3, 1));
    assert_eq!(refused[0].error, reused);
}

#[test]
fn number_of_an_operation_beyond_what_the_document_can_have_is_refused() {
    let (mut document, _creation) = created();
    let mut other = document.clone();
    for _ in 0..3 {
        edited(
            &mut other,
            1,
            json!([{"op": "add", "path": "/amenities", "value": "tv"}]),
        );
    }
    // Made upon more than it says that it depends on.
    let change = raw_change(&other, actor::of_node(node(2), 0), |document| {
        document.put(ROOT, "title", "x").expect("a map takes it");
    });
    let mut bytes = change.raw_bytes().to_vec();
    let heads = document.body.get().get_heads();
    let dependency = bytes
        .windows(32)
        .position(|window| window == change.deps()[0].0);
    let dependency = dependency.expect("its only dependency");
    bytes[dependency..dependency + 32].copy_from_slice(&heads[0].0);
    let bytes = with_checksum(bytes);
    assert_eq!(refused(&mut document, &bytes).code(), "out-of-sequence");
}

/// A sound change of node 2 but for a run of one where the library writes a literal:
/// it is applied without complaint, and never rebuilt as it was.
fn unfaithful(document: &ListingDocument) -> Vec<u8> {
    let columns = [
        (0x15, b"\x7f\x05title".to_vec()),
        (0x34, vec![1]),
        (0x42, vec![1, 1]),
        (0x56, vec![0x7f, 0x13]),
        (0x57, vec![7]),
        (0x70, vec![0x7f, 0]),
    ];
    with_checksum(chunk(document, &columns))
}

#[test]
fn change_that_no_snapshot_could_hold_is_refused_and_the_document_given_up() {
    let (mut document, _creation) = created();
    let change = unfaithful(&document);
    assert_eq!(document.apply(&change), Err(ApplyError::Poisoned));
    let mut writer = created().0;
    assert!(!document.is_sound());
    let sound = patched(&mut writer, 1, json!({"title": "Sound"}));
    assert_eq!(document.apply(&sound), Err(ApplyError::Poisoned));
    let delete = document.delete(node(1), at(1), &Keeps::default());
    assert_eq!(delete, Err(EditError::Poisoned));
}

#[test]
fn change_that_no_snapshot_could_hold_leaves_those_around_it_alone() {
    let (document, creation) = created();
    let bad = unfaithful(&document);
    let mut writer = document;
    let good = patched(&mut writer, 1, json!({"capacity": 7}));
    let mut replica = ListingDocument::empty(&listing());
    for change in [&bad, &good] {
        replica.apply(change).expect("it waits for the creation");
    }
    let applied = replica.apply(&creation).expect("what they wait for");
    let Applied::Now { released, refused } = applied else {
        panic!("the creation lacks nothing: {applied:?}");
    };
    assert_eq!((released, refused.len()), (1, 1));
    assert_eq!(refused[0].error, ApplyError::Unfaithful);
    let stored = [&bad[..], &creation, &good];
    let loaded = ListingDocument::load(&listing(), None, stored).expect("stored changes");
    for replica in [replica, loaded] {
        assert_eq!(replica.heads(), writer.heads());
        let reloaded = ListingDocument::load(&listing(), Some(&replica.save()), []);
        assert_eq!(reloaded.expect("its snapshot").view(), writer.view());
    }
}

#[test]
fn values_of_unexpected_types_show_defaults_and_can_be_written_over() {
    let (mut document, _creation) = created();
    let change = raw_change(&document, actor::of_node(node(2), 0), |document| {
        document.put(ROOT, "title", 7).expect("a map takes it");
        document
            .put(ROOT, "nightly_price", "free")
            .expect("a map takes it");
        document
            .put(ROOT, "capacity", ScalarValue::Int(-4))
            .expect("a map takes it");
        document
            .put(ROOT, "created_at", i64::MAX)
            .expect("a map takes it");
        for key in ["description", "amenities", "photos", "house_rules"] {
            let object = document.put_object(ROOT, key, ObjType::Map);
            object.expect("a map takes it");
        }
        document.delete(ROOT, "location").expect("it was there");
        document
            .put(ROOT, "solar_panels", true)
            .expect("a map takes it");
    });
    document.apply(change.raw_bytes()).expect("a sound change");
    let view = document.view();
    assert_eq!(
        (view.title.as_str(), view.capacity, view.nightly_price),
        ("", 0, None)
    );
    assert_eq!(
        view.description, "Bright and quiet.",
        "containers keep their address"
    );
    assert_eq!(view.location.city.as_deref(), Some("Oslo"));
    let price = json!({"amount": 5, "currency": "EUR"});
    patched(
        &mut document,
        1,
        json!({"title": "Again", "capacity": 2, "nightly_price": price}),
    );
    assert_eq!(document.view().title, "Again");
}

proptest! {
    #[test]
    fn any_bytes_are_no_change(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut document, _creation) = created();
        prop_assert!(document.apply(&bytes).is_err());
        prop_assert_eq!(document.heads(), created().0.heads());
    }

    #[test]
    fn altered_change_with_a_right_checksum_is_taken_or_refused_and_never_worse(
        alterations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let (mut document, _creation) = created();
        let mut writer = document.clone();
        let change = patched(&mut writer, 2, json!({
            "title": "Harbour view", "amenities": ["wifi", "pool"], "photos": ["https://a/1"],
            "description": "Bright and very quiet indeed.",
        }));
        let mut altered = change;
        for (index, byte) in alterations {
            let index = index.index(altered.len());
            altered[index] = byte;
        }
        match document.apply(&with_checksum(altered)) {
            Ok(_) => {
                // Whatever it says: the document can be read, written, saved and loaded.
                let _ = document.conflicts();
                let photos = json!(["https://a/2", "https://a/1"]);
                let everything = json!({
                    "title": "Again", "description": "Anew.", "amenities": ["tv"],
                    "photos": photos, "nightly_price": {"amount": 1, "currency": "EUR"},
                });
                patched(&mut document, 1, everything);
                prop_assert_eq!(document.view().title, "Again");
                let loaded = ListingDocument::load(&listing(), Some(&document.save()), []);
                prop_assert_eq!(loaded.expect("its own snapshot").heads(), document.heads());
            }
            Err(ApplyError::Poisoned) => prop_assert!(document.apply(&[]).is_err()),
            Err(_) => prop_assert_eq!(document.heads(), created().0.heads()),
        }
    }
}
