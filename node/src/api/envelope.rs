//! What surrounds every request: an id, a bound on how many run at once, a log
//! line, metrics, the headers of every answer, and problems made into bytes.
//!
//! A panic in a handler ends here as a 500 with the request's id: it never takes
//! the node down, and never passes silently.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use meridian_replication_core::SessionToken;
use tracing::Instrument;

use super::body_deadline::within;
use super::problem::{Problem, Slug};
use crate::admission::Door;
use crate::console::{as_page, is_looked_at};
use crate::node::Node;
use crate::request_id::RequestId;
use crate::traces;

/// Carries a request's id in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `<region>/<node>` that answered.
pub(crate) const SERVED_BY: HeaderName = HeaderName::from_static("meridian-served-by");
/// What the session has seen, this answer included, to be sent with the next request.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("meridian-session");
/// Label of requests that matched no route: never the path itself, whose values
/// are without bound.
const UNMATCHED: &str = "unmatched";
/// When to come back after `overloaded`.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);
/// How long a client's body may take: 256 KiB at the speed of a poor phone line.
const CLIENT_BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long an operator's body may take: megabytes of imported rows.
const OPERATOR_BODY_DEADLINE: Duration = Duration::from_secs(60);

/// Runs a request inside its envelope.
pub(crate) async fn wrap(
    State((node, door)): State<(Arc<Node>, Door)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::from_header(request.headers().get(REQUEST_ID));
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let earlier = session_before(request.headers());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().to_owned());
    let mut request = request.map(|body| within(body, deadline(door)));
    request.extensions_mut().insert(id.clone());
    let step = node.traces.enter(door, &request, &method, &route);
    let trace = step.trace();
    let is_looked_at = door == Door::Operators && is_looked_at(&route, request.headers());
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        %method,
        route,
        trace_id = tracing::field::Empty
    );
    traces::note(&span, &trace);

    let response = match node.admission.enter(door, &route) {
        Ok(_slot) => AssertUnwindSafe(trace.follow(next.run(request).instrument(span.clone())))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| {
                tracing::error!(parent: &span, reason = panic_message(&*panic), "a handler panicked");
                Problem::new(Slug::Internal, "a bug in the node: give its operator the request id")
                    .into_response()
            }),
        Err(_full) => Problem::new(Slug::Overloaded, "too many requests at once: come back shortly")
            .retry_after(OVERLOADED_RETRY)
            .into_response(),
    };

    node.console
        .count(&route, &method, &response, node.clock.now());
    let response = match is_looked_at {
        true => as_page(response, &id),
        false => response,
    };
    let mut response = seal(&node, response, &path, &id);
    let token = node.replica.session_after(&earlier);
    if let Ok(token) = HeaderValue::from_str(&token.encode())
        && !response.headers().contains_key(SESSION)
    {
        response.headers_mut().insert(SESSION, token);
    }
    traces::leave(step, &mut response);
    let status = response.status();
    let elapsed = started.elapsed();
    node.metrics.request(&route, &method, status, elapsed);
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(parent: &span, status = status.as_u16(), elapsed_us, path, "answered");
    } else {
        tracing::debug!(parent: &span, status = status.as_u16(), elapsed_us, path, "answered");
    }
    response
}

fn deadline(door: Door) -> tokio::time::Instant {
    let patience = match door {
        Door::Clients => CLIENT_BODY_DEADLINE,
        Door::Operators => OPERATOR_BODY_DEADLINE,
    };
    tokio::time::Instant::now() + patience
}

/// What the session had seen before this request: every answer says it again, also
/// one that refuses, so that a client that keeps the last token never goes back. A
/// token that cannot be read has been seen by nobody; who depends on it refuses it.
pub(super) fn session_before(headers: &HeaderMap) -> SessionToken {
    headers
        .get(SESSION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| SessionToken::decode(text).ok())
        .unwrap_or_default()
}

/// Turns a problem into bytes and adds the headers that every answer has.
pub(crate) fn seal(node: &Node, mut response: Response, path: &str, id: &RequestId) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let body = problem.to_json(path, id.as_str(), node.identity.region.as_str());
        let headers = std::mem::take(response.headers_mut());
        let status = response.status();
        response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = problem.wait() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
    }
    let headers = response.headers_mut();
    insert(headers, REQUEST_ID, id.as_str());
    // Who has served it, if this node has passed it on.
    let served_by = headers.entry(SERVED_BY);
    served_by.or_insert_with(|| node.served_by.clone());
    response
}

/// What no route answers.
pub(crate) async fn not_found() -> Problem {
    Problem::new(
        Slug::NotFound,
        "no such path: the API stands under /v1, as the client contract lists it",
    )
}

/// A known path, asked with another method.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Slug::MethodNotAllowed, "this path has other methods")
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
