//! Frames on a stream: four bytes of length, big-endian, then that many bytes.

use bytes::Bytes;
use quinn::{RecvStream, SendStream};

use crate::{Channel, StreamError};

/// Longest frame, in bytes: a snapshot of the largest ledger fits, and a peer can
/// make us hold no more than this for each of its streams.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads frames of one stream. Not cancel-safe inside a frame: drop it after an
/// interrupted read.
#[derive(Debug)]
pub struct FrameReader {
    stream: RecvStream,
}

impl FrameReader {
    pub(crate) const fn new(stream: RecvStream) -> Self {
        Self { stream }
    }

    /// The next frame; `None` once the peer has finished the stream.
    ///
    /// # Errors
    /// [`StreamError`] if the stream breaks or a frame is too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length).await {
            Ok(()) => {}
            Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
            Err(cause) => return Err(StreamError::Broken(cause.to_string())),
        }
        let length = announced(length)?;
        // Grown as bytes arrive: a length alone makes us allocate nothing.
        let mut frame = Vec::new();
        while frame.len() < length {
            let chunk = self
                .stream
                .read_chunk(length - frame.len(), true)
                .await
                .map_err(|cause| StreamError::Broken(cause.to_string()))?
                .ok_or_else(|| StreamError::Broken("it ended inside a frame".to_owned()))?;
            if frame.is_empty() && chunk.bytes.len() == length {
                return Ok(Some(chunk.bytes));
            }
            frame.extend_from_slice(&chunk.bytes);
        }
        Ok(Some(frame.into()))
    }

    pub(crate) async fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], StreamError> {
        let mut bytes = [0; N];
        self.stream
            .read_exact(&mut bytes)
            .await
            .map_err(|cause| StreamError::Broken(cause.to_string()))?;
        Ok(bytes)
    }
}

/// Writes frames to one stream. Dropping it ends the stream.
#[derive(Debug)]
pub struct FrameWriter {
    stream: SendStream,
}

impl FrameWriter {
    pub(crate) const fn new(stream: SendStream) -> Self {
        Self { stream }
    }

    /// Sends a frame; waits while the peer's window is full.
    ///
    /// # Errors
    /// [`StreamError`] if the peer has gone or stopped reading, or the frame is too
    /// long.
    pub async fn send(&mut self, frame: Bytes) -> Result<(), StreamError> {
        let length = prefix(frame.len())?;
        self.write(Bytes::copy_from_slice(&length)).await?;
        self.write(frame).await
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.stream
            .write_chunk(bytes)
            .await
            .map_err(|cause| StreamError::Broken(cause.to_string()))
    }

    pub(crate) fn set_priority(&self, channel: Channel) {
        // Fails only on a stream that has ended, which the next write finds out.
        let _ = self.stream.set_priority(channel.priority());
    }

    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        self.stream
            .finish()
            .map_err(|cause| StreamError::Broken(cause.to_string()))
    }
}

/// The four bytes in front of a frame of `length` bytes.
fn prefix(length: usize) -> Result<[u8; 4], StreamError> {
    u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_BYTES_MAX)
        .map(u32::to_be_bytes)
        .ok_or(StreamError::TooLarge {
            bytes: length,
            limit: FRAME_BYTES_MAX,
        })
}

fn announced(prefix: [u8; 4]) -> Result<usize, StreamError> {
    let bytes = u32::from_be_bytes(prefix) as usize;
    if bytes > FRAME_BYTES_MAX {
        return Err(StreamError::TooLarge {
            bytes,
            limit: FRAME_BYTES_MAX,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{FRAME_BYTES_MAX, announced, prefix};

    proptest! {
        #[test]
        fn lengths_read_back_and_none_past_the_bound_is_taken(length in 0..2 * FRAME_BYTES_MAX) {
            match prefix(length) {
                Ok(bytes) => prop_assert_eq!(announced(bytes), Ok(length)),
                Err(_) => prop_assert!(length > FRAME_BYTES_MAX),
            }
        }

        #[test]
        fn no_announced_length_is_past_the_bound(bytes in any::<[u8; 4]>()) {
            prop_assert!(announced(bytes).unwrap_or(0) <= FRAME_BYTES_MAX);
        }
    }
}
