//! What every decoder of this crate has in common: a bound on its input, checked
//! before anything is read, and one error.
//!
//! Formats are protobuf messages: a field keeps its number for ever, an unknown one
//! is passed over, so that versions N and N+1 read each other.

use meridian_regions::FormatLevel;
use prost::Message;

/// Why bytes of a peer, or of a disk, are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than anything that this version writes.
    #[error("{what} of {bytes} bytes: at most {bytes_max} are read")]
    TooLarge {
        /// What was to be read.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// Of a level of formats that this node does not speak.
    #[error(
        "{what} of format level {level}, which this node does not speak: run a release on it \
         that does"
    )]
    Later {
        /// What was to be read.
        what: &'static str,
        /// Its level.
        level: FormatLevel,
    },
    /// Not the encoding of anything.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// What was to be read.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl WireError {
    pub(crate) fn malformed(what: &'static str, detail: impl ToString) -> Self {
        Self::Malformed {
            what,
            detail: detail.to_string(),
        }
    }
}

/// Refuses an input of more than `bytes_max` bytes.
pub(crate) fn within(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), WireError> {
    if bytes > bytes_max {
        return Err(WireError::TooLarge {
            what,
            bytes,
            bytes_max,
        });
    }
    Ok(())
}

/// Decodes a message of at most `bytes_max` bytes. The messages of this crate
/// unfold to at most thirty times their size (empty messages in a list).
pub(crate) fn decode<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
    bytes_max: usize,
) -> Result<M, WireError> {
    within(what, bytes.len(), bytes_max)?;
    M::decode(bytes).map_err(|cause| WireError::malformed(what, cause))
}
