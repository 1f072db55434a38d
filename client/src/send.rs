//! Sending a request, and what its attempts together prove.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::{Answer, Client};
use crate::{CallError, Problem};

/// First pause before a request is sent again; it doubles up to the greatest.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Refusals that a ledger keeps with the request's key.
const VERDICTS: [&str; 4] = [
    "slot-taken",
    "quote-stale",
    "hold-expired",
    "payment-declined",
];

/// Whether a request may be sent again when its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It is a read, or carries a key.
    Safe,
    /// Only if it was surely not executed.
    Unsafe,
}

/// A request to be.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) key: Option<&'a str>,
    pub(crate) if_match: Option<&'a str>,
    pub(crate) consistency: Option<&'a str>,
    pub(crate) repeat: Repeat,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let repeat = if method == Method::GET {
            Repeat::Safe
        } else {
            Repeat::Unsafe
        };
        Self {
            method,
            path: path.into(),
            body: None,
            key: None,
            if_match: None,
            consistency: None,
            repeat,
        }
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self.repeat = Repeat::Safe;
        self
    }
}

impl Client {
    /// Sends a call to one endpoint after the other, as long as it may be repeated
    /// and time is left.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let until = Instant::now() + self.options.deadline;
        let mut pause = RETRY_PAUSE_MIN;
        let mut perhaps_executed = false;
        let mut attempt = 0;
        loop {
            let endpoints = &self.options.endpoints;
            let endpoint = endpoints
                .get(attempt % endpoints.len().max(1))
                .ok_or_else(|| CallError::Unreachable("no endpoint is configured".to_owned()))?;
            attempt += 1;
            let answered = timeout_at(until, self.attempt(endpoint, &call))
                .await
                .unwrap_or_else(|_late| Err(CallError::Unknown("no answer in time".to_owned())));
            let error = match answered {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            perhaps_executed |= error.is_unknown() && call.method != Method::GET;
            let again = match &error {
                CallError::Unreachable(_) => true,
                _ => error.is_retryable() && call.repeat == Repeat::Safe,
            };
            if !again || !self.options.retry || Instant::now() + pause >= until {
                return Err(if perhaps_executed && !concludes(&call, &error) {
                    // An earlier attempt may have done it: this refusal proves nothing.
                    CallError::Unknown(format!("a lost answer, and then: {error}"))
                } else {
                    error
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    async fn attempt(&self, endpoint: &str, call: &Call<'_>) -> Result<Answer, CallError> {
        let mut request = self
            .http
            .request(call.method.clone(), format!("{endpoint}{}", call.path));
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(key) = call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(tag) = call.if_match {
            request = request.header(IF_MATCH, tag);
        }
        if let Some(level) = call.consistency {
            request = request.header("Meridian-Consistency", level);
        }
        if let Some(token) = self.session.token() {
            request = request.header("Meridian-Session", token);
        }
        let response = request.send().await.map_err(|cause| {
            if cause.is_connect() || cause.is_builder() {
                CallError::Unreachable(cause.to_string())
            } else {
                CallError::Unknown(cause.to_string())
            }
        })?;
        if let Some(token) = header(response.headers(), "meridian-session") {
            self.session.remember(&token);
        }
        read(response).await
    }
}

/// Whether an error says what became of all attempts together. A ledger's verdict does:
/// it answers the same key the same, so that an earlier attempt cannot have had another.
fn concludes(call: &Call<'_>, error: &CallError) -> bool {
    let verdict = |code| VERDICTS.contains(&code);
    error.is_unknown() || (call.key.is_some() && error.code().is_some_and(verdict))
}

/// Reads an answer; a refusal becomes its problem.
pub(crate) async fn read(response: Response) -> Result<Answer, CallError> {
    let status = response.status();
    let headers = response.headers().clone();
    let length = response.content_length().unwrap_or(0);
    if usize::try_from(length).unwrap_or(usize::MAX) > ANSWER_BYTES_MAX {
        return Err(CallError::Decode(format!("{length} bytes are too many")));
    }
    let bytes = response
        .bytes()
        .await
        .map_err(|cause| CallError::Unknown(cause.to_string()))?;
    if !status.is_success() && status != StatusCode::NOT_MODIFIED {
        return Err(refusal(status, &headers, &bytes));
    }
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).map_err(|cause| CallError::Decode(cause.to_string()))?
    };
    Ok(Answer {
        status: status.as_u16(),
        body,
        etag: header(&headers, ETAG.as_str()),
        consistency: header(&headers, "meridian-consistency"),
        staleness_ms: header(&headers, "meridian-staleness-ms").and_then(|ms| ms.parse().ok()),
        served_by: header(&headers, "meridian-served-by"),
        replayed: header(&headers, "idempotent-replayed").is_some(),
    })
}

fn refusal(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> CallError {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => CallError::Problem(Box::new(problem)),
        Err(_) => CallError::Decode(format!(
            "status {status}{} without a problem",
            header(headers, RETRY_AFTER.as_str())
                .map_or_else(String::new, |wait| format!(" (retry after {wait} s)"))
        )),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests;
