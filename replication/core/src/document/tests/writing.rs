//! One replica: what a write does, and what it refuses.

use meridian_regions::Survival;
use serde_json::{Value, json};

use super::{at, body, created, draft, draft_of, edited, listing, node, ops, patch, patched};
use crate::limits::{
    AMENITIES_MAX, CHANGE_BYTES_MAX, DESCRIPTION_CHARS_MAX, EDIT_OPS_MAX, TEXT_DIFF_CHARS_MAX,
};
use crate::{EditError, FieldError, Keeps, Lifecycle, ListingDocument, Slot};

fn refused(document: &mut ListingDocument, op: Value) -> Vec<FieldError> {
    let before = document.heads();
    let error = document
        .edit(node(1), at(1), &ops(op))
        .expect_err("an edit that does not fit");
    assert_eq!(document.heads(), before);
    match error {
        EditError::Invalid(errors) => errors,
        other => panic!("refused for another reason: {other}"),
    }
}

#[test]
fn created_listing_shows_its_draft() {
    let (document, _change) = created();
    let view = document.view();
    assert_eq!(document.lifecycle(), Lifecycle::Live);
    assert_eq!(view.title, "Loft by the harbour");
    assert_eq!(view.description, "Bright and quiet.");
    assert_eq!(view.amenities, ["sauna", "wifi"]);
    assert_eq!(
        view.photos,
        ["https://example.org/1.jpg", "https://example.org/2.jpg"]
    );
    assert_eq!(view.owner.as_deref(), Some("host-7"));
    assert_eq!((view.units, view.slot), (1, Slot::Night));
    assert_eq!((view.min_stay, view.max_stay), (1, 365));
    assert_eq!(view.survival, Survival::Region);
    assert_eq!(view.counters["saves"], 0);
    assert!(!view.deleted);
}

#[test]
fn view_is_the_json_of_the_contract() {
    let (document, _change) = created();
    let json = serde_json::to_value(document.view()).expect("a view is JSON");
    assert_eq!(
        json,
        json!({
            "id": listing().to_string(),
            "title": "Loft by the harbour",
            "description": "Bright and quiet.",
            "location": {
                "lat": 59.91, "lon": 10.72, "city": "Oslo", "country": null, "time_zone": null
            },
            "capacity": 4,
            "nightly_price": {"amount": 12900, "currency": "NOK"},
            "amenities": ["sauna", "wifi"],
            "photos": ["https://example.org/1.jpg", "https://example.org/2.jpg"],
            "house_rules": "",
            "units": 1,
            "slot": "night",
            "min_stay": 1,
            "max_stay": 365,
            "turnover": 0,
            "survival": "region",
            "home_region": "eu-west",
            "room_type": "Entire home/apt",
            "neighbourhood": null,
            "owner": "host-7",
            "external": {"source": "airbnb", "id": "42932"},
            "counters": {"saves": 0, "views": 0},
            "created_at": "2023-11-14T22:13:20Z",
            "updated_at": "2023-11-14T22:13:20Z",
        })
    );
}

#[test]
fn patch_changes_what_it_mentions_and_the_time() {
    let (mut document, _change) = created();
    let before = document.view();
    patched(
        &mut document,
        1,
        json!({"nightly_price": {"amount": 9900}, "location": {"lon": 11}, "room_type": null}),
    );
    let after = document.view();
    let price = after.nightly_price.expect("a price");
    assert_eq!((price.amount, price.currency.as_str()), (9900, "NOK"));
    assert_eq!((after.location.lat, after.location.lon), (59.91, 11.0));
    assert_eq!(after.room_type, None);
    assert_eq!(after.title, before.title);
    assert_eq!(after.created_at, before.created_at);
    assert!(after.updated_at > before.updated_at);
}

#[test]
fn write_of_what_is_there_changes_nothing() {
    let (mut document, _change) = created();
    let before = document.heads();
    let same = patch(json!({"title": "Loft by the harbour", "amenities": ["wifi", "sauna"]}));
    assert_eq!(document.patch(node(2), at(9), &same), Ok(None));
    assert_eq!(document.patch(node(2), at(9), &patch(json!({}))), Ok(None));
    assert_eq!(document.edit(node(2), at(9), &[]), Ok(None));
    assert_eq!(document.reconcile(node(2), at(9), &draft()), Ok(None));
    let absent = ops(json!([{"op": "remove", "path": "/amenities", "value": "pool"}]));
    assert_eq!(document.edit(node(2), at(9), &absent), Ok(None));
    assert_eq!(document.heads(), before);
}

