//! A creation is put together without a document; it must be the change that writing
//! the draft into a document makes, to the byte.

use automerge::legacy::{Key, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Change, ExpandedChange, ObjType, ROOT, ScalarValue};
use meridian_regions::ListingId;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::super::reconcile::Sheet;
use super::super::register::Register;
use super::super::write::{Reads, Writer};
use super::super::{creation, genesis, reconcile, text};
use super::{at, body, content, created, draft, draft_of, listing, node, patched};
use crate::document::Lifecycle;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::{Applied, EditError, ListingDocument, ListingDraft, ValidDraft, actor, change};

/// A document that nobody has written to: its description is not replaced.
struct Blank<'a, 'b>(&'a mut Writer<'b>);

impl Sheet for Blank<'_, '_> {
    type Error = EditError;

    fn put(&mut self, register: Register, value: ScalarValue) -> Result<(), EditError> {
        self.0.put(register, value)
    }

    fn describe(&mut self, text: &str) -> Result<(), EditError> {
        text::splice(self.0, 0, 0, text)
    }

    fn equip(&mut self, values: &[String]) -> Result<(), EditError> {
        self.0.equip(values)
    }

    fn show(&mut self, urls: &[String]) -> Result<(), EditError> {
        self.0.show(urls)
    }
}

/// The same listing, written through a transaction.
fn written(id: &ListingId, draft: &ValidDraft) -> (ListingDocument, Vec<u8>) {
    let mut document = ListingDocument::empty(id);
    let change = document
        .write(
            DOCUMENT_BYTES_MAX,
            (node(1), at(0)),
            "create",
            Reads::EVERYTHING,
            |writer| reconcile::create(&mut Blank(writer), at(0), draft.as_draft()),
        )
        .expect("a valid draft fits")
        .expect("a valid draft has a title");
    (document, change.into_bytes())
}

fn assert_same(id: &ListingId, draft: &ValidDraft) {
    let (by_transaction, expected) = written(id, draft);
    let (document, change) = ListingDocument::create(id, node(1), at(0), draft);
    assert_eq!(change.as_bytes(), expected, "{draft:?}");
    assert_eq!(document.heads(), by_transaction.heads());
    assert_eq!(document.view(), by_transaction.view());
    assert_eq!(document.save(), by_transaction.save());
}

#[test]
fn creation_is_what_a_transaction_would_have_written() {
    assert_same(&listing(), &draft());
}

#[test]
fn creation_of_a_bare_listing_too() {
    let price = json!({"amount": 1, "currency": "EUR"});
    let place = json!({"lat": 0, "lon": 0});
    let bare = json!({"title": "T", "location": place, "capacity": 1, "nightly_price": price});
    assert_same(&listing(), &draft_of(bare));
}

#[test]
fn creation_of_a_long_description_too() {
    let mut body = body();
    body["description"] = json!("fjord".repeat(3_000));
    assert_same(&listing(), &draft_of(body));
}

#[test]
fn amenity_behind_a_hundred_equal_ones_is_looked_at() {
    let mut body = body();
    let mut amenities = vec!["wifi".to_owned(); 100];
    amenities.push("x".repeat(2 << 20));
    body["amenities"] = json!(amenities);
    let draft = ListingDraft::from_json(body).and_then(|draft| draft.validate());
    let errors = draft.expect_err("no name of an amenity");
    assert_eq!(errors[0].pointer, "/amenities/100");
}

/// Bodies with any selection of fields, in any script.
fn bodies() -> impl Strategy<Value = Value> {
    let text = "[a-zåß語🦀\u{301} ]{1,12}[a-z]";
    let words = prop::collection::vec("[a-zåß語]{1,6}", 0..6);
    let fields = (text, "[a-zåß語🦀\u{301}\n ]{0,60}", words, 0..6_u32);
    (fields, any::<[bool; 5]>(), 1..5_u32).prop_map(|(fields, kept, units)| {
        let (title, description, amenities, photos) = fields;
        let mut body = body();
        let photos: Vec<String> = (0..photos)
            .map(|photo| format!("https://example.org/{}.jpg", photo * 7 % 6))
            .collect();
        let fields = body.as_object_mut().expect("an object");
        fields.insert("title".to_owned(), json!(title));
        for (kept, (name, value)) in kept.into_iter().zip([
            ("description", json!(description)),
            ("amenities", json!(amenities)),
            ("photos", json!(photos)),
            ("units", json!(units)),
            ("min_stay", json!(units)),
        ]) {
            fields.remove(name);
            if kept {
                fields.insert(name.to_owned(), value);
            }
        }
        body
    })
}

proptest! {
    #[test]
    fn creation_of_any_listing_is_what_a_transaction_would_have_written(
        body in bodies(),
        number in any::<u64>(),
    ) {
        let draft = draft_of(body);
        let id = ListingId::derived("eu-west".parse().expect("a region"), "test", &number.to_string());
        let (_, expected) = written(&id, &draft);
        let (document, change) = ListingDocument::create(&id, node(1), at(0), &draft);
        prop_assert_eq!(change.as_bytes(), expected.as_slice());
        let loaded = ListingDocument::load(&id, Some(&document.save()), []).expect("its own snapshot");
        prop_assert_eq!(loaded.heads(), document.heads());
    }
}

