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
            // What a write came to is in it.
            serde_json::from_slice(&bytes).map_err(|cause| {
                CallError::Unknown(format!(
                    "status {}, and cannot be read: {cause}",
                    self.status
                ))
            })?
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

/// A refusal that is no problem of a node comes from whatever stands in front of it: a proxy that
/// answers 502 or 504 may have passed the request on.
fn refusal(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> CallError {
    let wait = header(headers, RETRY_AFTER.as_str()).and_then(|wait| wait.parse().ok());
    let wait = wait.map(Duration::from_secs);
    if let Ok(mut problem) = serde_json::from_slice::<Problem>(bytes) {
        problem.retry_after = wait;
        return CallError::Problem(Box::new(problem));
    }
    let wait = wait.map_or_else(String::new, |wait| format!(" (retry after {wait:?})"));
    let said = format!("status {status}{wait} without a problem");
    if status.is_server_error() {
        CallError::Unknown(said)
    } else {
        CallError::Decode(said)
    }
}

pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::StreamExt;
    use futures::stream;
    use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::Answer;
    use crate::CallError;
    use crate::wire::Reply;

    async fn read(status: u16, wait: Option<u64>, body: &'static str) -> Result<Answer, CallError> {
        let wait = wait.map(|wait| (RETRY_AFTER, HeaderValue::from(wait)));
        let reply = Reply {
            status: status.try_into().expect("a status"),
            headers: HeaderMap::from_iter(wait),
            body: stream::iter([Ok(Bytes::from_static(body.as_bytes()))]).boxed(),
        };
        reply.read().await
    }

    /// A proxy gave up on a node that may have carried it out.
    #[tokio::test]
    async fn failure_that_no_node_has_told_proves_nothing() {
        for status in [500, 502, 503, 504] {
            let error = read(status, Some(5), "<html>").await.expect_err("refused");
            assert!(error.outcome_unknown(), "{error}");
            assert!(error.is_retryable());
        }
        for status in [404, 413, 431] {
            let error = read(status, None, "<html>").await.expect_err("refused");
            assert!(!error.outcome_unknown(), "{error}");
        }
    }

    #[tokio::test]
    async fn write_whose_answer_cannot_be_read_is_not_taken_for_failed() {
        let error = read(201, None, "{\"id\":").await.expect_err("cut off");
        assert!(error.outcome_unknown(), "{error}");
    }
}
