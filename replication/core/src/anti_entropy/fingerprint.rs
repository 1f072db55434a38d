//! A set of pairs in 24 bytes.

/// Bytes of a sum.
pub(super) const SUM_BYTES: usize = 16;

/// How many pairs of listing and digest there are, and the sum of their hashes.
///
/// A sum modulo 2^128: it does not depend on the order, parts add up to the whole, and a
/// pair that goes can be taken out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    count: u64,
    sum: u128,
}

impl Fingerprint {
    /// Of no pairs.
    pub const NONE: Self = Self { count: 0, sum: 0 };

    /// Of one pair: the first 16 bytes of BLAKE3 over key and digest.
    #[must_use]
    pub fn of(key: &[u8], digest: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(key).update(digest);
        let hash = hasher.finalize();
        let (first, _) = hash.as_bytes().split_at(SUM_BYTES);
        Self {
            count: 1,
            sum: u128::from_be_bytes(first.try_into().expect("as many bytes")),
        }
    }

    pub(super) const fn from_parts(count: u64, sum: u128) -> Self {
        Self { count, sum }
    }

    /// Of both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    /// Of what is left without `other`, which must be a part of it.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_sub(other.count),
            sum: self.sum.wrapping_sub(other.sum),
        }
    }

    /// How many pairs.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    pub(super) const fn sum(self) -> u128 {
        self.sum
    }
}
