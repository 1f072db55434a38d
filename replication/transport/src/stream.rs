//! The two ends of a stream of frames.
//!
//! What they are not: they know no request and no status. Invariant kept here: a
//! reader never takes a stream that was cut short for one that was finished.

use std::time::Duration;

use bytes::Bytes;
use futures::future::Either;
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::budget::Share;
use crate::call::REPLACED;
use crate::frame::{FrameDecoder, prefix};
use crate::line::UnderWay;
use crate::wire::Purpose;
use crate::{Channel, StreamError};

/// Pieces taken from QUIC at once, each a packet's worth: fewer visits to the
/// connection's lock, and no more than about 20 KiB read ahead.
const PIECES_MAX: usize = 16;
/// A reader that takes nothing for this long is stuck, and the stream is given up.
/// Long beside a pause for compaction, short beside an operator's patience.
const STALL_DEADLINE: Duration = Duration::from_secs(60);
/// Tells a reader that the rest will not come.
const RESET_CUT_SHORT: u32 = 1;

/// Reads the frames of one stream. Dropping it tells the peer to stop.
#[derive(Debug)]
pub struct FrameReader {
    source: Source,
    decoder: FrameDecoder,
    // The caller's share of its budget, given back when the stream is done.
    held: Option<(Share, UnderWay)>,
    // Of a stream that is begun again where it was: whether it is to give way.
    gives_way: Option<CancellationToken>,
}

