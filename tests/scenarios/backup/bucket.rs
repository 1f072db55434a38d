//! A store that speaks as S3 does, as far as backups ask: objects, parts, pages of names, and
//! objects that must not be there yet. Every signature is computed again and compared.
//!
//! It keeps everything in memory, and can be told to refuse requests for a while. Used by the tests
//! of targets, too (`node/src/backup/tests.rs`).

// Named, as this file is a module of two targets.
#[path = "bucket/signature.rs"]
mod signature;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use signature::{SECRET, is_signed, query};

/// The one bucket.
pub(crate) const BUCKET: &str = "backups-of-tests";
/// Names in one page: few, so that pages are turned.
const PAGE: usize = 5;
/// S3 takes no part but the last that is shorter.
const PART_BYTES_MIN: usize = 5 << 20;
/// The longest body: more than a part.
const BODY_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<String, Bytes>,
    /// Parts of uploads that are under way, by upload and number.
    parts: BTreeMap<String, BTreeMap<usize, Bytes>>,
    uploads: usize,
    /// Uploads that were completed.
    joined: usize,
    /// Requests that are refused before the next is served.
    refusals: usize,
    refused: usize,
}

type Shared = Arc<Mutex<Shelf>>;

/// Runs until it is dropped.
pub(crate) struct Bucket {
    address: SocketAddr,
    shelf: Shared,
    _running: DropGuard,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = port.expect("a free port");
        let address = port.local_addr().expect("it is bound");
        let shelf = Shared::default();
        let routes = Router::new().fallback(serve);
        let routes = routes.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
        let routes = routes.with_state(Arc::clone(&shelf));
        let running = CancellationToken::new();
        let ended = running.clone();
        TaskTracker::new().spawn(async move {
            let served = axum::serve(port, routes);
            ended.run_until_cancelled(served.into_future()).await
        });
        Self {
            address,
            shelf,
            _running: running.drop_guard(),
        }
    }

    /// What reaches it, as `AWS_…` names.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", signature::KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", signature::REGION.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    /// The same as a file has it.
    pub(crate) fn settings_file(&self) -> String {
        let lines = self.settings().into_iter();
        lines
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }

    /// Every object, by its name in the bucket.
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        shelf(&self.shelf).objects.clone()
    }

    /// Flips one bit in the middle of an object.
    pub(crate) fn flip(&self, name: &str) {
        let mut shelf = shelf(&self.shelf);
        let object = shelf.objects.get_mut(name).expect("it is there");
        let mut bytes = object.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        *object = bytes.into();
    }

    /// Refuses so many requests, as a store does that is asked too fast.
    pub(crate) fn refuse(&self, requests: usize) {
        shelf(&self.shelf).refusals = requests;
    }

    /// Requests that were refused so.
    pub(crate) fn refused(&self) -> usize {
        shelf(&self.shelf).refused
    }

    /// Uploads in parts that were completed, and those that were begun and left.
    pub(crate) fn uploads(&self) -> [usize; 2] {
        let shelf = shelf(&self.shelf);
        [shelf.joined, shelf.parts.len()]
    }
}

