//! Serves the streams of one connection that a peer dialled.
//!
//! Invariant kept here: a request is read only once there is room for it, so that a
//! flood costs this node no memory; and whatever happens to a request, its stream is
//! answered or reset, and the connection stands.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::budget::{Budgets, Share, served};
use crate::frame::prefix;
use crate::greeting::Door;
use crate::peers::Peers;
use crate::wire::{Expected, HEAD_BYTES_MAX, Purpose, Status, greeted, welcome};
use crate::{Channel, FrameReader, FrameWriter, MeshService, NodeIdentity, Refusal, StreamError};

/// A request that has not arrived whole by then is given up: its sender has gone.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// A call still unanswered by then is dropped, so that a service that hangs cannot
/// fill its channel for ever. Longer than any caller waits.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// What every connection is served with.
#[derive(Clone)]
pub(crate) struct Server {
    service: Arc<dyn MeshService>,
    budgets: Arc<Budgets>,
    peers: Arc<Peers>,
    tracker: TaskTracker,
    // Cancelled once the endpoint is closed.
    closed: CancellationToken,
}

impl Server {
    pub(crate) fn new(
        service: Arc<dyn MeshService>,
        peers: &Arc<Peers>,
        tracker: &TaskTracker,
        closed: &CancellationToken,
    ) -> Self {
        Self {
            service,
            budgets: Arc::new(Budgets::new(served)),
            peers: Arc::clone(peers),
            tracker: tracker.clone(),
            closed: closed.clone(),
        }
    }

    /// Serves a peer's streams until the connection ends.
    pub(crate) async fn serve(&self, door: Door, peer: &NodeIdentity) {
        let door = Arc::new(door);
        while let Ok((send, receive)) = door.connection().accept_bi().await {
            let exchange = Exchange {
                peer: peer.clone(),
                service: Arc::clone(&self.service),
                budgets: Arc::clone(&self.budgets),
                peers: Arc::clone(&self.peers),
                door: Arc::clone(&door),
            };
            let closed = self.closed.clone();
            // At most STREAMS_MAX of these for each connection: QUIC's own limit.
            self.tracker.spawn(async move {
                let served = closed.run_until_cancelled(exchange.serve(send, receive));
                if let Some(Err(cause)) = served.await {
                    tracing::debug!(%cause, "a stream broke");
                }
            });
        }
    }
}

/// One stream that a peer opened.
struct Exchange {
    peer: NodeIdentity,
    service: Arc<dyn MeshService>,
    budgets: Arc<Budgets>,
    peers: Arc<Peers>,
    door: Arc<Door>,
}

/// A request for which there is room.
struct Admitted {
    channel: Channel,
    expected: Expected,
    request: Bytes,
    _request_share: Share,
    _bytes_share: Share,
}

/// Why there is no request to execute.
enum Unadmitted {
    /// The peer gets to hear this refusal.
    Answer(Status),
    /// It was a greeting, and the peer is let in.
    Welcome,
    /// There is nobody to tell.
    Broken(StreamError),
}

impl Exchange {
    async fn serve(self, send: SendStream, receive: RecvStream) -> Result<(), StreamError> {
        let mut reader = FrameReader::new(receive);
        let mut writer = FrameWriter::new(send);
        let admitted = timeout(REQUEST_DEADLINE, self.admit(&mut reader, &writer))
            .await
            .map_err(|_elapsed| StreamError::Broken("the request came too slowly".to_owned()))?;
        match admitted {
            Ok(admitted) => match admitted.expected {
                Expected::Answer => self.answer(admitted, &mut writer).await,
                Expected::Frames => self.stream(admitted, writer).await,
            },
            Err(Unadmitted::Answer(status)) => reply(&mut writer, status).await,
            Err(Unadmitted::Welcome) => {
                let welcome = welcome(&self.peers.introduction());
                writer.send_pieces([welcome]).await
            }
            Err(Unadmitted::Broken(cause)) => Err(cause),
        }
    }

