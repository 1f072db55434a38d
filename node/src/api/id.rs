//! Ids in a path, parsed before a handler sees them.
//!
//! A text that is no id names nothing: the answer is the 404 of something that is
//! not there, as a problem like every other.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::{Problem, Slug};

/// What the parameters of a route stand for: one id, or a tuple of as many as the
/// route has.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|rejection| refused(&rejection))
    }
}

fn refused(rejection: &PathRejection) -> Problem {
    let PathRejection::FailedToDeserializePathParams(cause) = rejection else {
        return Problem::new(Slug::Internal, rejection.body_text());
    };
    let detail = match cause.kind() {
        ErrorKind::InvalidUtf8InPathParam { key } => {
            format!("the path's {key} is not UTF-8 once its %-escapes are undone")
        }
        ErrorKind::DeserializeError { message, .. } | ErrorKind::Message(message) => {
            message.clone()
        }
        other => other.to_string(),
    };
    Problem::new(Slug::NotFound, detail)
}
