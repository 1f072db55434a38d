//! Hashes of sets of steps: the exclusive or of what stands for each.

use std::hash::Hasher;

use super::steps::StepId;

/// Hashes what is a hash already.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (half, _) = bytes.split_at(bytes.len().min(8));
        self.0 = half
            .iter()
            .fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }
}

/// Stands for a step in the hash of a set.
pub(super) fn hash_of(step: StepId) -> u128 {
    let half = |salt: u64| {
        // SplitMix64: every bit of the number changes half of the result's.
        let mut mixed = (u64::from(step) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u128::from(mixed ^ (mixed >> 31))
    };
    half(0) << 64 | half(0xD1B5_4A32_D192_ED03)
}
