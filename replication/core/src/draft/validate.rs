//! The rules of a whole draft: each field's own, and those between fields.

use super::{ListingDraft, MIN_STAY_DEFAULT};
use crate::field_error::Findings;
use crate::limits::{CAPACITY_MAX, OWNER_CHARS_MAX, STAY_SLOTS_MAX, TURNOVER_SLOTS_MAX, UNITS_MAX};
use crate::rules::{self, Lines};
use crate::values::Location;

pub(super) fn draft(draft: &ListingDraft, findings: &mut Findings) {
    rules::title(findings, &draft.title);
    location(&draft.location, findings);
    rules::range(findings, "/capacity", draft.capacity, 1..=CAPACITY_MAX);
    if let Some(price) = &draft.nightly_price {
        rules::amount(findings, price.amount);
    }
    if let Some(description) = &draft.description {
        rules::description(findings, description);
    }
    if let Some(amenities) = &draft.amenities {
        rules::amenities(findings, amenities);
    }
    if let Some(photos) = &draft.photos {
        rules::photos(findings, photos);
    }
    if let Some(house_rules) = &draft.house_rules {
        rules::house_rules(findings, house_rules);
    }
    if let Some(units) = draft.units {
        rules::range(findings, "/units", units, 1..=UNITS_MAX);
    }
    stays(draft, findings);
    for (pointer, value) in [
        ("/room_type", &draft.room_type),
        ("/neighbourhood", &draft.neighbourhood),
    ] {
        if let Some(value) = value {
            rules::name(findings, pointer, value);
        }
    }
    if let Some(host) = &draft.host_id {
        rules::text(findings, "/host_id", host, 1..=OWNER_CHARS_MAX, Lines::One);
    }
    if let Some((part, detail)) = draft
        .external
        .as_ref()
        .and_then(|external| external.fault())
    {
        findings.add(format!("/external/{part}"), detail);
    }
}

fn stays(draft: &ListingDraft, findings: &mut Findings) {
    let min_stay = draft.min_stay.unwrap_or(MIN_STAY_DEFAULT);
    let max_stay = draft.max_stay.unwrap_or(STAY_SLOTS_MAX);
    rules::range(findings, "/min_stay", min_stay, 1..=STAY_SLOTS_MAX);
    rules::range(findings, "/max_stay", max_stay, 1..=STAY_SLOTS_MAX);
    rules::stays(findings, min_stay, max_stay);
    if let Some(turnover) = draft.turnover {
        rules::range(findings, "/turnover", turnover, 0..=TURNOVER_SLOTS_MAX);
    }
}

fn location(location: &Location, findings: &mut Findings) {
    rules::range(findings, "/location/lat", location.lat, -90.0..=90.0);
    rules::range(findings, "/location/lon", location.lon, -180.0..=180.0);
    for (pointer, value) in [
        ("/location/city", &location.city),
        ("/location/country", &location.country),
    ] {
        if let Some(value) = value {
            rules::name(findings, pointer, value);
        }
    }
    if let Some(time_zone) = &location.time_zone {
        rules::time_zone(findings, time_zone);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{FieldError, ListingDraft};

    fn body() -> Value {
        json!({
            "title": "Loft by the harbour",
            "location": {"lat": 59.91, "lon": 10.72, "city": "Oslo", "time_zone": "Europe/Oslo"},
            "capacity": 4,
            "nightly_price": {"amount": 12900, "currency": "NOK"},
            "amenities": ["wifi", "sauna"],
            "photos": ["https://example.org/1.jpg"],
        })
    }

    fn errors_of(change: impl FnOnce(&mut Value)) -> Vec<FieldError> {
        let mut body = body();
        change(&mut body);
        ListingDraft::from_json(body)
            .and_then(|draft| draft.validate())
            .expect_err("the body was broken")
    }

    fn pointers(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|error| error.pointer.as_str()).collect()
    }

    #[test]
    fn complete_body_is_valid() {
        let draft = ListingDraft::from_json(body()).expect("every type is right");
        let valid = draft.validate().expect("every value is right");
        assert_eq!(valid.coordinates(), (59.91, 10.72));
        assert_eq!(valid.as_draft(), &draft);
    }

    #[test]
    fn every_field_of_a_wrong_type_is_named() {
        let errors = errors_of(|body| {
            body["capacity"] = json!("four");
            body["nightly_price"]["currency"] = json!("nok");
            body["location"]["lat"] = json!(null);
            body["amenities"] = json!([1]);
            body["wifi"] = json!(true);
        });
        let mut found = pointers(&errors);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "/amenities",
                "/capacity",
                "/location/lat",
                "/nightly_price/currency",
                "/wifi"
            ]
        );
    }

    #[test]
    fn missing_fields_are_named() {
        let errors = ListingDraft::from_json(json!({})).expect_err("nothing is there");
        assert_eq!(
            pointers(&errors),
            ["/title", "/location", "/capacity", "/nightly_price"]
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        let errors = errors_of(|body| {
            body["title"] = json!("x".repeat(201));
            body["location"]["lat"] = json!(91);
            body["location"]["time_zone"] = json!("somewhere else");
            body["capacity"] = json!(0);
            body["min_stay"] = json!(9);
            body["max_stay"] = json!(3);
            body["photos"] = json!(["https://a/1", "https://a/1", "ftp://a/2"]);
            body["external"] = json!({"source": "Air BnB", "id": "1"});
        });
        assert_eq!(
            pointers(&errors),
            [
                "/title",
                "/location/lat",
                "/location/time_zone",
                "/capacity",
                "/photos/1",
                "/photos/2",
                "/min_stay",
                "/external/source"
            ]
        );
    }

    #[test]
    fn listing_is_let_by_nights_or_hours_with_a_bounded_turnover() {
        for slot in ["night", "hour"] {
            let mut whole = body();
            whole["slot"] = json!(slot);
            whole["turnover"] = json!(30);
            let draft = ListingDraft::from_json(whole).expect("its types are right");
            assert!(draft.validate().is_ok(), "{slot}");
        }
        let errors = errors_of(|body| body["turnover"] = json!(31));
        assert_eq!(pointers(&errors), ["/turnover"]);
        let errors = errors_of(|body| body["slot"] = json!("week"));
        assert_eq!(pointers(&errors), ["/slot"]);
    }

    #[test]
    fn provenance_is_read_by_the_names_of_its_fields() {
        let errors = errors_of(|body| body["external"] = json!(["airbnb", "1"]));
        assert_eq!(pointers(&errors), ["/external"]);
        let errors = errors_of(|body| body["external"] = json!({"source": "airbnb", "no": 1}));
        assert_eq!(pointers(&errors), ["/external/id", "/external/no"]);
        let mut whole = body();
        whole["external"] = json!({"source": "airbnb", "id": "1"});
        let draft = ListingDraft::from_json(whole).expect("its types are right");
        assert!(draft.external.is_some());
    }

    #[test]
    fn control_characters_and_blank_titles_are_refused() {
        for title in ["\u{7}ding", "   ", "two\nlines"] {
            let errors = errors_of(|body| body["title"] = json!(title));
            assert_eq!(pointers(&errors), ["/title"], "{title:?}");
        }
    }
}
