//! Which entries of a frame belong to a request that is followed, and in whose trace.
//!
//! Beside the entries, which stay the bytes that they are in every log. A node of an earlier
//! version passes the field over.

use meridian_regions::{NodeId, ShardId};
use prost::Message;

use super::PullFrame;

/// Bytes of all of them in one frame: some hundreds.
const BESIDE_BYTES_MAX: usize = 32 * 1024;

/// An entry's place in the logs, and the `traceparent` that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedEntry {
    /// Whose log.
    pub origin: NodeId,
    /// Which part of it.
    pub shard: ShardId,
    /// Its number there.
    pub seq: u64,
    /// W3C Trace Context; as it came, whatever it is.
    pub traceparent: String,
}

/// The fields of a frame that others know nothing of.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct BesideMessage {
    /// A [`ListMessage`]: whoever does not want it has not to read it.
    #[prost(bytes = "vec", tag = "15")]
    followed: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct ListMessage {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<EntryMessage>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct EntryMessage {
    #[prost(uint64, tag = "1")]
    origin: u64,
    #[prost(uint32, tag = "2")]
    shard: u32,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(string, tag = "4")]
    traceparent: String,
}

impl PullFrame {
    /// Says beside the entries of an encoded frame which of them are followed.
    pub fn put_followed(frame: &mut Vec<u8>, entries: impl IntoIterator<Item = FollowedEntry>) {
        let entries = entries.into_iter().map(|entry| EntryMessage {
            origin: entry.origin.get(),
            shard: entry.shard.get().into(),
            seq: entry.seq,
            traceparent: entry.traceparent,
        });
        let mut list = ListMessage {
            entries: entries.collect(),
        };
        while list.encoded_len() > BESIDE_BYTES_MAX {
            list.entries.pop();
        }
        if !list.entries.is_empty() {
            let followed = list.encode_to_vec();
            frame.extend(BesideMessage { followed }.encode_to_vec());
        }
    }

    /// Which entries of an encoded frame are followed. What cannot be read is nothing: an
    /// entry is the same, followed or not.
    #[must_use]
    pub fn followed(frame: &[u8]) -> Vec<FollowedEntry> {
        let beside = BesideMessage::decode(frame).unwrap_or_default().followed;
        if beside.len() > BESIDE_BYTES_MAX {
            return Vec::new();
        }
        let list = ListMessage::decode(&*beside).unwrap_or_default();
        let read = |entry: EntryMessage| {
            Some(FollowedEntry {
                origin: NodeId::new(entry.origin)?,
                shard: ShardId::new(u16::try_from(entry.shard).ok()?)?,
                seq: entry.seq,
                traceparent: entry.traceparent,
            })
        };
        list.entries.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, ShardId};

    use super::{BESIDE_BYTES_MAX, FollowedEntry};
    use crate::PullFrame;

    fn followed(seq: u64) -> FollowedEntry {
        FollowedEntry {
            origin: NodeId::new(2).expect("not zero"),
            shard: ShardId::new(5).expect("a shard"),
            seq,
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        }
    }

    #[test]
    fn frame_reads_the_same_whatever_of_it_is_followed() {
        let plain = PullFrame::Hears(Vec::new()).encode();
        let mut beside = plain.clone();
        PullFrame::put_followed(&mut beside, [followed(7), followed(8)]);
        assert_ne!(plain, beside);
        assert_eq!(PullFrame::decode(&beside), PullFrame::decode(&plain));
        assert_eq!(PullFrame::followed(&beside), [followed(7), followed(8)]);
        assert!(PullFrame::followed(&plain).is_empty());
        let before = beside.clone();
        PullFrame::put_followed(&mut beside, []);
        assert_eq!(before, beside);
    }

    #[test]
    fn too_many_are_not_sent_and_not_read() {
        let mut frame = Vec::new();
        PullFrame::put_followed(&mut frame, (0..1_000).map(followed));
        assert!(frame.len() <= BESIDE_BYTES_MAX + 8);
        assert!(!PullFrame::followed(&frame).is_empty());
        let mut long = followed(1);
        long.traceparent = "x".repeat(BESIDE_BYTES_MAX);
        let mut frame = Vec::new();
        PullFrame::put_followed(&mut frame, [long]);
        assert!(frame.is_empty());
    }
}
