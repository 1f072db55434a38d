//! A call: what is asked, and what may be done about its answer.

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use serde_json::Value;

use crate::CallError;
use crate::course::Repeat;
use crate::credential::Credential;
use crate::wire::Request;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const CONSISTENCY: HeaderName = HeaderName::from_static("meridian-consistency");
/// Carries a session there and back.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("meridian-session");

/// A request to be.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) key: Option<&'a str>,
    pub(crate) if_match: Option<&'a str>,
    pub(crate) consistency: Option<&'a str>,
    pub(crate) last_event_id: Option<&'a str>,
    pub(crate) repeat: Repeat,
    pub(crate) hedge: Hedge,
}

/// Whether a call may be sent twice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hedge {
    Never,
    /// A read that any region answers by itself.
    WhenSlow,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let repeat = if method == Method::GET {
            Repeat::Read
        } else {
            Repeat::Never
        };
        Self {
            method,
            path: path.into(),
            body: None,
            key: None,
            if_match: None,
            consistency: None,
            last_event_id: None,
            repeat,
            hedge: Hedge::Never,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self.repeat = Repeat::Keyed;
        self
    }

    pub(crate) fn hedged(mut self) -> Self {
        self.hedge = Hedge::WhenSlow;
        self
    }

    /// The request to one endpoint, within a session, by whoever the credential says.
    ///
    /// # Errors
    /// [`CallError::Unreachable`]: a value that no header can carry is sent to nobody.
    pub(crate) fn request(
        &self,
        endpoint: &str,
        token: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<Request, CallError> {
        let mut headers = HeaderMap::new();
        if let Some(credential) = credential {
            headers.insert(AUTHORIZATION, credential.header());
        }
        for (name, value) in [
            (IDEMPOTENCY_KEY, self.key),
            (IF_MATCH, self.if_match),
            (CONSISTENCY, self.consistency),
            (LAST_EVENT_ID, self.last_event_id),
            (SESSION, token),
        ] {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value)
                .map_err(|_| CallError::Unreachable(format!("no header can carry {name}")))?;
            headers.insert(name, value);
        }
        let body = self.body.as_ref().map(|body| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Bytes::from(body.to_string())
        });
        Ok(Request {
            method: self.method.clone(),
            url: format!("{endpoint}{}", self.path),
            headers,
            body,
        })
    }
}
