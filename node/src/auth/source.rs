//! Where keys of tokens come from: a file, or a URL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use meridian_transport::{TlsError, Trust, https_client};
use tokio::time::timeout;

use super::jwk::{KeySet, SET_BYTES_MAX, UnreadableSet};
use super::watched_file::{Unread, WatchedFile};

/// Time for a connection, and for the whole answer: tokens wait for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept: none is of use at the next round.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("auth.jwks_file {path}: {cause}")]
    File { path: PathBuf, cause: Unread },
    #[error("auth.jwks_url {url}: {cause}")]
    Url { url: Uri, cause: String },
    #[error("the keys at {place}: {cause}")]
    Unreadable { place: String, cause: UnreadableSet },
}

/// See the module.
pub(crate) enum KeySource {
    File(WatchedFile),
    Url(Box<KeyUrl>),
}

impl KeySource {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(WatchedFile::new(path, SET_BYTES_MAX))
    }

    /// # Errors
    /// [`TlsError`] if whom to trust cannot be read.
    pub(crate) fn url(url: Uri, trust: Trust<'_>) -> Result<Self, TlsError> {
        Ok(Self::Url(Box::new(KeyUrl::new(url, trust)?)))
    }

    /// The keys; `None` if they are those of the last time.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub(crate) async fn fetch(&mut self) -> Result<Option<KeySet>, Unavailable> {
        let (place, bytes) = match self {
            Self::File(file) => {
                let path = file.path().to_path_buf();
                let read = file.read().await;
                match read.map_err(|cause| Unavailable::File {
                    path: path.clone(),
                    cause,
                })? {
                    Some(bytes) => (path.display().to_string(), bytes),
                    None => return Ok(None),
                }
            }
            Self::Url(url) => (url.url.to_string(), url.get().await?),
        };
        KeySet::parse(&bytes)
            .map(Some)
            .map_err(|cause| Unavailable::Unreadable { place, cause })
    }
}

/// One URL, asked from time to time.
pub(crate) struct KeyUrl {
    url: Uri,
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl KeyUrl {
    fn new(url: Uri, trust: Trust<'_>) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(https_client(trust)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(Self { url, http })
    }

    /// Redirections are not followed: the configuration names the place itself.
    async fn get(&self) -> Result<Vec<u8>, Unavailable> {
        let failed = |cause: String| Unavailable::Url {
            url: self.url.clone(),
            cause,
        };
        let request = Request::get(self.url.clone())
            .header("accept", "application/json")
            .body(Empty::new())
            .map_err(|cause| failed(cause.to_string()))?;
        let exchange = async {
            let response = self.http.request(request).await;
            let response = response.map_err(|cause| told(&cause))?;
            if response.status() != StatusCode::OK {
                return Err(format!("answered with {}", response.status()));
            }
            let body = Limited::new(response.into_body(), SET_BYTES_MAX).collect();
            let body = body.await.map_err(|cause| cause.to_string())?;
            Ok(body.to_bytes().to_vec())
        };
        timeout(ANSWER_TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_late| Err("it has not answered in time".to_owned()))
            .map_err(failed)
    }
}

/// An error and its causes: the first alone says little.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
