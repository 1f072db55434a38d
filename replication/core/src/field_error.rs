//! What is wrong with a body, field by field.
//!
//! Not an error of the program: it is the answer to a client, and says precisely
//! where (an RFC 6901 pointer) and what to write instead.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::FIELD_ERRORS_MAX;

/// One thing wrong with one field. Serializes as an element of `errors[]` of
/// RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body; empty for the whole.
    pub pointer: String,
    /// What is wrong, and what is right, in one sentence.
    pub detail: String,
}

impl FieldError {
    /// An error at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            formatter.write_str(&self.detail)
        } else {
            write!(formatter, "{}: {}", self.pointer, self.detail)
        }
    }
}

/// Errors found so far in one body, at most [`FIELD_ERRORS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<FieldError>);

impl Findings {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.0.len() < FIELD_ERRORS_MAX {
            self.0.push(FieldError::new(pointer, detail));
        }
    }

    pub(crate) fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}

/// One segment of a pointer: `~` and `/` are escaped (RFC 6901, section 3).
pub(crate) fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::{Findings, segment};
    use crate::limits::FIELD_ERRORS_MAX;

    #[test]
    fn findings_are_bounded() {
        let mut findings = Findings::default();
        for index in 0..10 * FIELD_ERRORS_MAX {
            findings.add(format!("/{index}"), "unknown field");
        }
        let errors = findings.into_result().expect_err("errors were added");
        assert_eq!(errors.len(), FIELD_ERRORS_MAX);
    }

    #[test]
    fn pointer_segments_are_escaped() {
        assert_eq!(segment("a/b~c"), "a~1b~0c");
    }
}
