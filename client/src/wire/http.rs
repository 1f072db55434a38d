//! HTTP over TCP.

use std::error::Error;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::BoxFuture;
use reqwest::Response;

use super::{Lost, Reply, Request, Wire};

/// How long an endpoint may take to accept a connection: longer than any round trip,
/// short enough to try the next one within a call's deadline.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long a connection is kept for the next call: less than nodes keep theirs, so that no
/// call is sent into one that is being closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A pool of connections to all endpoints.
#[derive(Debug)]
pub(crate) struct Http(reqwest::Client);

impl Http {
    /// # Errors
    /// What the system's HTTP stack says.
    pub(crate) fn new() -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder().no_proxy();
        let builder = builder.pool_idle_timeout(IDLE_MAX);
        builder.connect_timeout(CONNECT_MAX).build().map(Self)
    }
}

impl Wire for Http {
    fn exchange(&self, request: Request) -> BoxFuture<'static, Result<Reply, Lost>> {
        let asked = self.0.request(request.method, request.url);
        let mut asked = asked.headers(request.headers);
        if let Some(body) = request.body {
            asked = asked.body(body);
        }
        Box::pin(async move { asked.send().await.map(reply).map_err(|cause| lost(&cause)) })
    }
}

/// The answer that a response begins.
pub(crate) fn reply(response: Response) -> Reply {
    Reply {
        status: response.status(),
        headers: response.headers().clone(),
        body: Box::pin(response.bytes_stream().map_err(|cause| told(&cause))),
    }
}

fn lost(cause: &reqwest::Error) -> Lost {
    if cause.is_connect() || cause.is_builder() {
        Lost::NotSent(told(cause))
    } else {
        Lost::NoAnswer(told(cause))
    }
}

/// An error with its causes: the outermost one names the URL only.
fn told(cause: &reqwest::Error) -> String {
    let mut told = cause.to_string();
    let mut source = cause.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}
