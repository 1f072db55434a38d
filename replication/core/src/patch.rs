//! A merge patch of a listing (RFC 7396), strictly validated.
//!
//! Not the writing of it: that is the document's. A patch says what its author
//! wants changed and nothing about the rest, so that two patches of different
//! fields never disturb each other.

use serde_json::Value;

use crate::field_error::{FieldError, Findings};
use crate::limits::{CAPACITY_MAX, STAY_SLOTS_MAX, TURNOVER_SLOTS_MAX};
use crate::object_reader::{FieldPatch, ObjectReader};
use crate::rules;
use crate::values::Currency;

/// Fields that a patch cannot change, and what to do instead.
const IMMUTABLE: [(&str, &str); 11] = [
    ("id", "an id never changes"),
    (
        "home_region",
        "the home region is part of the id and never changes",
    ),
    (
        "survival",
        "the survival goal is fixed at creation: it decides who votes on bookings",
    ),
    (
        "units",
        "units are fixed at creation: the booking ledger pins them",
    ),
    (
        "slot",
        "the slot is fixed at creation: the booking ledger pins it",
    ),
    (
        "counters",
        "counters are changed by the `increment` operation of `/edits`",
    ),
    ("owner", "the owner is fixed at creation"),
    ("host_id", "the owner is fixed at creation"),
    ("external", "the provenance is written by the import"),
    ("created_at", "this is written by the platform"),
    ("updated_at", "this is written by the platform"),
];

/// What a merge patch wants changed. Its values are valid, each for itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListingPatch {
    pub(crate) title: Option<String>,
    pub(crate) description: FieldPatch<String>,
    pub(crate) location: LocationPatch,
    pub(crate) capacity: Option<u32>,
    pub(crate) nightly_price: PricePatch,
    pub(crate) amenities: FieldPatch<Vec<String>>,
    pub(crate) photos: FieldPatch<Vec<String>>,
    pub(crate) house_rules: FieldPatch<String>,
    pub(crate) min_stay: FieldPatch<u32>,
    pub(crate) max_stay: FieldPatch<u32>,
    pub(crate) turnover: FieldPatch<u32>,
    pub(crate) room_type: FieldPatch<String>,
    pub(crate) neighbourhood: FieldPatch<String>,
}

/// What a patch wants changed about the location.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LocationPatch {
    pub(crate) lat: Option<f64>,
    pub(crate) lon: Option<f64>,
    pub(crate) city: FieldPatch<String>,
    pub(crate) country: FieldPatch<String>,
    pub(crate) time_zone: FieldPatch<String>,
}

/// What a patch wants changed about the price. What it leaves out is read from the
/// document, and both are written as one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PricePatch {
    pub(crate) amount: Option<u64>,
    pub(crate) currency: Option<Currency>,
}

impl ListingPatch {
    /// Reads an `application/merge-patch+json` body.
    ///
    /// `null` removes an optional field, empties the description or a list, and
    /// returns `min_stay`, `max_stay` and `turnover` to their defaults.
    ///
    /// # Errors
    /// Every field that is unknown, immutable, of a wrong type or out of range.
    pub fn from_json(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut findings = Findings::default();
        let patch = ObjectReader::new("", body, &mut findings).map(Self::read);
        if let Some(patch) = &patch {
            patch.check(&mut findings);
        }
        findings.into_result()?;
        Ok(patch.unwrap_or_default())
    }

    /// True if the patch mentions no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn read(mut body: ObjectReader<'_>) -> Self {
        for (name, why) in IMMUTABLE {
            body.immutable(name, why);
        }
        let patch = Self {
            title: body.required("title"),
            description: body.patch("description"),
            location: read_location(&mut body),
            capacity: body.required("capacity"),
            nightly_price: read_price(&mut body),
            amenities: body.patch("amenities"),
            photos: body.patch("photos"),
            house_rules: body.patch("house_rules"),
            min_stay: body.patch("min_stay"),
            max_stay: body.patch("max_stay"),
            turnover: body.patch("turnover"),
            room_type: body.patch("room_type"),
            neighbourhood: body.patch("neighbourhood"),
        };
        body.finish();
        patch
    }

    fn check(&self, findings: &mut Findings) {
        if let Some(title) = &self.title {
            rules::title(findings, title);
        }
        if let Some(description) = self.description.value() {
            rules::description(findings, description);
        }
        self.location.check(findings);
        if let Some(capacity) = self.capacity {
            rules::range(findings, "/capacity", capacity, 1..=CAPACITY_MAX);
        }
        if let Some(amount) = self.nightly_price.amount {
            rules::amount(findings, amount);
        }
        if let Some(amenities) = self.amenities.value() {
            rules::amenities(findings, amenities);
        }
        if let Some(photos) = self.photos.value() {
            rules::photos(findings, photos);
        }
        if let Some(house_rules) = self.house_rules.value() {
            rules::house_rules(findings, house_rules);
        }
        for (pointer, stay) in [("/min_stay", &self.min_stay), ("/max_stay", &self.max_stay)] {
            if let Some(&stay) = stay.value() {
                rules::range(findings, pointer, stay, 1..=STAY_SLOTS_MAX);
            }
        }
        if let Some(&turnover) = self.turnover.value() {
            rules::range(findings, "/turnover", turnover, 0..=TURNOVER_SLOTS_MAX);
        }
        for (pointer, name) in [
            ("/room_type", &self.room_type),
            ("/neighbourhood", &self.neighbourhood),
        ] {
            if let Some(name) = name.value() {
                rules::name(findings, pointer, name);
            }
        }
    }
}

