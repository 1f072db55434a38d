//! How a client's request travels to a holder, and its answer back.
//!
//! The sender is another node of this cluster, proven by its certificate; still every field
//! is checked, because a node of another version may have written it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use meridian_trace::Trace;
use prost::Message;

use crate::auth::{Caller, Roles, Vouched, Who};
use crate::traces::Handed;

/// What concerns one connection alone, and what is said anew (RFC 9110, section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A request on its way.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Asked {
    #[prost(string, tag = "1")]
    method: String,
    /// Path and query.
    #[prost(string, tag = "2")]
    target: String,
    #[prost(message, repeated, tag = "3")]
    headers: Vec<Header>,
    #[prost(bytes = "bytes", tag = "4")]
    body: Bytes,
    /// Time for the answer, in milliseconds.
    #[prost(uint64, tag = "5")]
    deadline_ms: u64,
    /// A number that tells the sender's callers apart.
    #[prost(uint64, tag = "6")]
    pub(super) caller: u64,
    /// Whom the sender has found; absent if it asks for no credentials.
    #[prost(message, optional, tag = "7")]
    who: Option<Found>,
    /// In whose trace it is asked, as `traceparent`; empty for none, and from a node of an
    /// earlier version.
    #[prost(string, tag = "8")]
    trace: String,
}

/// Who has sent a request.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Found {
    /// Empty for somebody who has shown no credentials.
    #[prost(string, tag = "1")]
    subject: String,
    #[prost(uint32, tag = "2")]
    roles: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Header {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// An answer, or what comes before its body.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answered {
    #[prost(uint32, tag = "1")]
    status: u32,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<Header>,
    #[prost(bytes = "bytes", tag = "3")]
    body: Bytes,
}

impl Asked {
    /// A client's request.
    pub(crate) fn of(parts: &Parts, body: Bytes, caller: u64) -> Self {
        let target = parts.uri.path_and_query();
        Self {
            method: parts.method.to_string(),
            target: target.map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: written(&parts.headers),
            body,
            deadline_ms: 0,
            caller,
            who: parts.extensions.get::<Who>().and_then(found),
            trace: String::new(),
        }
    }

    /// Whom the sender has found; `None` if that can be nobody.
    pub(super) fn vouched(&self) -> Option<Vouched> {
        let who = match &self.who {
            None => return Some(Vouched(None)),
            Some(nobody) if nobody.subject.is_empty() => Who::Nobody,
            Some(Found { subject, roles }) => {
                Who::Known(Caller::new(subject, Roles::from_bits(*roles))?)
            }
        };
        Some(Vouched(Some(who)))
    }

    /// A question of this node's own.
    pub(super) fn get(target: String) -> Self {
        Self {
            method: Method::GET.to_string(),
            target,
            ..Self::default()
        }
    }

    /// The same, for a client who came with these headers.
    pub(crate) fn get_for(target: String, headers: &HeaderMap) -> Self {
        Self {
            headers: written(headers),
            ..Self::get(target)
        }
    }

    /// Whether it only reads.
    pub(super) fn is_safe(&self) -> bool {
        self.method == Method::GET.as_str() || self.method == Method::HEAD.as_str()
    }

    /// Says how long the answer may take.
    pub(crate) fn give(&mut self, time: Duration) {
        self.deadline_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// Says in whose trace it is asked.
    pub(super) fn follow(&mut self, trace: &Trace) {
        self.trace = trace.carried();
    }

    /// In whose trace it is asked.
    pub(super) fn handed(&mut self) -> Handed {
        Handed(std::mem::take(&mut self.trace))
    }

    pub(super) const fn time(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The request; `None` if it is none.
    pub(super) fn into_request(self) -> Option<Request<Body>> {
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        let target: Uri = self.target.parse().ok()?;
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = read(self.headers)?;
        Some(request)
    }
}

fn found(who: &Who) -> Option<Found> {
    match who {
        Who::Anybody => None,
        Who::Nobody => Some(Found::default()),
        Who::Known(caller) => Some(Found {
            subject: caller.subject().to_owned(),
            roles: caller.roles().bits(),
        }),
    }
}

impl Answered {
    /// An answer without its body.
    pub(super) fn head(status: StatusCode, headers: &HeaderMap) -> Self {
        Self {
            status: status.as_u16().into(),
            headers: written(headers),
            body: Bytes::new(),
        }
    }

    pub(super) fn with(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// Reads an answer; `None` if it is none.
    pub(super) fn read(bytes: Bytes) -> Option<Response> {
        let mut answered = Self::decode(bytes).ok()?;
        let body = std::mem::take(&mut answered.body);
        answered.into_response(Body::from(body))
    }

    /// The same, whose body comes otherwise.
    pub(super) fn into_response(self, body: Body) -> Option<Response> {
        let status = u16::try_from(self.status).ok()?;
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).ok()?;
        *response.headers_mut() = read(self.headers)?;
        Some(response)
    }
}

fn written(headers: &HeaderMap) -> Vec<Header> {
    let headers = headers.iter();
    let travels = |(name, _): &(&HeaderName, &HeaderValue)| !OF_THE_CONNECTION.contains(name);
    let headers = headers.filter(travels).map(|(name, value)| Header {
        name: name.as_str().to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    });
    headers.collect()
}

fn read(headers: Vec<Header>) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for Header { name, value } in headers {
        let name: HeaderName = name.parse().ok()?;
        let value = HeaderValue::from_maybe_shared(value).ok()?;
        // Fails past 32,768 of them.
        map.try_append(name, value).ok()?;
    }
    Some(map)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes, to_bytes};
    use axum::http::{HeaderMap, Request, StatusCode};
    use prost::Message;

    use super::{Answered, Asked};

    #[tokio::test]
    async fn request_and_answer_arrive_as_they_were_but_for_what_concerns_a_connection() {
        let request = Request::builder()
            .method("PATCH")
            .uri("https://here/v1/listings/x?a=%20b")
            .header("Meridian-Session", "token")
            .header("Connection", "close")
            .header("Host", "here")
            .header("If-Match", "\"1\"")
            .header("If-Match", "\"2\"")
            .body(Body::empty())
            .expect("a request");
        let (parts, _) = request.into_parts();
        let asked = Asked::of(&parts, Bytes::from_static(b"{}"), 7);
        assert!(!asked.is_safe());
        let read = Asked::decode(&asked.encode_to_vec()[..]).expect("it was written so");
        let read = read.into_request().expect("a request");
        assert_eq!(
            (read.method(), read.uri().path()),
            (&parts.method, "/v1/listings/x")
        );
        assert_eq!(read.uri().query(), Some("a=%20b"));
        let mut headers = parts.headers.clone();
        headers.remove("connection");
        headers.remove("host");
        assert_eq!(*read.headers(), headers);
        let body = to_bytes(read.into_body(), 10).await.expect("whole");
        assert_eq!(body, "{}");

        let mut headers = HeaderMap::new();
        headers.insert("etag", "\"1\"".parse().expect("a value"));
        let answered = Answered::head(StatusCode::CREATED, &headers).with("[]".into());
        let read = Answered::read(answered.encode_to_vec().into()).expect("an answer");
        assert_eq!(
            (read.status(), read.headers()),
            (StatusCode::CREATED, &headers)
        );
        assert!(Answered::read(Bytes::from_static(b"\xff")).is_none());
    }
}
