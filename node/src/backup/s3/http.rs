//! Connections to stores: those of the rest of the node, and no others.
//!
//! `object_store` would bring a client of its own and with it a second crypto provider (ADR 5).
//! What it asks for is small: one request, one answer, and a word on what may be tried again.
//! Every wait has an end; a request that has one is `object_store`'s to repeat.

use std::error::Error;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use meridian_transport::{TlsError, Trust, https_client};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

/// Time for a connection: a store answers from anywhere in that.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Time until an answer begins: the request may carry some megabytes over a slow link, and the
/// store makes them durable.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Time between two pieces of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a connection is kept: files follow each other faster.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub(super) struct Connector {
    tls: ClientConfig,
}

impl Connector {
    /// # Errors
    /// [`TlsError`] if whom to trust cannot be read.
    pub(super) fn new(trust: Trust<'_>) -> Result<Self, TlsError> {
        let tls = https_client(trust)?;
        Ok(Self { tls })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let builder = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone());
        let builder = match allowed.as_deref() {
            Some("true") => builder.https_or_http(),
            _ => builder.https_only(),
        };
        let connector = builder.enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(HttpClient::new(Store(client)))
    }
}

#[derive(Debug)]
struct Store(Client<HttpsConnector<Tcp>, HttpRequestBody>);

impl HttpService for Store {
    fn call<'service, 'call>(
        &'service self,
        request: HttpRequest,
    ) -> BoxFuture<'call, Result<HttpResponse, HttpError>>
    where
        'service: 'call,
        Self: 'call,
    {
        async move {
            let answer = timeout(ANSWER_MAX, self.0.request(request)).await;
            let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
            let (head, body) = answer.map_err(failed)?.into_parts();
            let frames = futures::stream::unfold(body, |mut body| async move {
                let frame = match timeout(SILENCE_MAX, body.frame()).await {
                    Ok(frame) => frame?.map_err(failed),
                    Err(late) => Err(HttpError::new(HttpErrorKind::Timeout, late)),
                };
                Some((frame, body))
            });
            let body = HttpResponseBody::new(StreamBody::new(frames.fuse()));
            Ok(HttpResponse::from_parts(head, body))
        }
        .boxed()
    }
}

/// What has failed, as far as it matters for another try.
fn failed(cause: impl Error + Send + Sync + 'static) -> HttpError {
    let mut told = cause.to_string();
    let mut fault = None;
    let mut source = cause.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(told, ": {cause}");
        let io = cause.downcast_ref::<std::io::Error>();
        fault = fault.or(io.map(std::io::Error::kind));
        source = cause.source();
    }
    let kind = match fault {
        Some(ErrorKind::TimedOut) => HttpErrorKind::Timeout,
        // Also where TLS fails: it will fail the same way, for as long as tries are made.
        Some(ErrorKind::InvalidData | ErrorKind::Unsupported) => HttpErrorKind::Unknown,
        // Nothing is known of what the store has done: what may be repeated is.
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, std::io::Error::other(told))
}