#[test]
fn photos_keep_the_order_that_was_asked_for() {
    let (mut document, _change) = created();
    let order = ["https://a/3", "https://example.org/2.jpg", "https://a/1"];
    patched(&mut document, 1, json!({ "photos": order }));
    assert_eq!(document.view().photos, order);
    let last = "https://example.org/1.jpg";
    edited(
        &mut document,
        1,
        json!([{"op": "add", "path": "/photos", "value": last}]),
    );
    assert_eq!(document.view().photos[3], last);
    patched(&mut document, 1, json!({ "photos": null }));
    assert!(document.view().photos.is_empty());
}

#[test]
fn splice_counts_unicode_scalar_values() {
    let (mut document, _change) = created();
    patched(&mut document, 1, json!({"description": "a😀é\u{301}z"}));
    edited(
        &mut document,
        1,
        json!([{"op": "splice", "path": "/description", "at": 2, "delete": 2, "insert": "b"}]),
    );
    assert_eq!(document.view().description, "a😀bz");
}

#[test]
fn splice_out_of_range_says_where_the_text_ends() {
    let (mut document, _change) = created();
    let errors = refused(
        &mut document,
        json!([{"op": "splice", "path": "/description", "at": 18, "insert": "x"}]),
    );
    let detail = "18 is past the end: the text has 17 characters";
    assert_eq!(errors, [FieldError::new("/ops/0/at", detail)]);
    let errors = refused(
        &mut document,
        json!([{"op": "splice", "path": "/description", "at": 15, "delete": 3}]),
    );
    let detail = "3 characters from 15: the text has 2 more";
    assert_eq!(errors, [FieldError::new("/ops/0/delete", detail)]);
}

#[test]
fn edit_is_all_or_nothing() {
    let (mut document, _change) = created();
    let before = document.view();
    let errors = refused(
        &mut document,
        json!([
            {"op": "add", "path": "/amenities", "value": "pool"},
            {"op": "splice", "path": "/description", "at": 0, "insert": "Very "},
            {"op": "increment", "path": "/counters/likes", "by": 1},
        ]),
    );
    assert_eq!(errors[0].pointer, "/ops/2/path");
    assert_eq!(document.view(), before);
    edited(
        &mut document,
        1,
        json!([{"op": "increment", "path": "/counters/saves", "by": 2}]),
    );
    assert_eq!(document.view().counters["saves"], 2);
    assert_eq!(document.view().amenities, before.amenities);
}

#[test]
fn operations_on_other_fields_are_refused() {
    let (mut document, _change) = created();
    for op in [
        json!([{"op": "splice", "path": "/title", "at": 0, "insert": "x"}]),
        json!([{"op": "add", "path": "/units", "value": "x"}]),
        json!([{"op": "remove", "path": "/counters", "value": "saves"}]),
        json!([{"op": "increment", "path": "/capacity", "by": 1}]),
    ] {
        assert_eq!(refused(&mut document, op)[0].pointer, "/ops/0/path");
    }
    for by in [0, 1_001, -1_001, i64::MIN] {
        let op = json!([{"op": "increment", "path": "/counters/saves", "by": by}]);
        assert_eq!(refused(&mut document, op)[0].pointer, "/ops/0/by");
    }
}

#[test]
fn lists_and_texts_stay_within_their_bounds() {
    let (mut document, _change) = created();
    let many: Vec<String> = (0..AMENITIES_MAX).map(|n| format!("amenity {n}")).collect();
    patched(&mut document, 1, json!({ "amenities": many }));
    let one_more = json!([{"op": "add", "path": "/amenities", "value": "one more"}]);
    assert_eq!(refused(&mut document, one_more)[0].pointer, "/ops/0/value");
    let again = json!([{"op": "add", "path": "/amenities", "value": "amenity 0"}]);
    edited(&mut document, 1, again);
    let room = DESCRIPTION_CHARS_MAX - 17;
    let op = |chars: usize| json!([{"op": "splice", "path": "/description", "at": 0, "insert": "x".repeat(chars)}]);
    assert_eq!(
        refused(&mut document, op(room + 1))[0].pointer,
        "/ops/0/insert"
    );
    edited(&mut document, 1, op(room));
    let description = document.view().description;
    assert_eq!(description.chars().count(), DESCRIPTION_CHARS_MAX);
}

#[test]
fn description_of_any_length_is_replaced() {
    let (mut document, _change) = created();
    for text in [
        "x".repeat(TEXT_DIFF_CHARS_MAX),
        "yz".repeat(9_999),
        "Short.".to_owned(),
    ] {
        patched(&mut document, 1, json!({ "description": text }));
        assert_eq!(document.view().description, text);
    }
    patched(&mut document, 1, json!({ "description": null }));
    assert_eq!(document.view().description, "");
}

