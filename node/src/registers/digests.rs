//! What a node holds, in a few numbers: by them two nodes see where they differ.
//!
//! The registers of a space are spread over buckets by a hash of their key. A bucket's digest is
//! the exclusive or of the hashes of its registers and stamps: it depends on what is there, not
//! on the order in which it came.

use super::record::{Register, Space, Stamp};

/// Buckets of a space: of 100,000 registers, 400 in each, whose stamps are about 16 KiB.
pub(super) const BUCKETS: usize = 256;

/// Digests of all buckets, space by space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests(Vec<u64>);

impl Digests {
    pub(super) fn empty() -> Self {
        Self(vec![0; BUCKETS * Space::ALL.len()])
    }

    /// Counts a register in, in place of what was known of it.
    pub(super) fn replace(&mut self, register: &Register, known: Option<Stamp>) {
        let place = place(register.space, bucket(&register.key));
        if let Some(known) = known {
            self.0[place] ^= hash(&register.key, known);
        }
        self.0[place] ^= hash(&register.key, register.stamp);
    }

    /// One number for all of them.
    pub(super) fn whole(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        for digest in &self.0 {
            hasher.update(&digest.to_be_bytes());
        }
        first(&hasher.finalize())
    }

    pub(super) fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// The buckets in which another node's differ.
    pub(super) fn differing(&self, others: &[u64]) -> impl Iterator<Item = (Space, u8)> {
        let pairs = self.0.iter().zip(others).enumerate();
        let places = pairs.filter(|(_, (ours, theirs))| ours != theirs);
        places.filter_map(|(place, _)| {
            let space = Space::ALL.get(place / BUCKETS)?;
            Some((*space, u8::try_from(place % BUCKETS).ok()?))
        })
    }
}

/// The bucket of a key.
pub(super) fn bucket(key: &str) -> u8 {
    blake3::hash(key.as_bytes()).as_bytes()[0]
}

fn place(space: Space, bucket: u8) -> usize {
    let number = Space::ALL.iter().position(|known| *known == space);
    number.unwrap_or(0) * BUCKETS + usize::from(bucket)
}

fn hash(key: &str, stamp: Stamp) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stamp.ms.to_be_bytes());
    hasher.update(&stamp.node.to_be_bytes());
    hasher.update(key.as_bytes());
    first(&hasher.finalize())
}

fn first(hash: &blake3::Hash) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}
