//! One question to the provider and its answer, by HTTP or HTTPS.
//!
//! Apart from the SDK's HTTP client, which is built without TLS: with it that client would
//! take a process-wide crypto provider, which ADR 5 rules out.

use std::error::Error;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use meridian_trace::Trace;
use meridian_transport::{TlsError, Trust, https_client};
use tokio::time::timeout;

use super::Secret;
use crate::payments::PaymentError;
use crate::traces::TRACEPARENT;

/// Time for a connection: a provider that is down is found out early.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for one answer, connection and TLS included. The driver's own deadline may be
/// shorter.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is kept for the next question: less than servers keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes; Stripe's have a few thousand.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What is answered, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// The way to one provider. Clones share connections.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    secret: Secret,
}

impl Wire {
    /// # Errors
    /// [`TlsError`] if whom to trust cannot be read.
    pub(super) fn new(url: &str, secret: Secret, trust: Trust<'_>) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(https_client(trust)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            secret,
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, PaymentError> {
        let request = Request::builder().method(Method::GET);
        self.send(request.uri(self.uri(path)), Bytes::new()).await
    }

    /// Posts a form under an idempotency key.
    pub(super) async fn post(
        &self,
        path: &str,
        form: &[(&str, String)],
        key: &str,
    ) -> Result<Answer, PaymentError> {
        let body = serde_urlencoded::to_string(form)
            .map_err(|cause| PaymentError::Refused(cause.to_string()))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri(path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("Idempotency-Key", key);
        self.send(request, body.into()).await
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Whatever goes wrong on the way leaves open what was done.
    async fn send(
        &self,
        mut request: axum::http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, PaymentError> {
        if let Some(traceparent) = Trace::current().traceparent() {
            request = request.header(TRACEPARENT, traceparent);
        }
        // A key that is no header value, or an id that is no path: nothing was sent.
        let refused = |cause: axum::http::Error| PaymentError::Refused(cause.to_string());
        let request = request
            .header(AUTHORIZATION, self.bearer()?)
            .body(Full::new(body))
            .map_err(refused)?;
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(|cause| told(&cause))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect();
            let body = body.await.map_err(|cause| told(cause.as_ref()))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        timeout(ANSWER_TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_late| Err("it is late".to_owned()))
            .map_err(PaymentError::Unknown)
    }

    fn bearer(&self) -> Result<HeaderValue, PaymentError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.secret.reveal()))
            .map_err(|_not_shown| PaymentError::Refused("its key is no header value".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// An error and its causes: the first alone says little.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
