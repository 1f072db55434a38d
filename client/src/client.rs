//! Calls to the client API.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{CallError, Problem, Session};

/// First pause before a request is sent again; it doubles up to the greatest.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// URLs of the API, nearest first, as in `http://127.0.0.1:7400`.
    pub endpoints: Vec<String>,
    /// Time for a whole call, repetitions included.
    pub deadline: Duration,
    /// Time for one attempt at one endpoint. Longer than a node takes to say that it
    /// has no quorum.
    pub attempt: Duration,
    /// Whether what may be repeated is repeated.
    pub retry: bool,
}

impl ClientOptions {
    /// The defaults for one endpoint: 10 s for a call, 8 s for an attempt.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            deadline: Duration::from_secs(10),
            attempt: Duration::from_secs(8),
            retry: true,
        }
    }
}

/// A client of one cluster. Cheap to clone; clones share connections and session.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    options: ClientOptions,
    session: Session,
}

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

/// A stay that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStay {
    /// Day of arrival, `YYYY-MM-DD`.
    pub check_in: String,
    /// Day of departure, `YYYY-MM-DD`.
    pub check_out: String,
    /// How many come.
    pub guests: u32,
}

/// Whether a request may be sent again when its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It is a read, or carries a key.
    Safe,
    /// Only if it was surely not executed.
    Unsafe,
}

pub(crate) struct Call<'a> {
    method: Method,
    path: String,
    body: Option<Value>,
    key: Option<&'a str>,
    if_match: Option<&'a str>,
    consistency: Option<&'a str>,
    repeat: Repeat,
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

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self.repeat = Repeat::Safe;
        self
    }
}

impl Client {
    /// A client with a session of its own.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if the system's HTTP stack cannot be set up.
    pub fn new(options: ClientOptions) -> Result<Self, CallError> {
        Self::with_session(options, Session::new())
    }

    /// A client that goes on with a session.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if the system's HTTP stack cannot be set up.
    pub fn with_session(options: ClientOptions, session: Session) -> Result<Self, CallError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(options.attempt)
            .build()
            .map_err(|cause| CallError::Unreachable(cause.to_string()))?;
        Ok(Self {
            http,
            options,
            session,
        })
    }

    /// The session, to be shared with another client.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// `POST /v1/listings`. Not repeated when its answer is lost: it would make two.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_listing(&self, draft: Value) -> Result<Answer, CallError> {
        self.send(Call::new(Method::POST, "/v1/listings").body(draft))
            .await
    }

    /// `GET /v1/listings/{id}` within the session.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listing(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::new(Method::GET, format!("/v1/listings/{id}")))
            .await
    }

    /// `GET /v1/listings/{id}` at a level of consistency.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listing_at(&self, id: &str, consistency: &str) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::GET, format!("/v1/listings/{id}"));
        call.consistency = Some(consistency);
        self.send(call).await
    }

    /// `PATCH /v1/listings/{id}`. With `if_match`, refused on a changed document.
    /// Writing the same fields twice is the same as once, so that it is repeated,
    /// unless a lost answer would make `if_match` fail.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn patch_listing(
        &self,
        id: &str,
        patch: Value,
        if_match: Option<&str>,
    ) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::PATCH, format!("/v1/listings/{id}")).body(patch);
        call.if_match = if_match;
        if if_match.is_none() {
            call.repeat = Repeat::Safe;
        }
        self.send(call).await
    }

    /// `POST /v1/listings/{id}/edits`. Not repeated when its answer is lost: an
    /// increment would count twice.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn edit_listing(&self, id: &str, ops: Value) -> Result<Answer, CallError> {
        let call = Call::new(Method::POST, format!("/v1/listings/{id}/edits"));
        self.send(call.body(json!({"ops": ops}))).await
    }

    /// `DELETE /v1/listings/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_listing(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::new(Method::DELETE, format!("/v1/listings/{id}")))
            .await
    }

    /// `GET /v1/listings/{id}/availability`, through the listing's group.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn fresh_availability(
        &self,
        id: &str,
        from: &str,
        to: &str,
    ) -> Result<Answer, CallError> {
        let path = format!("/v1/listings/{id}/availability?from={from}&to={to}&fresh=true");
        self.send(Call::new(Method::GET, path)).await
    }

    /// `POST /v1/listings/{id}/holds`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn hold(&self, id: &str, stay: &NewStay, key: &str) -> Result<Answer, CallError> {
        let body = json!({
            "check_in": stay.check_in,
            "check_out": stay.check_out,
            "guests": stay.guests,
        });
        let call = Call::new(Method::POST, format!("/v1/listings/{id}/holds"));
        self.send(call.body(body).key(key)).await
    }

    /// `POST /v1/bookings` for a hold.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn confirm(
        &self,
        hold_id: &str,
        payment_method: &str,
        key: &str,
    ) -> Result<Answer, CallError> {
        let body = json!({"hold_id": hold_id, "payment_method": payment_method});
        self.send(Call::new(Method::POST, "/v1/bookings").body(body).key(key))
            .await
    }

    /// `POST /v1/bookings` for a stay, hold and payment in one.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn book(
        &self,
        id: &str,
        stay: &NewStay,
        payment_method: &str,
        key: &str,
    ) -> Result<Answer, CallError> {
        let body = json!({
            "listing_id": id,
            "check_in": stay.check_in,
            "check_out": stay.check_out,
            "guests": stay.guests,
            "payment_method": payment_method,
        });
        self.send(Call::new(Method::POST, "/v1/bookings").body(body).key(key))
            .await
    }

    /// `GET /v1/bookings/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn booking(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::new(Method::GET, format!("/v1/bookings/{id}")))
            .await
    }

    /// `GET /v1/listings/{id}/bookings`, one page.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn bookings_of(&self, id: &str, cursor: Option<&str>) -> Result<Answer, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/listings/{id}/bookings?limit=100{cursor}");
        self.send(Call::new(Method::GET, path)).await
    }

    /// `POST /v1/bookings/{id}/cancel`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn cancel(&self, id: &str, key: &str) -> Result<Answer, CallError> {
        let call = Call::new(Method::POST, format!("/v1/bookings/{id}/cancel"));
        self.send(call.key(key)).await
    }

    /// `DELETE /v1/holds/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn release(&self, id: &str) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::DELETE, format!("/v1/holds/{id}"));
        call.repeat = Repeat::Safe;
        self.send(call).await
    }

    /// `GET /v1/regions`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn regions(&self) -> Result<Answer, CallError> {
        self.send(Call::new(Method::GET, "/v1/regions")).await
    }

    /// `GET /v1/listings/{id}/watch`: the open stream of server-sent events, to be
    /// read chunk by chunk. It has no deadline.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch(&self, id: &str) -> Result<Response, CallError> {
        let endpoint = self.options.endpoints.first().cloned().unwrap_or_default();
        let response = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|cause| CallError::Unreachable(cause.to_string()))?
            .get(format!("{endpoint}/v1/listings/{id}/watch"))
            .send()
            .await
            .map_err(|cause| CallError::Unreachable(cause.to_string()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read(response)
            .await
            .err()
            .unwrap_or_else(|| CallError::Decode("a refusal without a problem".to_owned())))
    }

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
                return Err(match error {
                    // An earlier attempt may have done it: a later one proves nothing.
                    CallError::Unreachable(cause) if perhaps_executed => CallError::Unknown(cause),
                    other => other,
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