impl LocationPatch {
    fn check(&self, findings: &mut Findings) {
        if let Some(lat) = self.lat {
            rules::range(findings, "/location/lat", lat, -90.0..=90.0);
        }
        if let Some(lon) = self.lon {
            rules::range(findings, "/location/lon", lon, -180.0..=180.0);
        }
        for (pointer, name) in [
            ("/location/city", &self.city),
            ("/location/country", &self.country),
        ] {
            if let Some(name) = name.value() {
                rules::name(findings, pointer, name);
            }
        }
        if let Some(time_zone) = self.time_zone.value() {
            rules::time_zone(findings, time_zone);
        }
    }
}

fn read_location(body: &mut ObjectReader<'_>) -> LocationPatch {
    let Some(mut fields) = nested(body, "location") else {
        return LocationPatch::default();
    };
    let patch = LocationPatch {
        lat: fields.required("lat"),
        lon: fields.required("lon"),
        city: fields.patch("city"),
        country: fields.patch("country"),
        time_zone: fields.patch("time_zone"),
    };
    fields.finish();
    patch
}

fn read_price(body: &mut ObjectReader<'_>) -> PricePatch {
    let Some(mut fields) = nested(body, "nightly_price") else {
        return PricePatch::default();
    };
    let patch = PricePatch {
        amount: fields.required("amount"),
        currency: fields.required("currency"),
    };
    fields.finish();
    patch
}

fn nested<'a>(body: &'a mut ObjectReader<'_>, name: &str) -> Option<ObjectReader<'a>> {
    let value = body.take(name)?;
    if value.is_null() {
        body.refuse(name, "this field is required: null is no value for it");
        return None;
    }
    let pointer = body.pointer_to(name);
    ObjectReader::new(pointer, value, body.findings())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{IMMUTABLE, ListingPatch};
    use crate::FieldError;

    fn errors_of(body: Value) -> Vec<FieldError> {
        ListingPatch::from_json(body).expect_err("the body was broken")
    }

    #[test]
    fn patch_of_nothing_is_empty() {
        let patch = ListingPatch::from_json(json!({})).expect("an object");
        assert!(patch.is_empty());
    }

    #[test]
    fn immutable_fields_are_refused_with_a_reason() {
        for (name, why) in IMMUTABLE {
            let errors = errors_of(json!({ name: 1 }));
            assert_eq!(errors, [FieldError::new(format!("/{name}"), why)]);
        }
    }

    #[test]
    fn null_is_refused_where_a_value_is_required() {
        for name in ["title", "capacity", "location", "nightly_price"] {
            let errors = errors_of(json!({ name: null }));
            assert_eq!(errors.len(), 1, "{name}");
            assert_eq!(errors[0].pointer, format!("/{name}"));
        }
        let errors = errors_of(json!({"nightly_price": {"amount": null}}));
        assert_eq!(errors[0].pointer, "/nightly_price/amount");
    }

    #[test]
    fn wrong_types_and_unknown_fields_are_all_named() {
        let errors = errors_of(json!({
            "title": 7,
            "pool": true,
            "location": {"lat": "north", "height": 3},
            "nightly_price": [1],
        }));
        let mut pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "/location/height",
                "/location/lat",
                "/nightly_price",
                "/pool",
                "/title"
            ]
        );
    }

    #[test]
    fn body_that_is_no_object_is_refused() {
        for body in [json!(null), json!([]), json!("title")] {
            assert_eq!(errors_of(body)[0].pointer, "");
        }
    }
}
