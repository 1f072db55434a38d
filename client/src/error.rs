//! What a request that has no answer, or a refusing one, means.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem, as every refusal of the API is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable name of the kind, as in `slot-taken`.
    pub code: String,
    /// The kind in words.
    pub title: String,
    /// This case in words.
    #[serde(default)]
    pub detail: String,
    /// Ties the answer to the node's log.
    #[serde(default)]
    pub request_id: String,
    /// Whether the same request, with the same key, may be sent again.
    #[serde(default)]
    pub retryable: bool,
    /// What is wrong with which field.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
    /// When to come back at the earliest, as the answer's `Retry-After` says.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// RFC 6901.
    pub pointer: String,
    /// What was expected.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({}): {}", self.title, self.code, self.detail)?;
        for error in &self.errors {
            write!(formatter, "\n  {}: {}", error.pointer, error.detail)?;
        }
        if !self.request_id.is_empty() {
            write!(formatter, " [{}]", self.request_id)?;
        }
        Ok(())
    }
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The API refused.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The request may have been executed: its answer was lost or late.
    #[error(
        "no answer, the outcome is unknown: {0}; repeat it with the same key, or read what it was to change, to learn it"
    )]
    Unknown(String),
    /// The request was surely not executed: no endpoint took it.
    #[error("no endpoint can be reached: {0}")]
    Unreachable(String),
    /// The answer is not what the contract says.
    #[error("the answer cannot be read: {0}")]
    Decode(String),
}

impl CallError {
    /// The problem's code, if the API refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// Whether the request may have been executed nevertheless: never take it for failed.
    /// Ask [`crate::Client::outcome`], or repeat it with the same key; without one, read what
    /// it was to change. By this attempt, or by an
    /// earlier one with the same key that is still under way. Too cautious where another
    /// payment for the same hold is under way: this one has surely done nothing then, and
    /// the problem has the same code.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        // Who has made a mistake has not said that it did nothing.
        let open = |code| {
            matches!(
                code,
                "outcome-unknown" | "idempotency-in-flight" | "internal"
            )
        };
        matches!(self, Self::Unknown(_)) || self.code().is_some_and(open)
    }

    /// When to come back at the earliest, if the API has said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after,
            _ => None,
        }
    }

    /// Whether sending the same request again makes sense. It is safe for reads, and for
    /// writes with the same key; where [`CallError::outcome_unknown`] says so, a write
    /// without a key would perhaps be done twice, or undo what was written since.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.retryable,
            Self::Unknown(_) | Self::Unreachable(_) => true,
            Self::Decode(_) => false,
        }
    }
}
