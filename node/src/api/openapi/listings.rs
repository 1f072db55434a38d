//! Schemas of listings. Their bodies have a reader of their own, which finds every fault at once
//! (`meridian_replication_core`): the bounds here are its constants.

use meridian_replication_core::limits::{
    AMENITIES_MAX, AMENITY_CHARS_MAX, CAPACITY_MAX, DESCRIPTION_CHARS_MAX, EDIT_OPS_MAX,
    EXTERNAL_ID_BYTES_MAX, EXTERNAL_SOURCE_BYTES_MAX, HOUSE_RULES_CHARS_MAX, INCREMENT_MAX,
    NAME_CHARS_MAX, OWNER_CHARS_MAX, PHOTO_URL_BYTES_MAX, PHOTOS_MAX, PRICE_AMOUNT_MAX,
    STAY_SLOTS_MAX, TIME_ZONE_BYTES_MAX, TITLE_CHARS_MAX, TURNOVER_SLOTS_MAX, UNITS_MAX,
};
use serde_json::{Value, json};

use super::schemas::{closed, count, list, maybe, object, of, page, text};
use super::texts::{Change, CurrencyCode, Instant, Listing, Region};

/// A line: no control characters.
fn line(least: usize, most: usize) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most,
           "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
}

/// A text of lines: no control characters but those between lines, and tabs.
fn lines(most: usize) -> Value {
    json!({"type": "string", "maxLength": most,
           "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"})
}

/// A line with something to read in it.
fn title() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": TITLE_CHARS_MAX,
           "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"})
}

/// A plain name, without white space at its ends.
fn amenity() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": AMENITY_CHARS_MAX,
           "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$"})
}

fn photo() -> Value {
    json!({"type": "string", "maxLength": PHOTO_URL_BYTES_MAX, "pattern": "^https?://[!-~]+$"})
}

fn whole(least: u64, most: u64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most})
}

fn degrees(most: i32) -> Value {
    json!({"type": "number", "minimum": -most, "maximum": most})
}

fn zone() -> Value {
    json!({"type": "string", "maxLength": TIME_ZONE_BYTES_MAX, "pattern": "^[A-Za-z0-9/_+-]+$"})
}

fn amenities() -> Value {
    json!({"type": "array", "maxItems": AMENITIES_MAX, "items": amenity()})
}

fn photos() -> Value {
    json!({"type": "array", "maxItems": PHOTOS_MAX, "items": photo(), "uniqueItems": true})
}

/// The body of `POST /v1/listings`.
pub(super) fn draft() -> Value {
    let name = || maybe(line(1, NAME_CHARS_MAX));
    let stay = || maybe(whole(1, STAY_SLOTS_MAX.into()));
    let source = format!("^[a-z0-9_.-]{{1,{EXTERNAL_SOURCE_BYTES_MAX}}}$");
    closed(
        "A new listing. `max_stay` is not below `min_stay`.",
        json!({
            "title": title(),
            "description?": maybe(lines(DESCRIPTION_CHARS_MAX)),
            "location": closed("Where it is.", json!({
                "lat": degrees(90),
                "lon": degrees(180),
                "city?": name(),
                "country?": name(),
                "time_zone?": maybe(zone()),
            })),
            "capacity": whole(1, CAPACITY_MAX.into()),
            "nightly_price": closed("Of one slot, in minor units.", json!({
                "amount": whole(0, PRICE_AMOUNT_MAX),
                "currency": CurrencyCode::schema(),
            })),
            "amenities?": maybe(amenities()),
            "photos?": maybe(photos()),
            "house_rules?": maybe(lines(HOUSE_RULES_CHARS_MAX)),
            "units?": maybe(whole(1, UNITS_MAX.into())),
            "slot?": maybe(json!({"type": "string", "enum": ["night", "hour"]})),
            "min_stay?": stay(),
            "max_stay?": stay(),
            "turnover?": maybe(whole(0, TURNOVER_SLOTS_MAX.into())),
            "survival?": maybe(json!({"type": "string", "enum": ["region", "zone"]})),
            "home_region?": maybe(Region::schema()),
            "room_type?": name(),
            "neighbourhood?": name(),
            "host_id?": maybe(line(1, OWNER_CHARS_MAX)),
            "external?": maybe(closed("Where it was imported from: for operators.", json!({
                "source": {"type": "string", "pattern": source},
                "id": line(1, EXTERNAL_ID_BYTES_MAX),
            }))),
        }),
    )
}