/// A genesis that has been made, so that nothing is founded without a document.
fn made(id: &ListingId) -> ListingDocument {
    let document = ListingDocument::empty(id);
    document.body.get();
    document
}

/// The creation as its author could have written it, altered.
fn altered(alter: impl FnOnce(&mut ExpandedChange)) -> Change {
    let (_, change) = created();
    let mut expanded = change::decode(&change).expect("a change").decode();
    alter(&mut expanded);
    Change::from(expanded)
}

fn assert_taken_alike(change: &Change) {
    let (mut founded, mut made) = (ListingDocument::empty(&listing()), made(&listing()));
    let (left, right) = (
        founded.apply(change.raw_bytes()),
        made.apply(change.raw_bytes()),
    );
    assert_eq!(left, right);
    assert_eq!(founded.save(), made.save());
}

#[test]
fn creation_is_founded_and_anything_else_is_not() {
    let plain = altered(|_| ());
    let genesis = ListingDocument::empty(&listing());
    assert!(creation::is_plain(&genesis, &plain));
    assert_taken_alike(&plain);
    let title = |key: &str| altered(|change| change.operations[0].key = Key::Map(key.into()));
    let others = [
        ("a key of the genesis", title("id")),
        ("a container of the genesis", title("photos")),
        ("a key twice", title("title")),
        (
            "a counter",
            altered(|change| {
                let counter = ScalarValue::counter(1);
                change.operations[0].action = OpType::Put(counter);
            }),
        ),
        (
            "a new container",
            altered(|change| {
                let map = OpType::Make(ObjType::Map);
                change.operations[0].action = map;
            }),
        ),
        (
            "a text from its end",
            altered(|change| {
                let inserted = change.operations.iter_mut().filter(|op| op.insert);
                for op in inserted {
                    op.key = Key::head();
                }
            }),
        ),
        ("a late number", altered(|change| change.seq = 2)),
        (
            "a time before 1970",
            altered(|change| change.time = i64::MIN),
        ),
        (
            "an operation too late",
            altered(|change| change.start_op = change.start_op.saturating_add(1)),
        ),
        (
            "nothing that it follows",
            altered(|change| change.deps.clear()),
        ),
        (
            "a stranger",
            altered(|change| change.actor_id = ActorId::from([9_u8])),
        ),
    ];
    for (what, change) in others {
        assert!(!creation::is_plain(&genesis, &change), "{what}");
        assert_taken_alike(&change);
    }
}

#[test]
fn genesis_is_what_a_transaction_would_have_written() {
    let (mut automerge, _) = genesis::containers().clone();
    automerge.set_actor(actor::genesis());
    let mut transaction = automerge.transaction();
    transaction
        .put(ROOT, "id", listing().to_string())
        .expect("a map takes any value");
    let options = CommitOptions::default()
        .with_message("genesis")
        .with_time(0);
    transaction.commit_with(options);
    let written = automerge.get_last_local_change().expect("the change");
    assert_eq!(genesis::named(&listing()).raw_bytes(), written.raw_bytes());
}

#[test]
fn listing_that_nobody_looks_into_has_no_document() {
    let (_, change) = created();
    let mut document = ListingDocument::empty(&listing());
    document.apply(&change).expect("a creation");
    assert_eq!(document.changes(), 3);
    let heads = document.heads();
    assert!(!document.body.is_made());
    assert_eq!(document.lifecycle(), Lifecycle::Live);
    assert!(document.body.is_made());
    assert_eq!(document.heads(), heads);
}

#[test]
fn change_that_came_before_the_creation_is_released_by_it() {
    let (mut writer, creation) = created();
    let patch = patched(&mut writer, 1, json!({"title": "Later"}));
    let mut document = ListingDocument::empty(&listing());
    document.apply(&patch).expect("a change that waits");
    let applied = document.apply(&creation).expect("a creation");
    assert_eq!(
        applied,
        Applied::Now {
            released: 1,
            refused: Vec::new()
        }
    );
    assert_eq!(document.heads(), writer.heads());
}

#[test]
fn stored_creation_becomes_a_document_with_the_first_change_that_follows() {
    let (mut source, creation) = created();
    let mut loaded = ListingDocument::load(&listing(), None, [&creation[..]]).expect("stored");
    assert!(!loaded.body.is_made());
    assert_eq!(loaded.heads(), source.heads());
    assert_eq!(loaded.changes(), source.changes());
    let again = loaded.apply(&creation);
    assert_eq!(again, Ok(Applied::Duplicate));
    assert!(!loaded.body.is_made());
    let edit = patched(&mut source, 1, json!({"title": "Another"}));
    loaded.apply(&edit).expect("a change");
    assert_eq!(loaded.view(), source.view());
    assert_eq!(content(&loaded), content(&source));
}