#[test]
fn largest_changes_stay_below_half_of_the_bound() {
    let (mut document, _change) = created();
    let text = |seed: u64, chars: usize| -> String {
        let digits = (0..).flat_map(|n: u64| n.wrapping_mul(seed).to_be_bytes());
        digits
            .take(chars)
            .map(|byte| char::from_u32(0x1_0000 + u32::from(byte)).expect("a character"))
            .collect()
    };
    let url = |seed: usize, n: usize| format!("https://a/{n}/{}", "x".repeat(2_000 + seed));
    for seed in 1..4 {
        let amenities: Vec<String> = (0..100).map(|n| format!("{n} {}", text(3, 55))).collect();
        let photos: Vec<String> = (0..50).map(|n| url(seed, n)).collect();
        let change = patched(
            &mut document,
            1,
            json!({
                "title": text(seed as u64, 200),
                "description": text(0x9e37_79b9 + seed as u64, DESCRIPTION_CHARS_MAX),
                "house_rules": text(seed as u64, 5_000),
                "amenities": amenities,
                "photos": photos,
            }),
        );
        assert!(
            change.len() < CHANGE_BYTES_MAX / 2,
            "{} bytes",
            change.len()
        );
        // The same number of characters, taken from and put into places all over.
        let ops: Vec<Value> = (0..EDIT_OPS_MAX)
            .map(|n| {
                json!({"op": "splice", "path": "/description", "at": n * 7_919 % 19_900,
                    "delete": 77, "insert": text(n as u64 + 1, 77)})
            })
            .collect();
        let change = edited(&mut document, 2, json!(ops));
        assert!(
            change.len() < CHANGE_BYTES_MAX / 2,
            "{} bytes",
            change.len()
        );
    }
}

#[test]
fn stays_are_checked_against_what_is_there() {
    let (mut document, _change) = created();
    patched(&mut document, 1, json!({"min_stay": 5, "max_stay": 7}));
    let error = document.patch(node(1), at(1), &patch(json!({"min_stay": 8})));
    let detail = "min_stay 8 is above max_stay 7";
    let expected = EditError::Invalid(vec![FieldError::new("/min_stay", detail)]);
    assert_eq!(error, Err(expected));
    patched(&mut document, 1, json!({ "max_stay": null }));
    assert_eq!(document.view().max_stay, 365);
    patched(&mut document, 1, json!({ "turnover": 2 }));
    assert_eq!(document.view().turnover, 2);
    patched(&mut document, 1, json!({ "turnover": null }));
    assert_eq!(document.view().turnover, 0);
}

#[test]
fn reconcile_writes_what_differs_and_leaves_alone_what_is_left_out() {
    let (mut document, _change) = created();
    patched(&mut document, 1, json!({"neighbourhood": "Frogner"}));
    let mut body = body();
    body["nightly_price"]["amount"] = json!(500);
    body["units"] = json!(9);
    body.as_object_mut()
        .expect("an object")
        .remove("description");
    let change = document.reconcile(node(2), at(2), &draft_of(body));
    assert!(change.expect("it fits").is_some());
    let view = document.view();
    assert_eq!(view.nightly_price.expect("a price").amount, 500);
    assert_eq!(view.description, "Bright and quiet.");
    assert_eq!(view.neighbourhood.as_deref(), Some("Frogner"));
    assert_eq!(view.units, 1, "units are fixed at creation");
}

#[test]
fn deleted_listing_takes_no_edits_and_no_import() {
    let (mut document, _change) = created();
    let deletion = document
        .delete(node(1), at(3), &Keeps::default())
        .expect("it is there");
    assert!(deletion.is_some());
    assert!(document.view().deleted);
    assert_eq!(document.lifecycle(), Lifecycle::Deleted);
    assert_eq!(document.delete(node(1), at(4), &Keeps::default()), Ok(None));
    let title = patch(json!({"title": "Back again"}));
    assert_eq!(
        document.patch(node(1), at(4), &title),
        Err(EditError::Deleted)
    );
    assert_eq!(document.edit(node(1), at(4), &[]), Err(EditError::Deleted));
    assert_eq!(document.reconcile(node(1), at(4), &draft()), Ok(None));
}

#[test]
fn documents_move_between_threads() {
    const fn movable<T: Send + Sync + Clone>() {}
    const { movable::<ListingDocument>() };
}

#[test]
fn listing_that_was_never_created_takes_no_edits() {
    let mut document = ListingDocument::empty(&listing());
    assert_eq!(document.lifecycle(), Lifecycle::Uncreated);
    let title = patch(json!({"title": "Early"}));
    assert_eq!(
        document.patch(node(1), at(1), &title),
        Err(EditError::Uncreated)
    );
    assert_eq!(
        document.delete(node(1), at(1), &Keeps::default()),
        Err(EditError::Uncreated)
    );
    assert_eq!(document.view().title, "");
}
