//! What must hold of every description, for its tests.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::auth::Row;

/// Methods and paths that a document has.
pub(crate) fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, at)| {
        let methods = at.as_object().expect("methods").keys();
        methods.map(move |method| (method.to_ascii_uppercase(), path.clone()))
    });
    all.collect()
}

/// Those that a table of routes has.
pub(crate) fn routes(rows: &[Row]) -> BTreeSet<(String, String)> {
    let rows = rows.iter();
    rows.map(|row| (row.method.to_string(), row.path.to_owned()))
        .collect()
}

/// Every reference in a part of a document.
fn references(part: &Value, into: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                into.insert(to.clone());
            }
            fields.values().for_each(|field| references(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

/// References lead somewhere, and operations have names of their own, which are returned.
pub(crate) fn assert_sound(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    references(document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("of this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    let paths = document["paths"].as_object().expect("paths").values();
    for operation in paths.flat_map(|at| at.as_object().expect("methods").values()) {
        let id = operation["operationId"].as_str().expect("a name");
        assert!(ids.insert(id.to_owned()), "{id} twice");
    }
    ids
}

/// What a reference of the document stands for.
pub(crate) fn resolved<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    let pointer = part["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    pointer.map_or(part, |to| document.pointer(to).expect("it leads somewhere"))
}

/// How a value differs from its schema, as far as our schemas go. What a schema with properties
/// does not name is told, too: what is said is to be described.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    if let Some(any) = schema["anyOf"].as_array() {
        let each = any.iter().map(|one| faults(document, one, value, at));
        return each.min_by_key(Vec::len).unwrap_or_default();
    }
    let mut found = Vec::new();
    if !schema["type"].is_null() && !is_of(&schema["type"], value) {
        found.push(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    let values = schema["enum"].as_array();
    if values.is_some_and(|values| !values.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    let least = schema["minimum"].as_f64();
    if value
        .as_f64()
        .zip(least)
        .is_some_and(|(it, least)| it < least)
    {
        found.push(format!("{at}: {value} is below {}", schema["minimum"]));
    }
    if let (Some(items), Some(all)) = (schema.get("items"), value.as_array()) {
        for (place, item) in all.iter().enumerate() {
            found.extend(faults(document, items, item, &format!("{at}/{place}")));
        }
    }
    if value.is_object() {
        found.extend(of_object(document, schema, value, at));
    }
    found
}

fn of_object(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let required = schema["required"].as_array().into_iter().flatten();
    let required = required.filter_map(Value::as_str);
    let missing = required.filter(|name| value.get(name).is_none());
    let mut found: Vec<String> = missing
        .map(|name| format!("{at}/{name} is missing"))
        .collect();
    for (name, field) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        let property = schema["properties"].get(name);
        match property.or_else(|| schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => found.push(format!("{at} is not taken")),
            Some(known) => found.extend(faults(document, known, field, &at)),
            None if schema["properties"].is_object() => {
                found.push(format!("{at} is not described"))
            }
            None => {}
        }
    }
    found
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    let kinds = match kinds {
        Value::Array(kinds) => kinds.as_slice(),
        one => std::slice::from_ref(one),
    };
    kinds
        .iter()
        .filter_map(Value::as_str)
        .any(|kind| match kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::faults;

    #[test]
    fn what_is_missing_wrong_or_not_described_is_told() {
        let document = json!({"a": {"type": "integer", "minimum": 1}});
        let schema = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": {"$ref": "#/a"},
                "b": {"anyOf": [{"type": "array", "items": {"enum": ["x"]}}, {"type": "null"}]},
                "c": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        });
        let of = |value| faults(&document, &schema, &value, "").join("; ");
        assert_eq!(of(json!({"a": 1, "b": ["x"], "c": {"z": "z"}})), "");
        assert_eq!(of(json!({"a": 1, "b": null})), "");
        assert_eq!(of(json!({"a": 1})), "/b is missing");
        assert_eq!(of(json!({"a": 0, "b": null})), "/a: 0 is below 1");
        assert_eq!(
            of(json!({"a": 1, "b": null, "d": 1})),
            "/d is not described"
        );
        assert!(of(json!({"a": "1", "b": ["y"]})).contains("\"y\" is none of"));
        assert!(of(json!({"a": 1, "b": null, "c": {"z": 1}})).contains("/c/z"));
        assert!(of(json!(7)).contains("not of type"));
    }
}
