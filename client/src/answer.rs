//! Reading what a node answers.

use std::time::Duration;

use http::StatusCode;
use http::header::{ETAG, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::wire::{Body, Reply};
use crate::{CallError, Problem};

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The JSON body; null where there is none.
    pub body: Value,
    /// Entity tag, with its quotes.
    pub etag: Option<String>,
    /// Level of consistency that was achieved.
    pub consistency: Option<String>,
    /// How stale the region may have been.
    pub staleness_ms: Option<u64>,
    /// `<region>/<node>` that answered.
    pub served_by: Option<String>,
    /// Whether an earlier request with the same key had this answer.
    pub replayed: bool,
}

impl Reply {
    /// Reads an answer; a refusal becomes its problem.
    pub(crate) async fn read(mut self) -> Result<Answer, CallError> {
        let bytes = self.bytes().await?;
        if !self.status.is_success() && self.status != StatusCode::NOT_MODIFIED {
            return Err(refusal(self.status, &self.headers, &bytes));
        }
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|cause| CallError::Decode(cause.to_string()))?
        };
        let headers = &self.headers;
        let staleness_ms = header(headers, "meridian-staleness-ms");
        Ok(Answer {
            status: self.status.as_u16(),
            body,
            etag: header(headers, ETAG.as_str()),
            consistency: header(headers, "meridian-consistency"),
            staleness_ms: staleness_ms.and_then(|ms| ms.parse().ok()),
            served_by: header(headers, "meridian-served-by"),
            replayed: header(headers, "idempotent-replayed").is_some(),
        })
    }

    /// The body, to be read as it comes; a refusal becomes its problem.
    pub(crate) async fn stream(self) -> Result<Body, CallError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let refused = self.read().await.err();
        Err(refused.unwrap_or_else(|| CallError::Decode("a refusal without a problem".to_owned())))
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> CallError {
    let wait = header(headers, RETRY_AFTER.as_str()).and_then(|wait| wait.parse().ok());
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(mut problem) => {
            problem.retry_after = wait.map(Duration::from_secs);
            CallError::Problem(Box::new(problem))
        }
        Err(_) => CallError::Decode(format!(
            "status {status}{} without a problem",
            wait.map_or_else(String::new, |wait| format!(" (retry after {wait} s)"))
        )),
    }
}

pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
