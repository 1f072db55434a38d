//! One request to a peer, from the caller's side.
//!
//! What may be concluded from a failure rests on this: a peer executes a request only
//! once it has the whole of it. So until the last byte has been handed to QUIC, the
//! request was surely not executed, and a write that is given up is reset, never
//! finished. From then on, only the peer's own word says that it was not.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use quinn::{Connection, WriteError};
use tokio::time::timeout;

use crate::budget::Share;
use crate::greeting::Introduction;
use crate::line::UnderWay;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::wire::{Expected, Purpose, Status, greeting, welcomed};
use crate::{CallError, Channel, FRAME_BYTES_MAX, FrameReader, FrameWriter, Refusal, StreamError};

/// How long a peer may take to say that it serves a stream: many of the longest round
/// trips.
const ACCEPT_DEADLINE: Duration = Duration::from_secs(5);

/// Why a stream ends that can be begun again on another line.
pub(crate) const REPLACED: &str = "its connection was replaced by another";

/// Calls a peer and waits for its answer, at most for `deadline`.
pub(crate) async fn call(
    peer: &Peer,
    channel: Channel,
    request: Bytes,
    deadline: Duration,
) -> Result<Bytes, CallError> {
    let started = Instant::now();
    let sent = send((peer, Way::Standing), channel, Expected::Answer, request);
    let mut sent = timeout(deadline, sent)
        .await
        .map_err(|_elapsed| CallError::NotSent("no room on the way in time".to_owned()))??;
    let answer = async {
        sent.accepted().await?;
        sent.answer().await
    };
    timeout(deadline.saturating_sub(started.elapsed()), answer)
        .await
        .unwrap_or_else(|_elapsed| Err(CallError::Unknown("no answer in time".to_owned())))
}

/// Asks a peer for a stream of frames, and waits until it has agreed.
pub(crate) async fn open_stream(
    (peers, peer): (&Peers, &Peer),
    channel: Channel,
    request: Bytes,
) -> Result<FrameReader, CallError> {
    if channel.resumes() && peer.lacks_a_line() && peer.early.is_there() {
        match open_early((peers, peer), channel, request.clone()).await {
            // It has let this node in, and does not hold streams until then, or no more of them.
            Err(CallError::Refused(Refusal::Unavailable)) => {}
            // The greeting was answered meanwhile.
            Err(CallError::NotSent(_)) if peer.connection().is_some() => {}
            opened => return opened,
        }
    }
    let started = Instant::now();
    let opened = send((peer, Way::Standing), channel, Expected::Frames, request);
    let mut sent = timeout(ACCEPT_DEADLINE, opened)
        .await
        .map_err(|_elapsed| CallError::NotSent("no room on the way in time".to_owned()))??;
    let within = ACCEPT_DEADLINE.saturating_sub(started.elapsed());
    let replaced = sent.under_way.replaced.clone();
    tokio::select! {
        biased;
        agreed = timeout(within, sent.accepted()) => agreed
            .map_err(|_elapsed| CallError::Unknown("the peer has not agreed in time".to_owned()))??,
        // The next line may be heard where this one is silent.
        () = replaced.cancelled(), if channel.resumes() => {
            return Err(CallError::Unknown(REPLACED.to_owned()));
        }
    }
    Ok(sent.into_stream(channel))
}

/// Asks a peer that is being greeted for a stream, and waits until both have let each other in
/// and it has agreed. Nothing that it sends is read before.
async fn open_early(
    (peers, peer): (&Peers, &Peer),
    channel: Channel,
    request: Bytes,
) -> Result<FrameReader, CallError> {
    let opened = async {
        let way = (peer, Way::BehindGreeting);
        let mut sent = send(way, channel, Expected::Frames, request).await?;
        let replaced = sent.under_way.replaced.clone();
        let agreed = async {
            peers.let_in(peer, &sent.connection).await?;
            sent.accepted().await
        };
        let agreed = replaced.run_until_cancelled(agreed).await;
        agreed.ok_or_else(|| CallError::Unknown(REPLACED.to_owned()))??;
        Ok(sent.into_stream(channel))
    };
    let late = || CallError::Unknown("the peer has not agreed in time".to_owned());
    let opened = timeout(ACCEPT_DEADLINE, opened).await;
    opened.unwrap_or_else(|_elapsed| Err(late()))
}

/// Tells the peer what this node speaks, and waits until it has let this node in; answers what
/// the peer speaks. In TLS 1.3 a client is done with its
/// handshake before the server has looked at its certificate.
pub(crate) async fn greet(
    connection: &Connection,
    introduction: &Introduction,
) -> Result<Introduction, CallError> {
    let told = Told {
        purpose: Purpose::Greeting,
        head: greeting(introduction),
        request: Bytes::new(),
    };
    let mut greeted = write(connection, told).await?;
    let head = reply_head(&mut greeted).await?;
    read_status(head.clone(), 0)?;
    welcomed(head).ok_or_else(unreadable)
}

