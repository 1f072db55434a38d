//! Where an event is taken to.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use super::progress::Delivery;

/// What came of one attempt.
pub(crate) type Sent = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Why an attempt failed, in words for whoever owns the destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// Of an error and its causes: the first alone says little.
    pub(super) fn of(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

/// A destination. An attempt that has succeeded is one that the destination has acknowledged.
pub(crate) trait Target: Send + Sync {
    /// Takes an event there, for the `number`-th time from 1. Ends in bounded time.
    fn send(&self, delivery: &Delivery, number: u32) -> Sent;
}
