//! The page's own files. They are in the binary.
//!
//! Their address names what is in all of them, so that a browser keeps them for good and asks
//! for others when the binary is another. They are packed once, when first asked for.

use std::io::Write;
use std::sync::LazyLock;

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::Id;
use crate::api::problem::{Problem, Slug};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml";
/// A year: what is at this address never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Hexadecimal digits of a digest that tell one build from another.
const BUILD_CHARS: usize = 16;

/// A file: its name, its type and what is in it.
type File = (&'static str, &'static str, &'static str);

/// A file in the repository beside the crate's sources.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!(concat!("../../console/", $name)))
    };
}

pub(super) const FILES: [File; 17] = [
    file!("style.css", STYLE),
    file!("icon.svg", ICON),
    file!("theme.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("feed.js", SCRIPT),
    file!("figure.js", SCRIPT),
    file!("map.js", SCRIPT),
    file!("outline.js", SCRIPT),
    file!("matrix.js", SCRIPT),
    file!("groups.js", SCRIPT),
    file!("series.js", SCRIPT),
    file!("nodes.js", SCRIPT),
    file!("events.js", SCRIPT),
    file!("listing.js", SCRIPT),
    file!("graph.js", SCRIPT),
    file!("ledger.js", SCRIPT),
];

/// Stands for all files together.
pub(super) static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut digest = blake3::Hasher::new();
    for (name, _, text) in FILES {
        for part in [name, text] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
    }
    digest.finalize().to_hex()[..BUILD_CHARS].to_owned()
});

static PACKED: LazyLock<[Option<Bytes>; FILES.len()]> =
    LazyLock::new(|| FILES.map(|(_, _, text)| packed(text)));

/// Where a browser finds a file.
pub(super) fn address(name: &str) -> String {
    format!("/console/assets/{}/{name}", *BUILD)
}

/// `GET /console/assets/{build}/{name}`
pub(super) async fn asset(
    Id((build, name)): Id<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let place = FILES.iter().position(|(known, ..)| *known == name);
    let place = place.filter(|_| build == *BUILD).ok_or_else(|| {
        let detail = "this binary has no such file: load the console again";
        Problem::new(Slug::NotFound, detail)
    })?;
    let (_, kind, text) = FILES[place];
    // The address says already what is in it.
    let tag = HeaderValue::from_str(&format!("\"{}\"", *BUILD));
    let tag = tag.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let has_it = asked.get(IF_NONE_MATCH) == Some(&tag);
    let mut response = match &PACKED[place] {
        _ if has_it => StatusCode::NOT_MODIFIED.into_response(),
        Some(packed) if takes_gzip(&asked) => {
            ([(CONTENT_ENCODING, "gzip")], packed.clone()).into_response()
        }
        _ => text.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let encodings = asked.get(ACCEPT_ENCODING);
    let encodings = encodings.and_then(|value| value.to_str().ok());
    let mut encodings = encodings.unwrap_or_default().split(',');
    encodings.any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == "gzip" && !["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&weight.trim())
    })
}

/// `None` if that would not be shorter.
fn packed(text: &str) -> Option<Bytes> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).ok()?;
    let packed = packer.finish().ok()?;
    (packed.len() < text.len()).then(|| packed.into())
}
