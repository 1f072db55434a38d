//! Every error a client sees: RFC 9457 `application/problem+json`.
//!
//! A handler returns a [`Problem`]; the envelope around all handlers turns it into
//! bytes, because only it knows the request's id and path.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode, StatusCode as S};
use axum::response::{IntoResponse, Response};
use meridian_replication_core::FieldError;
use serde_json::{Map, Value, json};

/// The same question has an answer at another node.
const ELSEWHERE: StatusCode = StatusCode::MISDIRECTED_REQUEST;

/// The kinds of problem, as the client contract names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slug {
    Validation,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    SlotTaken,
    QuoteStale,
    HoldExpired,
    IdempotencyKeyMissing,
    IdempotencyMismatch,
    IdempotencyInFlight,
    PreconditionFailed,
    HasBookings,
    EventsGone,
    CursorElsewhere,
    LedElsewhere,
    NotHandedOver,
    PaymentDeclined,
    SessionBehind,
    NoQuorum,
    NoHolder,
    Overloaded,
    RateLimited,
    OutcomeUnknown,
    PayloadTooLarge,
    Internal,
}

impl Slug {
    /// `code` and the last part of `type`.
    pub(crate) const fn as_str(self) -> &'static str {
        self.row().0
    }

    pub(super) const fn status(self) -> StatusCode {
        self.row().1
    }

    pub(super) const fn title(self) -> &'static str {
        self.row().2
    }

    /// Whether the same request, with the same key, may be sent again.
    pub(super) const fn retryable(self) -> bool {
        matches!(self, |Self::IdempotencyInFlight| Self::SessionBehind
            | Self::NoQuorum
            | Self::NoHolder
            | Self::Overloaded
            | Self::RateLimited
            | Self::OutcomeUnknown)
    }

    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Validation => (
                "validation",
                S::UNPROCESSABLE_ENTITY,
                "The request is not valid",
            ),
            Self::Unauthenticated => ("unauthenticated", S::UNAUTHORIZED, "Credentials needed"),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "This is not yours to do"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is no such thing here"),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                S::METHOD_NOT_ALLOWED,
                "This resource has no such method",
            ),
            Self::SlotTaken => ("slot-taken", S::CONFLICT, "A part of the stay is taken"),
            Self::QuoteStale => ("quote-stale", S::CONFLICT, "Price or terms have changed"),
            Self::HoldExpired => ("hold-expired", S::GONE, "The hold has expired"),
            Self::IdempotencyKeyMissing => (
                "idempotency-key-missing",
                S::BAD_REQUEST,
                "An Idempotency-Key header is required",
            ),
            Self::IdempotencyInFlight => (
                "idempotency-in-flight",
                S::CONFLICT,
                "A request for the same is under way",
            ),
            Self::IdempotencyMismatch => (
                "idempotency-mismatch",
                S::UNPROCESSABLE_ENTITY,
                "This key was used for another request",
            ),
            Self::PreconditionFailed => (
                "precondition-failed",
                S::PRECONDITION_FAILED,
                "The document has changed",
            ),
            Self::HasBookings => ("has-bookings", S::CONFLICT, "A future booking stands"),
            Self::EventsGone => ("events-gone", S::GONE, "Events are not kept any more"),
            Self::LedElsewhere => ("led-elsewhere", ELSEWHERE, "Another node leads"),
            Self::NotHandedOver => ("not-handed-over", S::CONFLICT, "The leader leads on"),
            Self::CursorElsewhere => ("cursor-elsewhere", ELSEWHERE, "Told in another region"),
            Self::PaymentDeclined => ("payment-declined", S::PAYMENT_REQUIRED, "Payment declined"),
            Self::SessionBehind => (
                "session-behind",
                S::SERVICE_UNAVAILABLE,
                "This region has not yet seen the session's writes",
            ),
            Self::NoQuorum => (
                "no-quorum",
                S::SERVICE_UNAVAILABLE,
                "Too few voters can be reached",
            ),
            Self::NoHolder => ("no-holder", S::SERVICE_UNAVAILABLE, "No holder reached"),
            Self::Overloaded => ("overloaded", S::SERVICE_UNAVAILABLE, "The node is busy"),
            Self::RateLimited => ("rate-limited", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::OutcomeUnknown => (
                "outcome-unknown",
                S::GATEWAY_TIMEOUT,
                "Whether this happened is not known yet",
            ),
            Self::PayloadTooLarge => ("payload-too-large", S::PAYLOAD_TOO_LARGE, "Body too long"),
            Self::Internal => (
                "internal",
                S::INTERNAL_SERVER_ERROR,
                "The node made a mistake",
            ),
        }
    }
}

/// One problem, before it has a request id.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    slug: Slug,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(slug: Slug, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            slug,
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Map::new(),
            retry_after: None,
        }
    }

    /// A validation problem about one field of the body.
    pub(crate) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, detail)])
    }

    /// A validation problem about several fields.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.detail),
            many => format!("{} fields are not valid", many.len()),
        };
        let mut problem = Self::new(Slug::Validation, detail);
        problem.errors = errors;
        problem
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, slug: Slug) -> bool {
        self.slug == slug
    }

    pub(crate) const fn slug(&self) -> Slug {
        self.slug
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The body, as RFC 9457 has it, with our extensions.
    pub(crate) fn to_json(&self, instance: &str, request_id: &str, region: &str) -> Value {
        let mut body = self.extensions.clone();
        let slug = self.slug.as_str();
        body.insert("type".to_owned(), json!(format!("/problems/{slug}")));
        body.insert("title".to_owned(), json!(self.slug.title()));
        body.insert("status".to_owned(), json!(self.slug.status().as_u16()));
        body.insert("detail".to_owned(), json!(self.detail));
        body.insert("instance".to_owned(), json!(instance));
        body.insert("code".to_owned(), json!(slug));
        body.insert("request_id".to_owned(), json!(request_id));
        body.insert("retryable".to_owned(), json!(self.slug.retryable()));
        body.insert("region".to_owned(), json!(region));
        if !self.errors.is_empty() {
            let errors: Vec<Value> = self
                .errors
                .iter()
                .map(|error| json!({"pointer": error.pointer, "detail": error.detail}))
                .collect();
            body.insert("errors".to_owned(), Value::Array(errors));
        }
        Value::Object(body)
    }
}

impl IntoResponse for Problem {
    /// An empty response that carries the problem to the envelope.
    fn into_response(self) -> Response {
        let mut response = self.slug.status().into_response();
        if self.slug == Slug::Unauthenticated {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}
