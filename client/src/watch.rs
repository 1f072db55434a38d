//! An open stream of server-sent events.

use std::fmt;

use bytes::Bytes;
use futures::TryStreamExt;

use crate::CallError;
use crate::attempt::Attempt;
use crate::call::Call;
use crate::client::Client;
use crate::wire::{Body, Reply};

/// What a node sends for as long as somebody listens. Dropping it ends it.
pub struct Watch(Body);

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// The next bytes, as they came; `None` when the node has ended the stream.
    ///
    /// # Errors
    /// [`CallError::Unknown`]: it broke. Open another one, which begins with the document.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        self.0.try_next().await.map_err(CallError::Unknown)
    }
}

impl Client {
    /// Opens a stream at the nearest endpoint that takes the request.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Watch, CallError> {
        let mut walk = self.walk(call.repeat, self.order());
        loop {
            let attempt = match walk.course.endpoint() {
                Some(endpoint) => {
                    self.attempt(endpoint, &call, walk.until, Reply::stream)
                        .await
                }
                None => Attempt::nobody_to_ask(),
            };
            match attempt.used(&self.session) {
                Ok(body) => return Ok(Watch(body)),
                Err(error) => walk.go_on(error).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests;
