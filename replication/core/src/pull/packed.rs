//! Bytes made shorter for the way: zlib's format (RFC 1950), whose checksum also tells a
//! frame that was damaged before it was encrypted.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::wire::{WireError, within};

/// Below this nothing is worth the work: a packet is sent either way.
const WORTH_BYTES: usize = 512;

/// The bytes packed, if that is shorter. Entries repeat each other's actors, listings and
/// timestamps: the fastest level takes about half of them away.
pub(super) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < WORTH_BYTES {
        return None;
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    // A vector takes everything.
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.ok().filter(|packed| packed.len() < bytes.len())
}

/// What was packed.
///
/// # Errors
/// [`WireError`] for more than `bytes_max` bytes, read no further than that, and for
/// anything that was not packed.
pub(super) fn unpack(
    what: &'static str,
    packed: &[u8],
    bytes_max: usize,
) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    // One more than may be: so a frame that is longer is told from one that just fits.
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let read = ZlibDecoder::new(packed).take(limit).read_to_end(&mut bytes);
    read.map_err(|cause| WireError::malformed(what, cause))?;
    within(what, bytes.len(), bytes_max)?;
    Ok(bytes)
}
