//! A request to the fake, taken apart.

use http::Method;
use http::header::{AsHeaderName, HeaderMap};
use serde_json::Value;
use url::Url;

use super::refusal::Refusal;
use super::whole;
use crate::wire::Request;

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Value,
    pub(super) key: Option<String>,
    pub(super) if_match: Option<String>,
    /// Number of the last write that the session has seen.
    pub(super) seen: u64,
    /// Whether the session is waived.
    pub(super) eventual: bool,
}

impl Asked {
    pub(super) fn parse(request: &Request) -> Result<Self, Refusal> {
        let url = Url::parse(&request.url).map_err(|_| Refusal::not_found("no such path"))?;
        let mut body = match &request.body {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|cause| Refusal::field("", format!("the body: {cause}")))?,
        };
        whole::as_meant(&mut body);
        let header = |name| text(&request.headers, name);
        let token = header("meridian-session");
        let seen = token.as_deref().map_or(Some(0), number_of);
        let seen = seen.ok_or_else(|| {
            let detail = "Meridian-Session is not a token of this fake";
            Refusal::new(422, "validation", detail)
        })?;
        Ok(Self {
            method: request.method.clone(),
            body,
            key: header("idempotency-key"),
            if_match: header("if-match"),
            seen,
            eventual: header("meridian-consistency").as_deref() == Some("eventual"),
            url,
        })
    }

    /// The path after `/v1`, in parts.
    pub(super) fn path(&self) -> Vec<&str> {
        let parts = self.url.path_segments().into_iter().flatten();
        parts.skip_while(|part| *part != "v1").skip(1).collect()
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        let found = pairs.find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// What a key is bound to.
    pub(super) fn print(&self) -> String {
        format!("{} {} {}", self.method, self.url.path(), self.body)
    }
}

/// A token that has seen so many writes.
pub(super) fn token(written: u64) -> String {
    format!("fake-{written}")
}

fn number_of(token: &str) -> Option<u64> {
    token.strip_prefix("fake-")?.parse().ok()
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
