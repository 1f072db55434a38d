//! HTTP over TCP, or over TLS where an endpoint's URL says so.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use http::header::{ACCEPT, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use super::{Lost, Reply, Request, Wire};
use crate::trust::Trust;

/// How long an endpoint may take to accept a connection: longer than any round trip,
/// short enough to try the next one within a call's deadline.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long a connection is kept for the next call: less than nodes keep theirs, so that no
/// call is sent into one that is being closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// How often a silent connection is asked whether somebody is there, and how long what was sent
/// may stay unacknowledged: streams are silent for long, and must not outlive their node.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// A pool of connections to all endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Http(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    pub(crate) fn new(trust: &Trust) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Self(pool)
    }
}

impl Wire for Http {
    fn exchange(&self, request: Request) -> BoxFuture<'static, Result<Reply, Lost>> {
        let pool = self.0.clone();
        Box::pin(async move {
            let request = built(request).map_err(Lost::NotSent)?;
            let response = pool.request(request).await.map_err(|cause| lost(&cause))?;
            let (head, body) = response.into_parts();
            Ok(Reply {
                status: head.status,
                headers: head.headers,
                body: Box::pin(body.into_data_stream().map_err(|cause| told(&cause))),
            })
        })
    }
}

fn built(request: Request) -> Result<http::Request<Full<Bytes>>, String> {
    // It writes what a URL may not contain as one may.
    let url = Url::parse(&request.url).map_err(|cause| format!("{}: {cause}", request.url))?;
    let body = Full::new(request.body.unwrap_or_default());
    let mut built = http::Request::new(body);
    *built.method_mut() = request.method;
    *built.uri_mut() = url
        .as_str()
        .parse()
        .map_err(|cause| format!("{url}: {cause}"))?;
    *built.headers_mut() = request.headers;
    let any = HeaderValue::from_static("*/*");
    built.headers_mut().entry(ACCEPT).or_insert(any);
    Ok(built)
}

fn lost(cause: &legacy::Error) -> Lost {
    if cause.is_connect() {
        Lost::NotSent(told(cause))
    } else {
        Lost::NoAnswer(told(cause))
    }
}

/// An error with its causes: the outermost one says little.
fn told(cause: &dyn Error) -> String {
    let mut told = cause.to_string();
    let mut source = cause.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}
