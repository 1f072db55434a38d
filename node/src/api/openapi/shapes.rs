//! Schemas as people read them.

use maud::{Markup, html};
use serde_json::Value;

/// A schema in a line: its type and its bounds. What is an object is named or counted.
pub(super) fn brief(schema: &Value) -> Markup {
    if let Some(name) = referred(schema) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    let values = schema["enum"].as_array().map(|values| {
        let shown = values.iter().map(Value::to_string);
        shown.collect::<Vec<_>>().join(", ")
    });
    html! {
        @for kind in kinds(schema) { (kind) " " }
        @if let Some(values) = values { "one of " (values) " " }
        @if !schema["const"].is_null() { (schema["const"].to_string()) " " }
        @if let Some(items) = schema.get("items") { "of " (brief(items)) " " }
        @for (word, key) in BOUNDS { @if let Some(bound) = schema.get(key) { (word) " " (plain(bound)) " " } }
        @for list in ["anyOf", "allOf"] {
            @if let Some(parts) = schema[list].as_array() {
                @for (place, part) in parts.iter().enumerate() {
                    @if place > 0 { @if list == "anyOf" { " or " } @else { " and " } }
                    (brief(part))
                }
            }
        }
    }
}

/// Bounds of a schema, and how they are said.
const BOUNDS: [(&str, &str); 10] = [
    ("as", "format"),
    ("like", "pattern"),
    ("from", "minimum"),
    ("above", "exclusiveMinimum"),
    ("up to", "maximum"),
    ("of at least", "minLength"),
    ("of at most", "maxLength"),
    ("with at least", "minItems"),
    ("with at most", "maxItems"),
    ("or else", "default"),
];

/// A schema with the properties that it has, as deep as they go.
pub(super) fn shape(schema: &Value) -> Markup {
    let required = schema["required"].as_array();
    let is_required =
        |name: &String| required.is_some_and(|all| all.contains(&name.as_str().into()));
    html! {
        @if let Some(what) = schema["description"].as_str() { p { (what) } }
        @match schema["properties"].as_object() {
            None => p { (brief(schema)) },
            Some(properties) => {
                @if let Some(parts) = schema["allOf"].as_array() { @for part in parts { p { "All of " (brief(part)) ", and:" } } }
                dl { @for (name, schema) in properties {
                    dt { code { (name) } @if is_required(name) { " " strong { "required" } } }
                    dd { (property(schema)) }
                } }
            }
        }
    }
}

fn property(schema: &Value) -> Markup {
    match inner(schema) {
        Some(inner) => html! { details { summary { (brief_of_object(schema)) } (shape(inner)) } },
        None => html! {
            @if let Some(what) = schema["description"].as_str() { (what) " " }
            span.faint { (brief(schema)) }
        },
    }
}

/// The object that a property is, or is a list of, or may be.
fn inner(schema: &Value) -> Option<&Value> {
    if schema["properties"].is_object() {
        return Some(schema);
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let parts = schema.get("items").into_iter().chain(alternatives);
    parts.filter_map(inner).next()
}

fn brief_of_object(schema: &Value) -> String {
    if schema["items"].is_object() {
        "a list of objects".to_owned()
    } else {
        "an object".to_owned()
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{brief, shape};

    #[test]
    fn line_says_type_and_bounds() {
        let said = brief(&json!({"type": ["integer", "null"], "minimum": 1, "maximum": 9}));
        assert_eq!(said.into_string().trim(), "integer null from 1 up to 9");
        let said = brief(&json!({"$ref": "#/components/schemas/Money"})).into_string();
        assert_eq!(said, "<a href=\"#schema-Money\">Money</a>");
    }

    #[test]
    fn properties_are_shown_as_deep_as_they_go_and_stay_text() {
        let deep =
            json!({"properties": {"a": {"items": {"properties": {"<b>": {"type": "string"}}}}}});
        let shown = shape(&deep).into_string();
        assert!(shown.contains("&lt;b&gt;"), "{shown}");
        assert!(!shown.contains("<b>"), "{shown}");
    }
}
