//! What stands in front of requests and replies.
//!
//! A stream carries, from the caller, the frames `RequestHead` and request; back come
//! the frame `ReplyHead` and, if it says so, one answer or any number of frames. Heads
//! are protobuf: a later version adds a field, and this one passes over it.

use bytes::{BufMut, Bytes, BytesMut};
use meridian_regions::Dialect;
use prost::Message;

use crate::frame::{PREFIX_BYTES, prefix};
use crate::greeting::{DialectMessage, Introduction};
use crate::{CallError, Channel, FRAME_BYTES_MAX, Refusal, StreamError};

/// Longest head, in bytes: small numbers and the name of a release, and room for fields to
/// come.
pub(crate) const HEAD_BYTES_MAX: usize = 1_024;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To hear that one is let in: the first thing on a connection.
    Greeting,
    /// To have something done.
    Request {
        channel: Channel,
        expected: Expected,
    },
}

/// What the caller expects back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// One answer.
    Answer,
    /// Any number of frames.
    Frames,
}

// Zero is never used: it is what an absent field reads as.
const KIND_CALL: u32 = 1;
const KIND_STREAM: u32 = 2;
const KIND_GREETING: u32 = 3;

impl Purpose {
    pub(crate) const fn priority(self) -> i32 {
        match self {
            Self::Greeting => Channel::Control.priority(),
            Self::Request { channel, .. } => channel.priority(),
        }
    }

    /// All that goes before a request: its head as a frame, and the request's length.
    ///
    /// # Errors
    /// [`StreamError::TooLarge`].
    pub(crate) fn head(self, request_bytes: usize) -> Result<Bytes, StreamError> {
        let head = match self {
            Self::Greeting => RequestHead {
                channel: 0,
                kind: KIND_GREETING,
                dialect: None,
            },
            Self::Request { channel, expected } => RequestHead {
                channel: channel.code(),
                kind: match expected {
                    Expected::Answer => KIND_CALL,
                    Expected::Frames => KIND_STREAM,
                },
                dialect: None,
            },
        };
        Ok(framed_head(&head, &prefix(request_bytes)?))
    }

    /// Reads a request's head; `None` for a channel or kind that this version does
    /// not know.
    pub(crate) fn decode(frame: Bytes) -> Option<Self> {
        let head = RequestHead::decode(frame).ok()?;
        let expected = match head.kind {
            KIND_CALL => Expected::Answer,
            KIND_STREAM => Expected::Frames,
            KIND_GREETING => return Some(Self::Greeting),
            _ => return None,
        };
        Some(Self::Request {
            channel: Channel::from_code(head.channel)?,
            expected,
        })
    }
}

/// All that goes before the empty request of a greeting: as [`Purpose::head`], with what this
/// node speaks.
pub(crate) fn greeting(introduction: &Introduction) -> Bytes {
    let head = RequestHead {
        channel: 0,
        kind: KIND_GREETING,
        dialect: Some(introduction.into()),
    };
    framed_head(&head, &[0; PREFIX_BYTES])
}

/// What the head of a greeting says that its sender speaks; `None` if that makes no sense.
pub(crate) fn greeted(frame: Bytes) -> Option<Introduction> {
    let head = RequestHead::decode(frame).ok()?;
    spoken(head.dialect)
}

/// The answer to a greeting that was heard, as a whole frame.
pub(crate) fn welcome(introduction: &Introduction) -> Bytes {
    let head = ReplyHead {
        status: Status::Accepted.code(),
        dialect: Some(introduction.into()),
    };
    framed_head(&head, &[])
}

/// What such an answer says that its sender speaks; `None` if that makes no sense.
pub(crate) fn welcomed(frame: Bytes) -> Option<Introduction> {
    let head = ReplyHead::decode(frame).ok()?;
    spoken(head.dialect)
}

/// Who says nothing is of a release before levels.
fn spoken(message: Option<DialectMessage>) -> Option<Introduction> {
    message.map_or_else(|| Some(Dialect::default().into()), DialectMessage::read)
}

