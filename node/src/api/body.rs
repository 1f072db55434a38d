//! Reading a request: its JSON body, query and idempotency key, each refused with
//! a precise problem.

mod whole;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::problem::{Problem, Slug};

/// Things on a page if the client does not say, and how many at most.
const PAGE_DEFAULT: usize = 20;
pub(crate) const PAGE_MAX: usize = 100;
/// Longest idempotency key, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 128;
/// Header of the key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A JSON body together with its bytes, which are what a key is bound to.
pub(crate) struct JsonBody<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        refuse_other_media(request.headers())?;
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unreadable(rejection.status()))?;
        named(&bytes)?;
        let value = parse(&bytes)?;
        Ok(Self { value, bytes })
    }
}

/// What is read by the names of its fields has names: serde would take a list of the same values
/// as well, by the order of the fields, which is no promise of ours.
fn named(bytes: &[u8]) -> Result<(), Problem> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let detail = "the body: expected an object, found a list";
        return Err(Problem::new(Slug::Validation, detail));
    }
    Ok(())
}

/// Reads a part of a body that is an object, for the same reason: `deserialize_with` of a field.
pub(crate) fn object<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let fields = Option::<Map<String, Value>>::deserialize(from)?;
    let read = fields.map(|fields| T::deserialize(Value::Object(fields)));
    read.transpose().map_err(D::Error::custom)
}

fn refuse_other_media(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(media) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = media
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(
        Slug::Validation,
        format!("the body is `{essence}`: send application/json"),
    ))
}

pub(super) fn unreadable(status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            Slug::PayloadTooLarge,
            "the body is longer than limits.body_bytes of this node",
        )
    } else {
        Problem::new(Slug::Validation, "the body ended before it was complete")
    }
}

/// Parses JSON, in which whole numbers are integers however they are written; an error names
/// the place.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = whole::rewritten(bytes);
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let read = serde_path_to_error::deserialize(&mut reader)
        .map_err(|cause| misread(&pointer(cause.path()), cause.inner()))?;
    reader.end().map_err(|cause| misread("", &cause))?;
    Ok(read)
}

fn misread(pointer: &str, cause: &serde_json::Error) -> Problem {
    // What ends too early is wrong nowhere but at its end.
    if pointer.is_empty() || cause.is_eof() {
        return Problem::new(Slug::Validation, format!("the body: {cause}"));
    }
    Problem::field(pointer, cause.to_string())
}

/// RFC 6901, as deep as the path is known.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } => continue,
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
}

/// A query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Query::<T>::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|cause| {
                Problem::new(
                    Slug::Validation,
                    format!("the query: {}", cause.body_text()),
                )
            })
    }
}

/// How many things a page is to hold.
pub(crate) fn page_limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::field("/limit", format!("1 to {PAGE_MAX}")))
    }
}

/// The key that makes a request safe to repeat.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Err(Problem::new(
                Slug::IdempotencyKeyMissing,
                "send a fresh unique value, and the same one when you repeat the request",
            ));
        };
        Self::parse(value.to_str().unwrap_or_default())
    }
}

impl IdempotencyKey {
    /// Reads a key, wherever it stands.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if printable && (1..=KEY_BYTES_MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::new(
                Slug::Validation,
                "Idempotency-Key is 1 to 128 visible ASCII characters",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::{FromRequest, Request};
    use serde::Deserialize;

    use super::JsonBody;
    use crate::api::problem::{Problem, Slug};

    #[derive(Debug, Deserialize)]
    struct Stay {
        nights: u32,
        #[serde(default)]
        more: Vec<Stay>,
        near: Option<f64>,
    }

    async fn stay(body: &'static str) -> Result<Stay, Problem> {
        let read = JsonBody::<Stay>::from_request(Request::new(Body::from(body)), &()).await;
        read.map(|body| body.value)
    }

    async fn read(body: &'static str) -> Result<u32, Slug> {
        let read = stay(body).await;
        read.map(|stay| stay.nights)
            .map_err(|problem| problem.slug())
    }

    #[tokio::test]
    async fn fields_are_read_by_their_names_and_never_by_their_order() {
        assert_eq!(read(r#" {"nights": 2}"#).await, Ok(2));
        assert_eq!(read("[2]").await, Err(Slug::Validation));
        assert_eq!(read(" \n[2]").await, Err(Slug::Validation));
    }

    #[tokio::test]
    async fn whole_numbers_are_integers_however_they_are_written() {
        for body in [
            r#"{"nights": 460.0}"#,
            r#"{"nights": 4.6e2}"#,
            r#"{"nights": 46000e-2}"#,
        ] {
            assert_eq!(read(body).await, Ok(460), "{body}");
        }
        let inner = stay(r#"{"nights": 1, "more": [{"nights": 2.0}], "near": 52.0}"#).await;
        let inner = inner.expect("a stay");
        assert_eq!((inner.more[0].nights, inner.near), (2, Some(52.0)));
    }

    #[tokio::test]
    async fn numbers_that_are_no_integers_are_refused_where_they_stand() {
        for (body, at, says) in [
            (
                r#"{"nights": 460.5}"#,
                "/nights",
                "floating point `460.5`, expected u32",
            ),
            (r#"{"nights": 1e-3}"#, "/nights", "floating point"),
            (r#"{"nights": 1e400}"#, "/nights", "number out of range"),
            (r#"{"nights": 1e30}"#, "/nights", "expected u32"),
            (
                r#"{"nights": 4294967296.0}"#,
                "/nights",
                "integer `4294967296`, expected u32",
            ),
            (
                r#"{"nights": -1.0}"#,
                "/nights",
                "integer `-1`, expected u32",
            ),
            (
                r#"{"nights": 1, "more": [{"nights": 1}, {"nights": "2"}]}"#,
                "/more/1/nights",
                "invalid type: string",
            ),
        ] {
            let problem = stay(body).await.expect_err(body);
            assert_eq!(problem.slug(), Slug::Validation);
            let told = problem.to_json("/", "", "");
            assert_eq!(told["errors"][0]["pointer"], at, "{told}");
            let detail = told["errors"][0]["detail"].as_str().expect("a text");
            assert!(detail.contains(says), "{detail}");
        }
        // Wrong as a whole: nothing of it is.
        for body in [r#"{"nights": 2} 3"#, r#"{"nights": 2"#, "{}"] {
            let problem = stay(body).await.expect_err(body);
            assert!(problem.detail().starts_with("the body: "), "{body}");
        }
    }
}