/// The body of `PATCH /v1/listings/{id}`: null takes a value away, or back to its default.
pub(super) fn patch() -> Value {
    let name = || maybe(line(1, NAME_CHARS_MAX));
    let stay = || maybe(whole(1, STAY_SLOTS_MAX.into()));
    closed(
        "What is to be different; null takes a value away, or back to its default.",
        json!({
            "title?": title(),
            "description?": maybe(lines(DESCRIPTION_CHARS_MAX)),
            "location?": closed("Where it is.", json!({
                "lat?": degrees(90),
                "lon?": degrees(180),
                "city?": name(),
                "country?": name(),
                "time_zone?": maybe(zone()),
            })),
            "capacity?": whole(1, CAPACITY_MAX.into()),
            "nightly_price?": closed("Of one slot, in minor units.", json!({
                "amount?": whole(0, PRICE_AMOUNT_MAX),
                "currency?": CurrencyCode::schema(),
            })),
            "amenities?": maybe(amenities()),
            "photos?": maybe(photos()),
            "house_rules?": maybe(lines(HOUSE_RULES_CHARS_MAX)),
            "min_stay?": stay(),
            "max_stay?": stay(),
            "turnover?": maybe(whole(0, TURNOVER_SLOTS_MAX.into())),
            "room_type?": name(),
            "neighbourhood?": name(),
        }),
    )
}

/// The body of `POST /v1/listings/{id}/edits`.
pub(super) fn edits() -> Value {
    let path = |paths: &[&str]| json!({"type": "string", "enum": paths});
    let element = |op: &str, path: &str, value: Value| {
        closed(
            "An element is added, or removed as far as it has been seen here.",
            json!({"op": {"const": op}, "path": {"const": path}, "value": value}),
        )
    };
    let splice = closed(
        "Characters are deleted, and others inserted.",
        json!({
            "op": {"const": "splice"},
            "path": path(&["/description"]),
            "at": whole(0, DESCRIPTION_CHARS_MAX as u64),
            "delete?": whole(0, DESCRIPTION_CHARS_MAX as u64),
            "insert?": lines(DESCRIPTION_CHARS_MAX),
        }),
    );
    let increment = closed(
        "A counter goes up or down.",
        json!({
            "op": {"const": "increment"},
            "path": path(&["/counters/saves"]),
            "by": {"type": "integer", "minimum": -INCREMENT_MAX, "maximum": INCREMENT_MAX},
        }),
    );
    let ops = json!([
        splice,
        element("add", "/amenities", amenity()),
        element("add", "/photos", photo()),
        element("remove", "/amenities", amenity()),
        element("remove", "/photos", photo()),
        increment,
    ]);
    closed(
        "Operations that keep their intent, one after the other, all or none.",
        json!({"ops": {"type": "array", "maxItems": EDIT_OPS_MAX, "items": {"anyOf": ops}}}),
    )
}

