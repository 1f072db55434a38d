//! An open stream of server-sent events.

use std::fmt;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use tokio::time::{Instant, timeout};

use crate::CallError;
use crate::call::Call;
use crate::client::Client;
use crate::roster::Failure;

/// What a node sends for as long as somebody listens. Dropping it ends it.
pub struct Watch(BoxStream<'static, Result<Bytes, String>>);

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
    /// Opens a stream at the first endpoint that takes the request.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Watch, CallError> {
        self.tend();
        let mut refused = CallError::Unreachable("no endpoint is configured".to_owned());
        for endpoint in self.order() {
            match self.open_at(&endpoint, &call).await {
                Err(CallError::Unreachable(cause)) => {
                    let now = Instant::now().into_std();
                    let mut roster = self.shared.roster();
                    roster.failed(&endpoint, Failure::Refused, now);
                    refused = CallError::Unreachable(cause);
                }
                opened => return opened,
            }
        }
        Err(refused)
    }

    async fn open_at(&self, endpoint: &str, call: &Call<'_>) -> Result<Watch, CallError> {
        let credential = self.shared.options.credential.as_ref();
        let carried = self.session.carried();
        let request = call.request(endpoint, carried.token(), credential)?;
        let opened = self.shared.wire.exchange(request);
        let reply = timeout(self.shared.options.attempt, opened)
            .await
            .map_err(|_late| CallError::Unknown("no answer in time".to_owned()))??;
        if reply.status.is_success() {
            return Ok(Watch(reply.body));
        }
        let refused = reply.read().await.err();
        Err(refused.unwrap_or_else(|| CallError::Decode("a refusal without a problem".to_owned())))
    }
}
