//! Frames on a stream: four bytes of length, big-endian, then that many bytes.
//!
//! Pure: bytes in, frames out. Invariant kept here: a length alone makes us allocate
//! nothing, and a length past the bound ends the stream (invariant 11).

use bytes::{Buf, Bytes, BytesMut};

use crate::StreamError;

/// Longest frame, in bytes: a snapshot of the largest ledger fits, and a peer can
/// make us hold no more than this for each of its streams.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a frame's length.
pub(crate) const PREFIX_BYTES: usize = 4;

/// The four bytes in front of a frame of `length` bytes.
///
/// # Errors
/// [`StreamError::TooLarge`].
pub(crate) fn prefix(length: usize) -> Result<[u8; PREFIX_BYTES], StreamError> {
    u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_BYTES_MAX)
        .map(u32::to_be_bytes)
        .ok_or(StreamError::TooLarge {
            bytes: length,
            limit: FRAME_BYTES_MAX,
        })
}

/// Puts frames together again from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    // What has arrived and is not yet handed out. It grows with the bytes that
    // arrive, at most to one frame and one read.
    arrived: BytesMut,
}

impl FrameDecoder {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.arrived.extend_from_slice(piece);
    }

    /// Length of the frame that comes next, once it is known.
    ///
    /// # Errors
    /// [`StreamError::TooLarge`] for a length past the bound.
    pub(crate) fn announced(&self) -> Result<Option<usize>, StreamError> {
        let Some(prefix) = self.arrived.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if bytes > FRAME_BYTES_MAX {
            return Err(StreamError::TooLarge {
                bytes,
                limit: FRAME_BYTES_MAX,
            });
        }
        Ok(Some(bytes))
    }

    /// The next frame, if it has arrived whole.
    ///
    /// # Errors
    /// [`StreamError::TooLarge`] for a length past the bound.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        if self.arrived.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.arrived.advance(PREFIX_BYTES);
        Ok(Some(self.arrived.split_to(length).freeze()))
    }

    /// Whether part of a frame has arrived.
    pub(crate) fn is_inside_frame(&self) -> bool {
        !self.arrived.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{FRAME_BYTES_MAX, FrameDecoder, prefix};

    proptest! {
        #[test]
        fn frames_read_back_however_they_are_cut(
            frames in vec(vec(any::<u8>(), 0..300), 0..20),
            cut in 1_usize..700,
        ) {
            let mut wire = Vec::new();
            for frame in &frames {
                wire.extend(prefix(frame.len()).expect("short"));
                wire.extend(frame);
            }
            let mut decoder = FrameDecoder::default();
            let mut read = Vec::new();
            for piece in wire.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.next().expect("short") {
                    read.push(frame);
                }
            }
            prop_assert!(!decoder.is_inside_frame());
            prop_assert_eq!(read, frames.into_iter().map(Bytes::from).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic_or_allocate_more_than_they_are(
            pieces in vec(vec(any::<u8>(), 0..200), 0..50),
        ) {
            let mut decoder = FrameDecoder::default();
            let mut pushed = 0;
            'stream: for piece in pieces {
                decoder.push(&piece);
                pushed += piece.len();
                prop_assert!(decoder.arrived.capacity() <= (2 * pushed).max(64));
                loop {
                    match decoder.next() {
                        Ok(Some(frame)) => prop_assert!(frame.len() <= FRAME_BYTES_MAX),
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
            }
        }

        #[test]
        fn lengths_read_back_and_none_past_the_bound_is_taken(length in 0..2 * FRAME_BYTES_MAX) {
            match prefix(length) {
                Ok(bytes) => {
                    let mut decoder = FrameDecoder::default();
                    decoder.push(&bytes);
                    prop_assert_eq!(decoder.announced(), Ok(Some(length)));
                }
                Err(_) => prop_assert!(length > FRAME_BYTES_MAX),
            }
        }
    }

    #[test]
    fn length_past_the_bound_is_refused_before_anything_of_it_arrives() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(decoder.announced().is_err());
        assert!(decoder.next().is_err());
    }
}
