//! How one request comes to one endpoint, and its answer back.
//!
//! The only way out of this crate for calls to the client API. It repeats nothing and
//! judges nothing; it keeps apart what was surely not sent and what may have been.

mod tcp;

use std::fmt::Debug;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::header::HeaderMap;
use http::{Method, StatusCode};

pub(crate) use tcp::Http;

use crate::CallError;

/// Longest answer that is read, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Endpoint, path and query.
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// What comes piece by piece; an error says why nothing more comes.
pub(crate) type Body = BoxStream<'static, Result<Bytes, String>>;

/// An answer whose body is yet to come.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nobody took the request: it was surely not executed.
    NotSent(String),
    /// It was sent, or partly: it may have been executed.
    NoAnswer(String),
}

/// Whatever carries requests to endpoints.
pub(crate) trait Wire: Debug + Send + Sync {
    /// Sends once. Dropping the future gives the answer up, not the request.
    fn exchange(&self, request: Request) -> BoxFuture<'static, Result<Reply, Lost>>;
}

impl From<Lost> for CallError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::NotSent(cause) => Self::Unreachable(cause),
            Lost::NoAnswer(cause) => Self::Unknown(cause),
        }
    }
}

impl Reply {
    /// Reads the body to its end, if it is not too long.
    pub(crate) async fn bytes(&mut self) -> Result<Vec<u8>, CallError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.body.try_next().await.map_err(CallError::Unknown)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(CallError::Decode(format!(
                    "it is longer than {ANSWER_BYTES_MAX} bytes"
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
pub(crate) mod scripted;
