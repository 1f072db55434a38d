//! The edit by which a listing reads again as it did in a backup.
//!
//! A merge patch (RFC 7396) of the fields that differ, and of no others: what was not changed
//! since is not written, so that the edit disturbs nobody who writes it meanwhile. What an edit
//! cannot change (owner, units, counters) stays as it is.

use serde_json::{Map, Value};

/// Fields whose value is written as a whole.
const FIELDS: [&str; 12] = [
    "title",
    "description",
    "capacity",
    "nightly_price",
    "amenities",
    "photos",
    "house_rules",
    "min_stay",
    "max_stay",
    "turnover",
    "room_type",
    "neighbourhood",
];
/// Fields of the place, each written for itself.
const LOCATION: [&str; 5] = ["lat", "lon", "city", "country", "time_zone"];

/// What turns `now` into `before`.
pub(super) fn between(before: &Value, now: &Value) -> Value {
    let mut patch = differing(&FIELDS, before, now);
    let location = differing(&LOCATION, &before["location"], &now["location"]);
    if !location.is_empty() {
        patch.insert("location".to_owned(), Value::Object(location));
    }
    Value::Object(patch)
}

fn differing(fields: &[&str], before: &Value, now: &Value) -> Map<String, Value> {
    let differ = fields
        .iter()
        .filter(|field| before[**field] != now[**field]);
    // A field that was not there is null, which removes it.
    differ
        .map(|field| ((*field).to_owned(), before[*field].clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::between;

    #[test]
    fn only_what_differs_is_written_and_what_was_not_there_is_removed() {
        let before = json!({
            "id": "lst_1", "title": "Loft", "capacity": 4, "updated_at": "then",
            "location": {"lat": 1.0, "lon": 2.0, "city": "Oslo"},
        });
        let now = json!({
            "id": "lst_1", "title": "Defaced", "capacity": 4, "updated_at": "now",
            "house_rules": "none", "location": {"lat": 1.0, "lon": 2.0, "city": "Bergen"},
        });
        let patch = between(&before, &now);
        assert_eq!(
            patch,
            json!({"title": "Loft", "house_rules": null, "location": {"city": "Oslo"}})
        );
        assert_eq!(between(&before, &before), json!({}));
    }
}
