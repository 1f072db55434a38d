//! Reading what a node answered, for people: nothing here fails, what is missing shows.

use serde_json::Value;

/// The items of a list; none if it is none.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; `?` if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// Milliseconds; `-` if they are not known.
pub(super) fn millis(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |millis| format!("{millis:.1} ms"))
}
