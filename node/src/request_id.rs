//! The id that ties a request's answer, log lines and traces together.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderValue;

/// Longest id that a client may bring.
const LENGTH_MAX: usize = 64;

/// A request's id: the client's own if it brought a usable one, else a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// Takes the client's id where it is short and harmless in a log line.
    pub(crate) fn from_header(header: Option<&HeaderValue>) -> Self {
        Self::from_text(header.and_then(|value| value.to_str().ok()).unwrap_or(""))
    }

    /// Takes an id as it came from outside, where it is short and harmless in a log
    /// line; else makes a new one.
    pub(crate) fn from_text(text: &str) -> Self {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(harmless) {
            Self(text.into())
        } else {
            Self::generate()
        }
    }

    /// A new one, for what no client has asked for.
    pub(crate) fn generate() -> Self {
        Self(format!("req_{:032x}", rand::random::<u128>()).into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderValue, RequestId};

    #[test]
    fn usable_id_of_the_client_is_kept_and_others_are_replaced() {
        let kept = HeaderValue::from_static("abc-123_x.y");
        assert_eq!(RequestId::from_header(Some(&kept)).as_str(), "abc-123_x.y");
        for refused in ["", "with space", "a\tb", &"x".repeat(65)] {
            let header = HeaderValue::from_str(refused).expect("a header value");
            assert!(
                RequestId::from_header(Some(&header))
                    .as_str()
                    .starts_with("req_")
            );
        }
    }
}
