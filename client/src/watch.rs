//! Watching a listing: a stream of server-sent events that goes on where it broke.
//!
//! It is opened as any read is asked, and again when it ends: with the id of the last event,
//! so that nothing is told twice and nothing missed for good, and at the other endpoints before
//! the one where it broke. A node is never quiet for long: one that is has gone.

mod events;
mod watching;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};

use crate::CallError;
use crate::client::Client;
use watching::Watching;

pub use events::WatchEvent;

/// Events of a listing, as they come. Dropping it ends it.
///
/// The stream goes on by itself where it breaks, or a node ends it, which is told by an event
/// `watch.ended`. Its last item is an error: a refusal, or that no endpoint was found within the
/// client's deadline, or that one stream after the other broke. [`Client::watch_after`] goes on
/// then.
pub struct Watch(BoxStream<'static, Result<WatchEvent, CallError>>);

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Watch").finish_non_exhaustive()
    }
}

impl Stream for Watch {
    type Item = Result<WatchEvent, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl Client {
    /// `GET /v1/listings/{id}/watch`, within the session: the listing as it stands, and then
    /// what becomes of it. States in between may be left out; of the listing's bookings only a
    /// node that votes on them tells.
    ///
    /// The session's token says what has been seen when the stream was opened, not what its
    /// events have shown: a region where it goes on may show an older state once more, before
    /// it has caught up.
    ///
    /// ```no_run
    /// # async fn example(client: meridian_client::Client) -> Result<(), meridian_client::CallError> {
    /// use futures::TryStreamExt;
    ///
    /// let mut events = client.watch("lst_x").await?;
    /// while let Some(event) = events.try_next().await? {
    ///     println!("{}: {}", event.event, event.data);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch(&self, id: &str) -> Result<Watch, CallError> {
        self.watch_behind(id, None).await
    }

    /// The same, behind an event of an earlier watch, by its id: what it has shown is not told
    /// again. An id that means nothing to the node is as none.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn watch_after(&self, id: &str, last: &str) -> Result<Watch, CallError> {
        self.watch_behind(id, Some(last)).await
    }

    async fn watch_behind(&self, id: &str, seen: Option<&str>) -> Result<Watch, CallError> {
        let path = format!("/v1/listings/{id}/watch");
        let watching = Watching::begin(self, path, seen).await?;
        let events = stream::try_unfold(watching, |mut watching| async move {
            let event = watching.next().await?;
            Ok(Some((event, watching)))
        });
        Ok(Watch(events.boxed()))
    }
}

#[cfg(test)]
mod tests;
