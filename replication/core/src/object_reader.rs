//! Reads a JSON object field by field, so that every wrong field gets an error of
//! its own with its pointer, instead of one error for the first of them.
//!
//! Not a validator: lengths and ranges are checked on typed values afterwards.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::field_error::{Findings, segment};

/// What a merge patch (RFC 7396) says about one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum FieldPatch<T> {
    /// The field is not mentioned: it stays.
    #[default]
    Keep,
    /// `null`: an optional field is removed, one with a default returns to it.
    Clear,
    /// A new value.
    Set(T),
}

impl<T> FieldPatch<T> {
    /// True if the patch leaves the field alone.
    pub(crate) const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The new value, if the patch sets one.
    pub(crate) const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

/// A JSON object of which some fields have been taken.
pub(crate) struct ObjectReader<'a> {
    pointer: String,
    fields: Map<String, Value>,
    findings: &'a mut Findings,
}

impl<'a> ObjectReader<'a> {
    /// Begins to read the object at `pointer`; anything but an object is an error.
    pub(crate) fn new(
        pointer: impl Into<String>,
        value: Value,
        findings: &'a mut Findings,
    ) -> Option<Self> {
        let pointer = pointer.into();
        match value {
            Value::Object(fields) => Some(Self {
                pointer,
                fields,
                findings,
            }),
            other => {
                findings.add(
                    pointer,
                    format!("expected an object, found {}", kind(&other)),
                );
                None
            }
        }
    }

    /// Takes a field that must be there and not `null`.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.patch(name) {
            FieldPatch::Set(value) => Some(value),
            FieldPatch::Clear => {
                self.refuse(name, "this field is required: null is no value for it");
                None
            }
            FieldPatch::Keep => None,
        }
    }

    /// Takes a field that may be missing or `null`.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.patch(name) {
            FieldPatch::Set(value) => Some(value),
            FieldPatch::Keep | FieldPatch::Clear => None,
        }
    }

    /// Takes what a merge patch says about a field. A value of a wrong type is
    /// reported and then passed over.
    pub(crate) fn patch<T: DeserializeOwned>(&mut self, name: &str) -> FieldPatch<T> {
        match self.fields.remove(name) {
            None => FieldPatch::Keep,
            Some(Value::Null) => FieldPatch::Clear,
            Some(value) => match T::deserialize(value) {
                Ok(value) => FieldPatch::Set(value),
                Err(cause) => {
                    self.refuse(name, &cause.to_string());
                    FieldPatch::Keep
                }
            },
        }
    }

    /// Takes a field as it stands, `null` included.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// Reports that a required field is missing.
    pub(crate) fn require(&mut self, name: &str) {
        if !self.fields.contains_key(name) {
            self.refuse(name, "this field is required");
        }
    }

    /// Reports `name`, if it is there, as one that cannot be written.
    pub(crate) fn immutable(&mut self, name: &str, why: &str) {
        if self.fields.remove(name).is_some() {
            self.refuse(name, why);
        }
    }

    /// Adds an error at the field `name`.
    pub(crate) fn refuse(&mut self, name: &str, detail: &str) {
        let pointer = self.pointer_to(name);
        self.findings.add(pointer, detail);
    }

    /// A pointer to the field `name`.
    pub(crate) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, segment(name))
    }

    /// The errors so far, to read a nested object.
    pub(crate) fn findings(&mut self) -> &mut Findings {
        self.findings
    }

    /// Ends the reading: whatever has not been taken is unknown.
    pub(crate) fn finish(mut self) {
        for name in std::mem::take(&mut self.fields).keys() {
            self.refuse(name, "unknown field");
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
