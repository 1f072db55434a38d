//! Places in a feed, as bytes.

/// A place in a feed. Grows from record to record, and is never given twice: what was told in
/// one run of a process and lost in a power cut stands elsewhere in the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition {
    /// Number of the process's run, from 1.
    pub run: u64,
    /// Bytes of feed before it, from the first run on.
    pub offset: u64,
}

/// Before every record: how far the feed has been cut off.
pub(super) const CUT: [u8; 1] = [1];
/// Before every record: the run that has told something last.
pub(super) const RUN: [u8; 1] = [2];
/// What keys of records begin with.
const RECORD: u8 = 3;
/// Bytes of such a key.
pub(super) const KEY_BYTES: usize = 17;
/// A key after every record.
pub(super) const END: [u8; 1] = [RECORD + 1];

impl FeedPosition {
    /// Its key in the feed: 17 bytes that are ordered as positions are.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(KEY_BYTES);
        key.push(RECORD);
        key.extend_from_slice(&self.to_bytes());
        key
    }

    /// The key next to its own.
    pub(super) fn next_key(self) -> Vec<u8> {
        let mut key = self.key();
        key.push(0);
        key
    }

    /// Reads what [`FeedPosition::key`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (RECORD, position) = key.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        Self::from_bytes(position)
    }

    /// 16 bytes that are ordered as positions are.
    pub(super) fn to_bytes(self) -> [u8; KEY_BYTES - 1] {
        let mut bytes = [0; KEY_BYTES - 1];
        bytes[..8].copy_from_slice(&self.run.to_be_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (run, offset) = bytes.split_first_chunk()?;
        Some(Self {
            run: u64::from_be_bytes(*run),
            offset: u64::from_be_bytes(offset.try_into().ok()?),
        })
    }
}
