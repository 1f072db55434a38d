//! One client's connections, the same for every system that is measured: JSON over
//! HTTP/1.1, kept alive.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::Value;

/// Longer than any system answers: what is slower is a failure.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request, and what counts as its success.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Which endpoint takes it; by default the client's own.
    pub(crate) endpoint: Option<usize>,
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) expect: Expect,
}

/// What an answer has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A status of success.
    Success,
    /// Besides, that an etcd transaction took its first branch.
    Succeeded,
}

impl Request {
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            method: Method::POST,
            endpoint: None,
            path: path.into(),
            key: None,
            body: Some(body),
            expect: Expect::Success,
        }
    }
}

/// One client. It has one request under way, and so one connection to each endpoint
/// that it uses.
pub(crate) struct Connection {
    http: reqwest::Client,
    endpoints: Vec<String>,
    own: usize,
}

impl Connection {
    /// So many clients, spread evenly over the endpoints.
    pub(crate) fn spread(endpoints: &[String], count: usize) -> anyhow::Result<Vec<Self>> {
        (0..count)
            .map(|index| {
                Ok(Self {
                    http: reqwest::Client::builder()
                        .no_proxy()
                        .timeout(DEADLINE)
                        .build()?,
                    endpoints: endpoints.to_vec(),
                    own: index % endpoints.len().max(1),
                })
            })
            .collect()
    }

    /// Sends it once and reads the whole answer.
    pub(crate) async fn send(&self, request: &Request) -> anyhow::Result<Value> {
        let endpoint = request.endpoint.unwrap_or(self.own);
        let endpoint = self.endpoints.get(endpoint).context("no such endpoint")?;
        let url = format!("{endpoint}{}", request.path);
        let mut building = self.http.request(request.method.clone(), url);
        if let Some(key) = &request.key {
            building = building.header("Idempotency-Key", key);
        }
        if let Some(body) = &request.body {
            building = building.json(body);
        }
        let response = building.send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&bytes));
        }
        let body: Value = serde_json::from_slice(&bytes)?;
        if request.expect == Expect::Succeeded && body["succeeded"] != true {
            bail!("the night was taken: {body}");
        }
        Ok(body)
    }
}