#[derive(Debug)]
enum Source {
    Quic(RecvStream),
    Frames(mpsc::Receiver<Result<Bytes, StreamError>>),
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self::of(Source::Quic(stream))
    }

    /// Reads what comes through a channel: for links that are not QUIC's. A sender that
    /// goes has finished the stream.
    #[must_use]
    pub fn over(frames: mpsc::Receiver<Result<Bytes, StreamError>>) -> Self {
        Self::of(Source::Frames(frames))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            decoder: FrameDecoder::default(),
            held: None,
            gives_way: None,
        }
    }

    /// Keeps a share of the budget, and the line, for as long as the stream is read. One that
    /// resumes gives way once the line has been replaced.
    pub(crate) fn hold(mut self, share: Share, under_way: UnderWay, channel: Channel) -> Self {
        self.gives_way = channel.resumes().then(|| under_way.replaced.clone());
        self.held = Some((share, under_way));
        self
    }

    /// The next frame; `None` once the peer has finished the stream.
    ///
    /// Waits for as long as the connection stands, which ends by its idle timeout if
    /// the peer is gone. Cancel-safe: what has arrived is kept for the next call.
    ///
    /// # Errors
    /// [`StreamError`] if the stream breaks, ends inside a frame, or a frame is too
    /// long. After an error the stream is of no more use.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            if self.read_or_give_way().await? {
                continue;
            }
            if self.decoder.is_inside_frame() {
                return Err(StreamError::Broken("it ended inside a frame".to_owned()));
            }
            return Ok(None);
        }
    }

    /// Length of the frame that comes next, in bytes, before the frame itself is
    /// read; `None` once the peer has finished the stream. Cancel-safe.
    pub(crate) async fn announced(&mut self) -> Result<Option<usize>, StreamError> {
        loop {
            if let Some(length) = self.decoder.announced()? {
                return Ok(Some(length));
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    /// The same as [`FrameReader::read_more`], unless the stream is to give way. It does also inside
    /// a frame, which may stay unfinished on a line that is silent, and comes again on the next.
    async fn read_or_give_way(&mut self) -> Result<bool, StreamError> {
        let Some(replaced) = self.gives_way.clone() else {
            return self.read_more().await;
        };
        tokio::select! {
            biased;
            () = replaced.cancelled() => Err(StreamError::Broken(REPLACED.to_owned())),
            more = self.read_more() => more,
        }
    }

    /// Takes what has arrived; `false` once nothing more will come.
    async fn read_more(&mut self) -> Result<bool, StreamError> {
        let stream = match &mut self.source {
            Source::Quic(stream) => stream,
            Source::Frames(frames) => {
                let Some(frame) = frames.recv().await.transpose()? else {
                    return Ok(false);
                };
                self.decoder.push(&prefix(frame.len())?);
                self.decoder.push(&frame);
                return Ok(true);
            }
        };
        let mut pieces: [Bytes; PIECES_MAX] = Default::default();
        let read = stream.read_chunks(&mut pieces).await;
        let Some(count) = read.map_err(|cause| read_broken(&cause))? else {
            return Ok(false);
        };
        for piece in &pieces[..count] {
            self.decoder.push(piece);
        }
        Ok(true)
    }
}

/// Writes frames to one stream. Dropping it finishes the stream, unless a panic or
/// a torn frame is the reason: then the reader is told that it was cut short.
#[derive(Debug)]
pub struct FrameWriter {
    sink: Sink,
    state: WriterState,
}

#[derive(Debug)]
enum Sink {
    Quic(SendStream),
    Frames(mpsc::Sender<Bytes>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterState {
    BetweenFrames,
    /// A write was begun and not seen through.
    InsideFrame,
}

impl FrameWriter {
    pub(crate) const fn new(stream: SendStream) -> Self {
        Self {
            sink: Sink::Quic(stream),
            state: WriterState::BetweenFrames,
        }
    }

    /// Writes into a channel: for links that are not QUIC's. Dropping the writer closes it.
    #[must_use]
    pub const fn over(frames: mpsc::Sender<Bytes>) -> Self {
        Self {
            sink: Sink::Frames(frames),
            state: WriterState::BetweenFrames,
        }
    }

    /// Sends a frame; waits while the peer's window is full, at most a minute.
    ///
    /// Not cancel-safe: dropped while it waits, it tears the frame, and the stream
    /// is of no more use.
    ///
    /// # Errors
    /// [`StreamError`] if the peer has gone, has stopped reading or takes nothing,
    /// or if the frame is too long. After [`StreamError::TooLarge`] the stream stands.
    pub async fn send(&mut self, frame: Bytes) -> Result<(), StreamError> {
        let prefix = prefix(frame.len())?;
        if let Sink::Frames(frames) = &self.sink {
            let sent = timeout(STALL_DEADLINE, frames.send(frame)).await;
            return match sent {
                Ok(Ok(())) => Ok(()),
                _ => Err(StreamError::Broken("the peer takes nothing".to_owned())),
            };
        }
        self.send_pieces([Bytes::copy_from_slice(&prefix), frame])
            .await
    }

    /// Sends pieces that together are whole frames. Bounded and not cancel-safe, as
    /// [`FrameWriter::send`].
    pub(crate) async fn send_pieces<const N: usize>(
        &mut self,
        pieces: [Bytes; N],
    ) -> Result<(), StreamError> {
        timeout(STALL_DEADLINE, self.write(pieces))
            .await
            .map_err(|_elapsed| StreamError::Broken("the peer takes nothing".to_owned()))?
            .map_err(|cause| StreamError::Broken(cause.to_string()))
    }

    /// As [`FrameWriter::send_pieces`], for callers with a deadline of their own.
    pub(crate) async fn write<const N: usize>(
        &mut self,
        mut pieces: [Bytes; N],
    ) -> Result<(), WriteError> {
        let (Sink::Quic(stream), WriterState::BetweenFrames) = (&mut self.sink, self.state) else {
            return Err(WriteError::ClosedStream);
        };
        self.state = WriterState::InsideFrame;
        stream.write_all_chunks(&mut pieces).await?;
        self.state = WriterState::BetweenFrames;
        Ok(())
    }

    pub(crate) fn set_priority(&self, purpose: Purpose) {
        if let Sink::Quic(stream) = &self.sink {
            // Fails only on a stream that has ended, which the next write finds out.
            let _ = stream.set_priority(purpose.priority());
        }
    }

    /// Ends once the peer has stopped reading or the connection is lost.
    pub(crate) fn abandoned(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = match &self.sink {
            Sink::Quic(stream) => Either::Left(stream.stopped()),
            Sink::Frames(frames) => Either::Right(frames.clone()),
        };
        async move {
            match stopped {
                // Why the peer has gone makes no difference to a service.
                Either::Left(stopped) => drop(stopped.await),
                Either::Right(frames) => frames.closed().await,
            }
        }
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        if let Sink::Quic(stream) = &mut self.sink
            && (std::thread::panicking() || self.state == WriterState::InsideFrame)
        {
            // Fails only on a stream that has ended: then the reader knows.
            let _ = stream.reset(RESET_CUT_SHORT.into());
        }
    }
}

fn read_broken(cause: &ReadError) -> StreamError {
    StreamError::Broken(match cause {
        ReadError::Reset(_) => "the peer cut it short".to_owned(),
        other => other.to_string(),
    })
}