/// How a request fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// An answer, or frames, follow.
    Accepted,
    /// Nothing was executed.
    Refused(Refusal),
    /// Nothing was executed: the request was longer than a frame may be.
    TooLarge,
    /// Perhaps executed: it panicked, took too long, or its answer cannot be carried.
    Failed,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Refused(Refusal::Overloaded),
        Self::Refused(Refusal::Unavailable),
        Self::Refused(Refusal::Unsupported),
        Self::TooLarge,
        Self::Failed,
    ];

    const fn code(self) -> u32 {
        match self {
            Self::Accepted => 1,
            Self::Refused(Refusal::Overloaded) => 2,
            Self::Refused(Refusal::Unavailable) => 3,
            Self::Refused(Refusal::Unsupported) => 4,
            Self::TooLarge => 5,
            Self::Failed => 6,
        }
    }

    /// What it means to the caller of a request of `request_bytes`.
    pub(crate) fn into_result(self, request_bytes: usize) -> Result<(), CallError> {
        match self {
            Self::Accepted => Ok(()),
            Self::Refused(refusal) => Err(refusal.into()),
            Self::TooLarge => Err(CallError::TooLarge {
                bytes: request_bytes,
                limit: FRAME_BYTES_MAX,
            }),
            Self::Failed => Err(CallError::Unknown("the peer failed on the way".to_owned())),
        }
    }

    /// The status as a whole frame.
    pub(crate) fn to_frame(self) -> Bytes {
        let head = ReplyHead {
            status: self.code(),
            dialect: None,
        };
        framed_head(&head, &[])
    }

    /// Reads a reply's head; `None` for one that this version does not know.
    pub(crate) fn decode(frame: Bytes) -> Option<Self> {
        let head = ReplyHead::decode(frame).ok()?;
        Self::ALL
            .into_iter()
            .find(|status| status.code() == head.status)
    }
}

#[derive(Clone, PartialEq, Message)]
struct RequestHead {
    #[prost(uint32, tag = "1")]
    channel: u32,
    #[prost(uint32, tag = "2")]
    kind: u32,
    /// In greetings: what the caller speaks.
    #[prost(message, optional, tag = "3")]
    dialect: Option<DialectMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ReplyHead {
    #[prost(uint32, tag = "1")]
    status: u32,
    /// In the answer to a greeting: what the answering node speaks.
    #[prost(message, optional, tag = "2")]
    dialect: Option<DialectMessage>,
}

fn framed_head(head: &impl Message, tail: &[u8]) -> Bytes {
    let length = head.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length + tail.len());
    framed.put_slice(&prefix(length).expect("a head is a few bytes long"));
    head.encode(&mut framed).expect("the buffer grows");
    framed.put_slice(tail);
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use meridian_regions::Dialect;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{Expected, Purpose, Status, greeted, greeting, welcome, welcomed};
    use crate::frame::FrameDecoder;
    use crate::greeting::Introduction;
    use crate::{Channel, FRAME_BYTES_MAX};

    fn first_frame(wire: &[u8]) -> Bytes {
        let mut decoder = FrameDecoder::default();
        decoder.push(wire);
        decoder.next().expect("short").expect("whole")
    }

    #[test]
    fn heads_read_back() {
        let requests = Channel::ALL.into_iter().flat_map(|channel| {
            [Expected::Answer, Expected::Frames]
                .map(|expected| Purpose::Request { channel, expected })
        });
        for purpose in requests.chain([Purpose::Greeting]) {
            let wire = purpose.head(7).expect("short");
            assert_eq!(Purpose::decode(first_frame(&wire)), Some(purpose));
            assert!(wire.ends_with(&[0, 0, 0, 7]));
        }
        for status in Status::ALL {
            let wire = status.to_frame();
            assert_eq!(Status::decode(first_frame(&wire)), Some(status));
        }
    }

    #[test]
    fn greetings_tell_what_both_ends_speak() {
        let introduction = Introduction::from(Dialect {
            release: "1.2.3".to_owned(),
            ..Dialect::default()
        });
        let head = first_frame(&greeting(&introduction));
        assert_eq!(Purpose::decode(head.clone()), Some(Purpose::Greeting));
        assert_eq!(greeted(head), Some(introduction.clone()));
        let head = first_frame(&welcome(&introduction));
        assert_eq!(Status::decode(head.clone()), Some(Status::Accepted));
        assert_eq!(welcomed(head), Some(introduction));
        let before_levels = Introduction::from(Dialect::default());
        let silent = first_frame(&Purpose::Greeting.head(0).expect("short"));
        assert_eq!(greeted(silent), Some(before_levels.clone()));
        let silent = first_frame(&Status::Accepted.to_frame());
        assert_eq!(welcomed(silent), Some(before_levels));
    }

    #[test]
    fn absent_fields_are_not_taken_for_a_meaning() {
        assert_eq!(Purpose::decode(Bytes::new()), None);
        assert_eq!(Status::decode(Bytes::new()), None);
    }

    #[test]
    fn request_past_the_bound_has_no_head() {
        assert!(Purpose::Greeting.head(FRAME_BYTES_MAX).is_ok());
        assert!(Purpose::Greeting.head(FRAME_BYTES_MAX + 1).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..64)) {
            let _ = Purpose::decode(bytes.clone().into());
            let _ = Status::decode(bytes.into());
        }
    }
}
