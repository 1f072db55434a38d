//! What a replica of a document holds, in a few bytes.
//!
//! The heads of a document are the changes that no other change of it depends
//! on. They name its whole history: equal heads are equal documents. Changes that
//! still wait for others are not part of it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Bytes of an `ETag`: 128 bits do not collide by accident.
const ETAG_BYTES: usize = 16;

/// The hash of a change (SHA-256 over its content), which is also its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId([u8; 32]);

impl ChangeId {
    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn of(hash: automerge::ChangeHash) -> Self {
        Self(hash.0)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) const fn hash(&self) -> automerge::ChangeHash {
        automerge::ChangeHash(self.0)
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(formatter, &self.0)
    }
}

impl fmt::Debug for ChangeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChangeId(")?;
        write_hex(formatter, &self.0[..4])?;
        formatter.write_str("…)")
    }
}

/// A text that names no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the hash of a change: 64 hexadecimal digits")]
pub struct NoChangeId;

impl FromStr for ChangeId {
    type Err = NoChangeId;

    fn from_str(text: &str) -> Result<Self, NoChangeId> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(NoChangeId);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NoChangeId);
            let value = 16 * digit(pair[0])? + digit(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| NoChangeId)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ChangeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The heads of a document, in order of their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Heads(Vec<ChangeId>);

impl Heads {
    pub(crate) fn of(mut hashes: Vec<automerge::ChangeHash>) -> Self {
        hashes.sort_unstable();
        Self(hashes.into_iter().map(ChangeId::of).collect())
    }

    /// The heads themselves: more than one while concurrent changes stand side by
    /// side.
    #[must_use]
    pub fn changes(&self) -> &[ChangeId] {
        &self.0
    }

    /// BLAKE3 over the heads: what anti-entropy compares.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for change in &self.0 {
            hasher.update(&change.0);
        }
        *hasher.finalize().as_bytes()
    }

    /// A strong entity tag (RFC 9110, section 8.8.3), quotes included: 32
    /// hexadecimal digits of [`Heads::digest`].
    #[must_use]
    pub fn etag(&self) -> String {
        entity_tag(&self.digest())
    }
}

/// A strong entity tag that stands for a hash, quotes included.
pub(crate) fn entity_tag(hash: &[u8; 32]) -> String {
    struct Tag<'a>(&'a [u8]);
    impl fmt::Display for Tag<'_> {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_hex(formatter, self.0)
        }
    }
    format!("\"{}\"", Tag(&hash[..ETAG_BYTES]))
}

fn write_hex(formatter: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(formatter, "{byte:02x}"))
}