/// What is written on a stream of its own.
struct Told {
    purpose: Purpose,
    head: Bytes,
    request: Bytes,
}

/// On which line to a peer a request goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The one that stands.
    Standing,
    /// The one on which the peer is being greeted.
    BehindGreeting,
}

impl Way {
    fn line(self, peer: &Peer) -> Result<(Connection, UnderWay), CallError> {
        let line = match self {
            Self::Standing => peer.line(),
            Self::BehindGreeting => peer.early.line(),
        };
        line.ok_or_else(|| CallError::unconnected(peer.identity.node))
    }
}

/// A request that the peer may have whole.
struct Sent {
    connection: Connection,
    replies: FrameReader,
    request_bytes: usize,
    request: Share,
    under_way: UnderWay,
    // Bytes count until the answer is there: they may wait in buffers until then.
    _bytes: Share,
}

impl Sent {
    async fn accepted(&mut self) -> Result<(), CallError> {
        accepted(&mut self.replies, self.request_bytes).await
    }

    async fn answer(&mut self) -> Result<Bytes, CallError> {
        self.replies
            .next()
            .await
            .map_err(unknown)?
            .ok_or_else(|| CallError::Unknown("the answer was cut short".to_owned()))
    }

    fn into_stream(self, channel: Channel) -> FrameReader {
        self.replies.hold(self.request, self.under_way, channel)
    }
}

/// Hands a whole request to the connection, within the budget of its channel. Until
/// this returns `Ok`, the peer cannot have the whole request.
async fn send(
    (peer, way): (&Peer, Way),
    channel: Channel,
    expected: Expected,
    request: Bytes,
) -> Result<Sent, CallError> {
    let request_bytes = request.len();
    if request_bytes > FRAME_BYTES_MAX {
        return Err(too_large(request_bytes));
    }
    drop(way.line(peer)?);
    let request_share = peer.budgets.request(channel)?;
    // Waits as it would for a full window; the caller's deadline bounds it.
    let bytes_share = peer.budgets.bytes(channel, request_bytes).await;
    let (connection, under_way) = way.line(peer)?;
    let purpose = Purpose::Request { channel, expected };
    let head = purpose.head(request_bytes);
    let told = Told {
        purpose,
        head: head.map_err(|_too_large| too_large(request_bytes))?,
        request,
    };
    let replies = write(&connection, told).await?;
    Ok(Sent {
        connection,
        replies,
        request_bytes,
        request: request_share,
        under_way,
        _bytes: bytes_share,
    })
}

async fn write(connection: &Connection, told: Told) -> Result<FrameReader, CallError> {
    let request_bytes = told.request.len();
    // Budgets keep streams below the peer's limit. What still fills it are requests
    // that were given up here and are not yet done there: no use in queueing more.
    let opened = connection.open_bi().now_or_never();
    let (send, receive) = opened
        .ok_or(Refusal::Overloaded)?
        .map_err(|cause| CallError::NotSent(cause.to_string()))?;
    let mut writer = FrameWriter::new(send);
    writer.set_priority(told.purpose);
    let mut replies = FrameReader::new(receive);
    match writer.write([told.head, told.request]).await {
        // Dropping the writer finishes the request.
        Ok(()) => Ok(replies),
        // The peer has refused early and says why; if not, it lacks a part of it.
        Err(WriteError::Stopped(_)) => match accepted(&mut replies, request_bytes).await {
            Err(refused @ (CallError::Refused(_) | CallError::TooLarge { .. })) => Err(refused),
            Ok(()) | Err(_) => Err(CallError::NotSent("the peer stopped reading".to_owned())),
        },
        Err(cause) => Err(CallError::NotSent(cause.to_string())),
    }
}

/// Reads the head of the reply.
async fn accepted(replies: &mut FrameReader, request_bytes: usize) -> Result<(), CallError> {
    let head = reply_head(replies).await?;
    read_status(head, request_bytes)
}

async fn reply_head(replies: &mut FrameReader) -> Result<Bytes, CallError> {
    let head = replies.next().await.map_err(unknown)?;
    head.ok_or_else(|| CallError::Unknown("the peer has not answered".to_owned()))
}

fn read_status(head: Bytes, request_bytes: usize) -> Result<(), CallError> {
    let status = Status::decode(head).ok_or_else(unreadable)?;
    status.into_result(request_bytes)
}

fn unreadable() -> CallError {
    CallError::Unknown("the peer answered something unreadable".to_owned())
}

fn unknown(cause: StreamError) -> CallError {
    CallError::Unknown(cause.to_string())
}

const fn too_large(bytes: usize) -> CallError {
    CallError::TooLarge {
        bytes,
        limit: FRAME_BYTES_MAX,
    }
}
