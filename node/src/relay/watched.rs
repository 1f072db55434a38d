//! A stream of events that another node tells.
//!
//! What has come is taken off the link at once, so that a client that reads slowly holds up
//! nobody else's frames. A few events wait for it; one that is behind by more is cut off,
//! and goes on behind what it has seen (`Last-Event-ID`).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use meridian_regions::ShardId;
use meridian_transport::{Channel, FrameReader};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::wire::{Answered, Asked};
use super::{Outcome, Relay, Unanswered};
use crate::api::{Ending, ended};

/// Events that wait for a client, each at most some times as long as its document.
const WAITING_MAX: usize = 16;

impl Relay {
    /// Has a listing of a shard watched elsewhere, for a client that has a place here.
    ///
    /// # Errors
    /// [`Unanswered::NoHolder`].
    pub(crate) async fn watch(
        &self,
        shard: ShardId,
        asked: Asked,
        slot: OwnedSemaphorePermit,
    ) -> Result<Response, Unanswered> {
        let answer = self.watch_holders(shard, asked, slot).await;
        let is_answered = answer.is_ok();
        self.counts.add(if is_answered {
            Outcome::Answered
        } else {
            Outcome::NoHolder
        });
        answer
    }

    async fn watch_holders(
        &self,
        shard: ShardId,
        mut asked: Asked,
        slot: OwnedSemaphorePermit,
    ) -> Result<Response, Unanswered> {
        asked.give(self.patience);
        let request: Bytes = asked.encode_to_vec().into();
        for holder in self.holders(Some(shard)) {
            let opened = async {
                let opened = self
                    .mesh
                    .open_stream(holder, Channel::Watches, request.clone());
                let mut frames = opened.await.ok()?;
                let head = frames.next().await.ok()??;
                Some((Answered::decode(head).ok()?, frames))
            };
            if let Ok(Some((head, frames))) = timeout(self.patience, opened).await {
                let response = head.into_response(self.told(frames, slot));
                return response.ok_or(Unanswered::NoHolder);
            }
        }
        Err(Unanswered::NoHolder)
    }

    /// What comes, as a body.
    fn told(&self, frames: FrameReader, slot: OwnedSemaphorePermit) -> Body {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let stopping = self.stopping.clone();
        // Ends with the client, the holder, or the node; nothing is lost by it.
        self.tracker.spawn(hear(frames, sender, stopping));
        let told = futures::stream::unfold((receiver, slot), |(mut receiver, slot)| async move {
            let piece: Bytes = receiver.recv().await?;
            Some((Ok::<_, Infallible>(piece), (receiver, slot)))
        });
        Body::from_stream(told)
    }
}

/// Takes what comes, until somebody goes.
async fn hear(mut frames: FrameReader, client: mpsc::Sender<Bytes>, stopping: CancellationToken) {
    let ending = loop {
        let frame = tokio::select! {
            biased;
            () = stopping.cancelled() => break Ending::Stopping,
            () = client.closed() => return,
            frame = frames.next() => frame,
        };
        match frame {
            Ok(Some(frame)) => {
                if client.try_send(frame).is_err() {
                    // It has gone, or is too far behind.
                    return;
                }
            }
            // It has said why.
            Ok(None) => return,
            Err(_broken) => break Ending::Lost,
        }
    };
    // Who is behind finds out by the end.
    let _ = client.try_send(ended(ending));
}