/// What answers about listings look like.
pub(super) fn answers() -> Value {
    let location = object(
        "Where it is.",
        json!({
            "lat": degrees(90), "lon": degrees(180),
            "city": maybe(text()), "country": maybe(text()), "time_zone": maybe(text()),
        }),
    );
    let external = object(
        "Where it was imported from.",
        json!({"source": text(), "id": text()}),
    );
    let value = object(
        "One of the values.",
        json!({
            "value": {}, "actor": maybe(count()), "region": maybe(Region::schema()),
            "time": Instant::schema(), "hash": maybe(Change::schema()), "shown": {"type": "boolean"},
        }),
    );
    let counts = || json!({"type": "object", "additionalProperties": count()});
    let facets = json!({"room_type": counts(), "amenities": counts(), "currency": counts()});
    let why = object(
        "Where points come from.",
        json!({"part": text(), "points": count(), "because": text()}),
    );
    let score = object(
        "How well it fits.",
        json!({"score": count(), "why": list(why)}),
    );
    let also = |what: Value| json!({"allOf": [of("Listing"), what]});
    let distance = object(
        "",
        json!({"distance_km?": {"type": "number", "minimum": 0}}),
    );
    let as_of = || maybe(Instant::schema());
    json!({
        "Listing": object("A listing.", json!({
            "id": Listing::schema(), "title": text(), "description": text(),
            "location": location, "capacity": count(), "nightly_price": maybe(of("Money")),
            "amenities": list(text()), "photos": list(text()), "house_rules": text(),
            "units": count(), "slot": {"type": "string", "enum": ["night", "hour"]},
            "min_stay": count(), "max_stay": count(), "turnover": count(),
            "survival": {"type": "string", "enum": ["region", "zone"]},
            "home_region": Region::schema(), "room_type": maybe(text()),
            "neighbourhood": maybe(text()), "owner": maybe(text()), "external": maybe(external),
            "counters": {"type": "object", "additionalProperties": {"type": "integer"}},
            "created_at": Instant::schema(), "updated_at": Instant::schema(),
        })),
        "FoundListing": also(distance),
        "FoundListings": page("What was found, wholly in this region.", "FoundListing", json!({
            "facets": object("Of all pages.", facets),
            "total": count(), "as_of": as_of(), "missing": count(),
            "shards": object("How many of them were searched.", json!({"searched": count(), "of": count()})),
        })),
        "Match": also(object("", json!({"match": score}))),
        "Matches": page("What fits a guest, the best first.", "Match", json!({
            "as_of": as_of(), "missing": count(),
        })),
        "History": page("Changes, the oldest first.", "Change", json!({
            "begins_at": maybe(object("How often it has begun anew.", json!({
                "generation": count(), "changes_before": count(),
            }))),
        })),
        "Conflict": object("A field with more than one value; the last is shown.", json!({
            "field": text(), "rule": text(), "values": list(value),
        })),
        "Conflicts": object("What is in conflict.", json!({"data": list(of("Conflict"))})),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use meridian_replication_core::{ListingDraft, ListingPatch};
    use serde_json::{Map, Value, json};

    use super::{draft, patch};

    fn names(schema: &Value) -> BTreeSet<String> {
        let properties = schema["properties"].as_object().expect("an object");
        properties.keys().cloned().collect()
    }

    /// A body in which every property that a schema names is of a type that nobody takes.
    fn wrong(schema: &Value) -> Value {
        let every = names(schema).into_iter().map(|name| (name, json!(true)));
        Value::Object(every.collect::<Map<_, _>>())
    }

    #[test]
    fn readers_of_listings_know_every_property_that_is_described() {
        let faults = ListingDraft::from_json(wrong(&draft())).expect_err("all are wrong");
        let known = faults
            .iter()
            .filter(|fault| fault.detail != "unknown field");
        let known: BTreeSet<_> = known.map(|fault| fault.pointer[1..].to_owned()).collect();
        assert_eq!(known, names(&draft()));
        let faults = ListingPatch::from_json(wrong(&patch())).expect_err("all are wrong");
        let known = faults
            .iter()
            .filter(|fault| fault.detail != "unknown field");
        let known: BTreeSet<_> = known.map(|fault| fault.pointer[1..].to_owned()).collect();
        assert_eq!(known, names(&patch()));
    }

    #[test]
    fn every_property_of_a_draft_is_described() {
        let whole = json!({
            "title": "Loft", "location": {"lat": 1, "lon": 1}, "capacity": 1,
            "nightly_price": {"amount": 1, "currency": "EUR"},
        });
        let mut read = ListingDraft::from_json(whole).expect("a draft");
        let some = || Some("x".to_owned());
        read.description = some();
        read.amenities = Some(Vec::new());
        read.photos = Some(Vec::new());
        read.house_rules = some();
        (read.units, read.min_stay) = (Some(1), Some(1));
        (read.max_stay, read.turnover) = (Some(1), Some(1));
        (read.slot, read.survival) = (Some(Default::default()), Some(Default::default()));
        read.home_region = "a".parse().ok();
        (read.room_type, read.neighbourhood, read.host_id) = (some(), some(), some());
        read.external = serde_json::from_value(json!({"source": "a", "id": "1"})).ok();
        let written = serde_json::to_value(read).expect("it serializes");
        let written: BTreeSet<_> = written
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        assert_eq!(names(&draft()), written);
    }
}
