//! A bound on how long a request's body may take: while it comes, it holds a place
//! that another request could have.

use axum::body::{Body, HttpBody};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
#[error("the body took too long")]
struct TooSlow;

/// The same body, which fails if it has not come whole by `until`.
pub(crate) fn within(body: Body, until: Instant) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let pieces = futures::stream::unfold(Some(body.into_data_stream()), move |rest| async move {
        let mut rest = rest?;
        match timeout_at(until, rest.next()).await {
            Ok(piece) => Some((piece?, Some(rest))),
            Err(_elapsed) => Some((Err(axum::Error::new(TooSlow)), None)),
        }
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, Bytes, to_bytes};
    use futures::{StreamExt, stream};
    use tokio::time::Instant;

    use super::within;

    #[tokio::test]
    async fn body_that_never_ends_is_given_up() {
        let first = stream::iter([Ok::<_, axum::Error>(Bytes::from_static(b"{"))]);
        let slow = Body::from_stream(first.chain(stream::pending()));
        let until = Instant::now() + Duration::from_millis(20);
        assert!(to_bytes(within(slow, until), 1_024).await.is_err());
    }

    #[tokio::test]
    async fn body_in_time_arrives_whole() {
        let until = Instant::now() + Duration::from_secs(60);
        let body = within(Body::from("{}"), until);
        assert_eq!(to_bytes(body, 1_024).await.expect("whole"), "{}");
        let none = within(Body::empty(), until);
        assert!(to_bytes(none, 1_024).await.expect("empty").is_empty());
    }
}
