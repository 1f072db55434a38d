//! What answers of the operator port look like, as components of its document.
//!
//! Objects are open: a later version may say more.

mod cluster;
mod console;
mod listings;
mod node;

use serde_json::{Map, Value, json};

use crate::api::openapi::schemas;
use crate::api::openapi::texts::{NodeNumber, Region};

/// Components of the client API that stand in answers here, too.
const SHARED: [&str; 6] = ["Problem", "Money", "Change", "Conflict", "Event", "Region"];

/// Every component, by its name.
pub(super) fn all() -> Value {
    let mut shared = schemas::all();
    let shared = SHARED.map(|name| (name.to_owned(), shared[name].take()));
    let parts = [node::all(), cluster::all(), listings::all(), console::all()];
    let parts = parts.into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    let all: Map<String, Value> = shared.into_iter().chain(parts.flatten()).collect();
    Value::Object(all)
}

fn truth() -> Value {
    json!({"type": "boolean"})
}

fn number() -> Value {
    json!({"type": "number"})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn one_of(values: &[&str]) -> Value {
    json!({"type": "string", "enum": values})
}

/// An object whose keys are names, as of regions.
fn by_name(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of})
}

fn nodes() -> Value {
    schemas::list(NodeNumber::schema())
}

/// The region where something is, if the map still knows it.
fn place() -> Value {
    schemas::maybe(Region::schema())
}