    /// Reads a request, taking its share of the channel's budget before its bytes.
    async fn admit(
        &self,
        reader: &mut FrameReader,
        writer: &FrameWriter,
    ) -> Result<Admitted, Unadmitted> {
        let unsupported = || Unadmitted::Answer(Status::Refused(Refusal::Unsupported));
        let cut_short = || StreamError::Broken("the request was cut short".to_owned());
        if reader.announced().await?.ok_or_else(cut_short)? > HEAD_BYTES_MAX {
            return Err(unsupported());
        }
        let head = reader.next().await?.ok_or_else(cut_short)?;
        let purpose = Purpose::decode(head.clone()).ok_or_else(unsupported)?;
        writer.set_priority(purpose);
        let Purpose::Request { channel, expected } = purpose else {
            let theirs = greeted(head).ok_or_else(unsupported)?;
            // Who is not let in hears why by the end of its connection.
            return Err(
                match self.door.hear(&self.peers, &self.peer, theirs).await {
                    true => Unadmitted::Welcome,
                    false => Unadmitted::Answer(Status::Refused(Refusal::Unsupported)),
                },
            );
        };
        if !self.door.lets_in().await {
            return Err(Unadmitted::Answer(Status::Refused(Refusal::Unavailable)));
        }
        let request_share = self.budgets.request(channel)?;
        let bytes = reader.announced().await?.ok_or_else(cut_short)?;
        let bytes_share = self.budgets.bytes_now(channel, bytes)?;
        let request = reader.next().await?.ok_or_else(cut_short)?;
        Ok(Admitted {
            channel,
            expected,
            request,
            _request_share: request_share,
            _bytes_share: bytes_share,
        })
    }

    async fn answer(self, admitted: Admitted, writer: &mut FrameWriter) -> Result<(), StreamError> {
        let Admitted {
            channel, request, ..
        } = &admitted;
        // The service is called inside: a panic before its first await is caught too.
        let call = AssertUnwindSafe(async {
            let peer = self.peer.clone();
            self.service.call(peer, *channel, request.clone()).await
        });
        let status = match timeout(CALL_DEADLINE, call.catch_unwind()).await {
            Ok(Ok(Ok(answer))) => match prefix(answer.len()) {
                Ok(length) => {
                    let length = Bytes::copy_from_slice(&length);
                    let pieces = [Status::Accepted.to_frame(), length, answer];
                    return writer.send_pieces(pieces).await;
                }
                Err(cause) => {
                    self.log_failure(*channel, &cause.to_string());
                    Status::Failed
                }
            },
            Ok(Ok(Err(refusal))) => Status::Refused(refusal),
            Ok(Err(panic)) => {
                self.log_failure(*channel, &panic_message(&*panic));
                Status::Failed
            }
            Err(_elapsed) => {
                self.log_failure(*channel, "it did not end in time");
                Status::Failed
            }
        };
        reply(writer, status).await
    }

    async fn stream(self, admitted: Admitted, mut writer: FrameWriter) -> Result<(), StreamError> {
        reply(&mut writer, Status::Accepted).await?;
        let abandoned = writer.abandoned();
        let channel = admitted.channel;
        let stream = AssertUnwindSafe(async {
            let (peer, request) = (self.peer.clone(), admitted.request.clone());
            self.service.stream(peer, channel, request, writer).await;
        });
        tokio::select! {
            biased;
            // Also when the service has finished the stream and the peer has it all.
            () = abandoned => {}
            ended = stream.catch_unwind() => {
                if let Err(panic) = ended {
                    self.log_failure(channel, &panic_message(&*panic));
                }
            }
        }
        Ok(())
    }

    fn log_failure(&self, channel: Channel, cause: &str) {
        let channel = channel.name();
        tracing::error!(peer = %self.peer.node, channel, cause, "a request of a peer failed here");
    }
}

impl From<StreamError> for Unadmitted {
    fn from(cause: StreamError) -> Self {
        match cause {
            StreamError::TooLarge { .. } => Self::Answer(Status::TooLarge),
            StreamError::Broken(_) => Self::Broken(cause),
        }
    }
}

impl From<Refusal> for Unadmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(Status::Refused(refusal))
    }
}

async fn reply(writer: &mut FrameWriter, status: Status) -> Result<(), StreamError> {
    writer.send_pieces([status.to_frame()]).await
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    format!(
        "it panicked: {}",
        text.or_else(owned).unwrap_or("without a message")
    )
}
