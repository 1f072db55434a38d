//! Webhooks: one POST for each event, signed.
//!
//! CloudEvents in structured mode, so that all of an event is under the signature. Redirects are
//! not followed, answers are read up to a bound and thrown away, and a connection is made only
//! to an address that was looked at ([`address`]).

mod address;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use axum::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use meridian_client::webhook::{SIGNATURE_HEADER, sign};
use meridian_transport::{TlsError, Trust, https_client};
use serde_json::Value;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::progress::Delivery;
use super::target::{Failure, Sent, Target};
use crate::clock::Clock;
use resolver::Guarded;

pub(crate) use address::Refused;

/// The media type of an event in structured mode.
const CLOUD_EVENT: &str = "application/cloudevents+json";
/// Header that tells the how manieth attempt this is.
const ATTEMPT_HEADER: &str = "Meridian-Attempt";
/// What is read of an answer, so that its connection can be used again. Nobody sees it.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// How long a connection is kept for the next event.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Connections kept to one host.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// Sends to every webhook. Clones share connections.
#[derive(Clone)]
pub(crate) struct WebhookSender {
    http: Client<HttpsConnector<HttpConnector<Guarded>>, Full<Bytes>>,
    clock: Clock,
    deadline: Duration,
    private: Private,
}

/// Whether addresses of private networks and of this machine may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Private {
    Allowed,
    Refused,
}

impl WebhookSender {
    /// # Errors
    /// [`TlsError`] if a TLS configuration cannot be made.
    pub(crate) fn new(
        clock: Clock,
        deadline: Duration,
        private: Private,
    ) -> Result<Self, TlsError> {
        let tls = match https_client(Trust::Machine) {
            Err(TlsError::NoAuthorities) => {
                tracing::warn!("this machine trusts no authority: https webhooks will fail");
                https_client(Trust::Nobody)
            }
            other => other,
        }?;
        let mut tcp = HttpConnector::new_with_resolver(Guarded(private));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Ok(Self {
            http,
            clock,
            deadline,
            private,
        })
    }

    /// Whether a webhook may stand at this address.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub(crate) fn check(&self, url: &str) -> Result<Uri, Refused> {
        address::check(url, self.private)
    }

    /// Takes one event to a webhook.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        event: &Value,
        number: u32,
    ) -> Result<StatusCode, Failure> {
        let url = self
            .check(&endpoint.url)
            .map_err(|refused| Failure::of(&refused))?;
        let body = Bytes::from(event.to_string());
        let seconds = self.clock.now().as_millis() / 1_000;
        let signature = sign(&endpoint.secret, seconds, &body);
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(CONTENT_TYPE, CLOUD_EVENT)
            .header(USER_AGENT, concat!("meridian/", env!("CARGO_PKG_VERSION")))
            .header(SIGNATURE_HEADER, signature)
            .header(ATTEMPT_HEADER, HeaderValue::from(number))
            .body(Full::new(body))
            .map_err(|cause| Failure::of(&cause))?;
        let exchange = async {
            let response = self.http.request(request).await;
            let response = response.map_err(|cause| Failure::of(&cause))?;
            let status = response.status();
            // Taken is what the status says, whatever follows it.
            let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await;
            Ok(status)
        };
        let status = timeout(self.deadline, exchange)
            .await
            .unwrap_or_else(|_late| Err(Failure(format!("no answer in {:?}", self.deadline))))?;
        if status.is_success() {
            return Ok(status);
        }
        let what = if status.is_redirection() {
            "redirects are not followed: register the address that it leads to"
        } else {
            "only 2xx means that the event was taken"
        };
        Err(Failure(format!("answered {}: {what}", status.as_u16())))
    }
}

/// One endpoint, as a pump sees it.
pub(super) struct Webhook {
    pub(super) sender: WebhookSender,
    pub(super) endpoint: Arc<Endpoint>,
}

impl Target for Webhook {
    fn send(&self, delivery: &Delivery, number: u32) -> Sent {
        let (sender, endpoint) = (self.sender.clone(), Arc::clone(&self.endpoint));
        let event = delivery.cloud_event();
        Box::pin(async move {
            sender
                .post(&endpoint, &event, number)
                .await
                .map(|_taken| ())
        })
    }
}
