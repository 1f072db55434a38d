//! One change of a document as it is stored and sent: an uncompressed Automerge
//! change chunk.
//!
//! Not compressed, because the store and the network compress whole blocks better,
//! and because an inflated size cannot be bounded before inflating.

use automerge::Change;
use meridian_regions::UnixNanos;

use crate::change_guard;
use crate::heads::ChangeId;
use crate::limits::CHANGE_BYTES_MAX;

/// Where the first four bytes of the hash stand in a chunk.
const CHECKSUM: std::ops::Range<usize> = 4..8;

/// Why bytes are no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Larger than [`CHANGE_BYTES_MAX`].
    #[error("a change of {bytes} bytes: at most {CHANGE_BYTES_MAX} are read")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It would unfold to more than a change may hold.
    #[error("a change that unfolds to {found} {what}: at most {max} are read")]
    Unfolds {
        /// What there is too much of.
        what: &'static str,
        /// How many it claims.
        found: u64,
        /// How many it may.
        max: u64,
    },
    /// Not an Automerge change chunk.
    #[error("not a change: {0}")]
    Malformed(String),
    /// Its content is not what its author hashed.
    #[error("a damaged change: its checksum does not match")]
    Checksum,
}

/// A change that was made here, ready to be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedChange {
    id: ChangeId,
    bytes: Vec<u8>,
}

impl EncodedChange {
    pub(crate) fn of(change: &Change) -> Self {
        Self {
            id: ChangeId::of(change.hash()),
            bytes: change.raw_bytes().to_vec(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> ChangeId {
        self.id
    }

    /// Its bytes, for [`crate::ListingDocument::apply`] on any replica.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl std::fmt::Debug for EncodedChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "EncodedChange({:?}, {} bytes)",
            self.id,
            self.bytes.len()
        )
    }
}

/// Reads a change: first its bounds, then its content, then its checksum.
pub(crate) fn decode(bytes: &[u8]) -> Result<Change, ChangeError> {
    change_guard::check(bytes)?;
    let change =
        Change::try_from(bytes).map_err(|cause| ChangeError::Malformed(cause.to_string()))?;
    // Parsing does not compare the checksum; the hash is always that of the content.
    if bytes.get(CHECKSUM) != Some(&change.hash().0[..4]) {
        return Err(ChangeError::Checksum);
    }
    Ok(change)
}

/// When a change was made, by its author's word, in whole milliseconds; `None` for what is no
/// change.
#[must_use]
pub fn made_at(bytes: &[u8]) -> Option<UnixNanos> {
    let millis = u64::try_from(decode(bytes).ok()?.timestamp()).ok()?;
    Some(UnixNanos::from_millis(millis))
}
