//! One call as the request of REST that it is.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request as HttpRequest, Response as HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::SocketAddr;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};
use tower_service::Service;

use super::status;

/// Longest answer that is taken whole: a page of a hundred listings, each with all that it may
/// have.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Metadata that is handed on, under the names of REST's headers: every value of a name, so that
/// REST judges what is said twice.
const CARRIED: [&str; 11] = [
    "authorization",
    "forwarded",
    "idempotency-key",
    "if-match",
    "last-event-id",
    "meridian-consistency",
    "meridian-session",
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-request-id",
];
/// Headers of an answer that are metadata too.
const TOLD: [&str; 10] = [
    "etag",
    "idempotent-replayed",
    "meridian-consistency",
    "meridian-served-by",
    "meridian-session",
    "meridian-staleness-ms",
    "meridian-trace-id",
    "ratelimit",
    "ratelimit-policy",
    "x-request-id",
];

/// What answers calls. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    rest: Router,
}

/// A request of REST.
pub(super) struct Call {
    method: Method,
    target: String,
    body: Option<Value>,
}

impl Call {
    pub(super) fn get(target: String) -> Self {
        Self {
            method: Method::GET,
            target,
            body: None,
        }
    }

    pub(super) fn delete(target: String) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(target)
        }
    }

    /// # Errors
    /// A message that is no JSON: a bug.
    pub(super) fn post(target: String, message: &impl Serialize) -> Result<Self, Status> {
        Self::with(Method::POST, target, message)
    }

    /// # Errors
    /// As [`Call::post`].
    pub(super) fn with(
        method: Method,
        target: String,
        message: &impl Serialize,
    ) -> Result<Self, Status> {
        Ok(Self {
            method,
            target,
            body: Some(body(message)?),
        })
    }

    pub(super) const fn patch(target: String, patch: Value) -> Self {
        Self {
            method: Method::PATCH,
            target,
            body: Some(patch),
        }
    }

    fn into_http(
        self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Option<HttpRequest<Body>> {
        let mut request = HttpRequest::builder().method(self.method).uri(self.target);
        for name in CARRIED {
            for value in metadata.get_all(name) {
                request = request.header(name, value.as_bytes());
            }
        }
        let body = match self.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).ok()?;
        // Who asks, for whatever tells callers apart.
        if let Some(caller) = extensions.get::<ConnectInfo<SocketAddr>>() {
            request.extensions_mut().insert(*caller);
        }
        Some(request)
    }
}

impl Gateway {
    pub(super) const fn over(rest: Router) -> Self {
        Self { rest }
    }

    /// Answers a call by a message.
    ///
    /// # Errors
    /// The problem that REST answers with, as a status.
    pub(super) async fn answer<Message: DeserializeOwned + Default>(
        &self,
        call: Call,
        (metadata, extensions): (&MetadataMap, &Extensions),
    ) -> Result<Response<Message>, Status> {
        let (headers, body) = self.ask(call, metadata, extensions).await?;
        let body = to_bytes(body, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|cause| Status::internal(format!("no answer: {cause}")))?;
        let message = if body.is_empty() {
            Message::default()
        } else {
            serde_json::from_slice(&body)
                .map_err(|cause| Status::internal(format!("an answer in another shape: {cause}")))?
        };
        Ok(told(message, &headers))
    }

    /// Answers a call by what comes.
    ///
    /// # Errors
    /// As [`Gateway::answer`].
    pub(super) async fn ask(
        &self,
        call: Call,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<(HeaderMap, Body), Status> {
        let request = call.into_http(metadata, extensions);
        let request =
            request.ok_or_else(|| Status::invalid_argument("an id or a header that is none"))?;
        // Routes are always ready.
        let Ok(response): Result<HttpResponse<Body>, _> = self.rest.clone().call(request).await;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok((parts.headers, body));
        }
        let problem = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
        Err(status::of(parts.status, &parts.headers, problem))
    }
}

/// A message with what the headers of its answer say.
pub(super) fn told<Message>(message: Message, headers: &HeaderMap) -> Response<Message> {
    let mut response = Response::new(message);
    *response.metadata_mut() = status::metadata(headers, &TOLD);
    response
}

/// A request without what stands around its message.
pub(super) fn parts<Message>(request: Request<Message>) -> (MetadataMap, Extensions, Message) {
    request.into_parts()
}

/// A message as a body of REST: what is not set is not there, and ids stand in the path.
fn body(message: &impl Serialize) -> Result<Value, Status> {
    let value = serde_json::to_value(message);
    let mut value = value.map_err(|cause| Status::internal(cause.to_string()))?;
    without_nulls(&mut value);
    Ok(value)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// What is set of a message, as a query.
pub(super) fn query(message: &impl Serialize) -> Result<String, Status> {
    let Value::Object(fields) = body(message)? else {
        return Err(Status::internal("a message that is no object"));
    };
    let pairs = fields.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        // Lists are comma-separated in queries.
        Value::Array(elements) if elements.is_empty() => None,
        Value::Array(elements) => {
            let texts = elements.iter().filter_map(Value::as_str);
            Some((name, texts.collect::<Vec<_>>().join(",")))
        }
        other => Some((name, other.to_string())),
    });
    let pairs: Vec<(String, String)> = pairs.collect();
    serde_urlencoded::to_string(pairs).map_err(|cause| Status::internal(cause.to_string()))
}

/// An id as a segment of a path: nothing that would end it.
pub(super) fn segment(id: &str) -> Result<&str, Status> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if !id.is_empty() && id.bytes().all(is_plain) {
        return Ok(id);
    }
    Err(Status::invalid_argument("validation: an id that is none"))
}