fn shelf(shelf: &Shared) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(shared): State<Shared>, head: Parts, body: Bytes) -> Response {
    if let Err(cause) = is_signed(&head, &body) {
        return error(StatusCode::FORBIDDEN, cause);
    }
    let mut shelf = shelf(&shared);
    if shelf.refusals > 0 {
        shelf.refusals -= 1;
        shelf.refused += 1;
        return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    }
    let path = head.uri.path().trim_start_matches('/');
    let (bucket, name) = path.split_once('/').unwrap_or((path, ""));
    if bucket != BUCKET {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let query = query(&head);
    match (&head.method, name) {
        (&Method::GET, "") => shelf.list(&query),
        (&Method::POST, "") if query.contains_key("delete") => shelf.delete_all(&body),
        (&Method::POST | &Method::PUT | &Method::DELETE, name)
            if query.contains_key("uploads") || query.contains_key("uploadId") =>
        {
            shelf.part(&head.method, name, &query, body)
        }
        (&Method::PUT, name) => shelf.put(name, &head.headers, body),
        (&Method::GET | &Method::HEAD, name) => shelf.get(&head.method, name),
        (&Method::DELETE, name) => {
            shelf.objects.remove(name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

impl Shelf {
    fn put(&mut self, name: &str, headers: &HeaderMap, body: Bytes) -> Response {
        if headers.contains_key(header::IF_NONE_MATCH) && self.objects.contains_key(name) {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        self.objects.insert(name.to_owned(), body);
        [(header::ETAG, "\"put\"")].into_response()
    }

    fn get(&self, method: &Method, name: &str) -> Response {
        let Some(object) = self.objects.get(name) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let told = [
            (header::ETAG, "\"put\"".to_owned()),
            (
                header::LAST_MODIFIED,
                "Fri, 27 Nov 2026 00:00:00 GMT".to_owned(),
            ),
            (header::CONTENT_LENGTH, object.len().to_string()),
        ];
        match method {
            &Method::HEAD => told.into_response(),
            _ => (told, object.clone()).into_response(),
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let value = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, after) = (value("prefix"), value("continuation-token"));
        let names = self.objects.iter();
        let mut names = names.filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
        let mut said = String::from("<ListBucketResult>");
        let page: Vec<_> = names.by_ref().take(PAGE).collect();
        for (name, object) in &page {
            let bytes = object.len();
            // Writing to a string cannot fail.
            let _ = write!(
                said,
                "<Contents><Key>{name}</Key><Size>{bytes}</Size>\
                 <LastModified>2026-11-27T00:00:00.000Z</LastModified></Contents>"
            );
        }
        if let (Some((last, _)), true) = (page.last(), names.next().is_some()) {
            let _ = write!(
                said,
                "<NextContinuationToken>{last}</NextContinuationToken>"
            );
        }
        said.push_str("</ListBucketResult>");
        said.into_response()
    }

    fn delete_all(&mut self, body: &Bytes) -> Response {
        let asked = String::from_utf8_lossy(body).into_owned();
        let keys = asked.split("<Key>").skip(1);
        let mut said = String::from("<DeleteResult>");
        for key in keys.filter_map(|rest| rest.split("</Key>").next()) {
            self.objects.remove(key);
            let _ = write!(said, "<Deleted><Key>{key}</Key></Deleted>");
        }
        said.push_str("</DeleteResult>");
        said.into_response()
    }

    fn part(
        &mut self,
        method: &Method,
        name: &str,
        query: &BTreeMap<String, String>,
        body: Bytes,
    ) -> Response {
        let Some(upload) = query.get("uploadId") else {
            self.uploads += 1;
            let id = format!("upload-{}", self.uploads);
            self.parts.insert(id.clone(), BTreeMap::new());
            return format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId>\
                 </InitiateMultipartUploadResult>"
            )
            .into_response();
        };
        let Some(parts) = self.parts.get_mut(upload) else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        match (method, query.get("partNumber")) {
            (&Method::PUT, Some(number)) => {
                let number: usize = number.parse().expect("a number");
                parts.insert(number, body);
                [(header::ETAG, format!("\"part-{number}\""))].into_response()
            }
            (&Method::DELETE, _) => {
                self.parts.remove(upload);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => self.join(upload, name),
        }
    }

    fn join(&mut self, upload: &str, name: &str) -> Response {
        let parts = self.parts.remove(upload).expect("it was found");
        let last = parts.len();
        if (parts.values().take(last.saturating_sub(1))).any(|part| part.len() < PART_BYTES_MIN) {
            return error(StatusCode::BAD_REQUEST, "EntityTooSmall");
        }
        let whole: Vec<u8> = parts.values().flatten().copied().collect();
        self.objects.insert(name.to_owned(), whole.into());
        self.joined += 1;
        "<CompleteMultipartUploadResult><ETag>\"put\"</ETag></CompleteMultipartUploadResult>"
            .into_response()
    }
}

fn error(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code></Error>")).into_response()
}
