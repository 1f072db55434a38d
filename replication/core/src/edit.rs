//! Operations that keep their author's intent under concurrency.
//!
//! A patch says what a field shall be; an operation says what somebody did to it:
//! typed here, added this, took that away, counted one more.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field_error::{FieldError, Findings};
use crate::limits::EDIT_OPS_MAX;
use crate::object_reader::ObjectReader;

/// One operation of `POST /v1/listings/{id}/edits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum EditOp {
    /// Deletes and inserts characters of the text at `path` (`/description`).
    Splice {
        /// `/description`.
        path: String,
        /// Where, in Unicode scalar values from the beginning.
        at: usize,
        /// How many Unicode scalar values to delete from there.
        #[serde(default)]
        delete: usize,
        /// What to insert there.
        #[serde(default)]
        insert: String,
    },
    /// Adds an element to the set at `path` (`/amenities`), or a photo to the end of
    /// the list (`/photos`). An element that is there already stays, and a
    /// concurrent removal by someone else does not take it away.
    Add {
        /// `/amenities` or `/photos`.
        path: String,
        /// The element.
        value: String,
    },
    /// Removes an element as far as it has been seen here: an addition that happens
    /// at the same time elsewhere wins.
    Remove {
        /// `/amenities` or `/photos`.
        path: String,
        /// The element; one that is not there is no error.
        value: String,
    },
    /// Adds to a counter; concurrent increments all count.
    Increment {
        /// `/counters/saves`, or another counter that a listing has.
        path: String,
        /// How much, between -1,000 and 1,000.
        by: i64,
    },
}

impl EditOp {
    /// Reads the body `{"ops": [...]}`.
    ///
    /// # Errors
    /// Every operation that is none, with its pointer (`/ops/3`).
    pub fn list_from_json(body: Value) -> Result<Vec<Self>, Vec<FieldError>> {
        let mut findings = Findings::default();
        let ops = ObjectReader::new("", body, &mut findings).map(read_ops);
        findings.into_result()?;
        Ok(ops.unwrap_or_default())
    }
}

fn read_ops(mut body: ObjectReader<'_>) -> Vec<EditOp> {
    body.require("ops");
    let values: Vec<Value> = body.required("ops").unwrap_or_default();
    if values.len() > EDIT_OPS_MAX {
        let detail = format!("{} operations: send at most {EDIT_OPS_MAX}", values.len());
        body.refuse("ops", &detail);
    }
    let mut ops = Vec::with_capacity(values.len().min(EDIT_OPS_MAX));
    for (index, value) in values.into_iter().enumerate().take(EDIT_OPS_MAX) {
        // By the names of its fields: serde would take a list of them, too, by their order.
        if !value.is_object() {
            body.findings()
                .add(format!("/ops/{index}"), "expected an object");
            continue;
        }
        match EditOp::deserialize(value) {
            Ok(op) => ops.push(op),
            Err(cause) => body
                .findings()
                .add(format!("/ops/{index}"), cause.to_string()),
        }
    }
    body.finish();
    ops
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::EditOp;

    #[test]
    fn operations_read_as_documented() {
        let ops = EditOp::list_from_json(json!({"ops": [
            {"op": "splice", "path": "/description", "at": 10, "delete": 3, "insert": "…"},
            {"op": "add", "path": "/amenities", "value": "wifi"},
            {"op": "remove", "path": "/amenities", "value": "tv"},
            {"op": "increment", "path": "/counters/saves", "by": 1},
        ]}))
        .expect("the example of the contract");
        assert_eq!(ops.len(), 4);
        assert_eq!(
            ops[0],
            EditOp::Splice {
                path: "/description".to_owned(),
                at: 10,
                delete: 3,
                insert: "…".to_owned(),
            }
        );
    }

    #[test]
    fn each_broken_operation_is_named() {
        let errors = EditOp::list_from_json(json!({"ops": [
            {"op": "add", "path": "/amenities", "value": "wifi"},
            {"op": "replace", "path": "/title"},
            {"op": "increment", "path": "/counters/saves", "by": 1, "twice": true},
            {"op": "splice", "path": "/description", "at": -1},
            ["add", "/amenities", "wifi"],
        ]}))
        .expect_err("four are broken");
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/ops/1", "/ops/2", "/ops/3", "/ops/4"]);
    }

    #[test]
    fn body_without_ops_is_refused() {
        let errors = EditOp::list_from_json(json!({"op": []})).expect_err("no ops");
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/ops", "/op"]);
    }
}
