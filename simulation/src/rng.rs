//! The only source of chance in a simulation: a seed.

use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Chance that `seed` decides.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `from..until`.
    pub const fn within(&mut self, from: u64, until: u64) -> u64 {
        from + self.next() % (until - from)
    }

    /// So many milliseconds: one of `from..until`.
    pub const fn millis(&mut self, from: u64, until: u64) -> Duration {
        Duration::from_millis(self.within(from, until))
    }

    /// Whether what comes so often in a thousand times comes now.
    pub const fn chance(&mut self, per_mille: u64) -> bool {
        self.within(0, 1_000) < per_mille
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let place = self.within(0, items.len() as u64);
        &items[usize::try_from(place).expect("in memory")]
    }

    /// Chance of its own, for somebody whose steps must not disturb the others'.
    #[must_use]
    pub const fn fork(&mut self) -> Self {
        Self(self.next())
    }
}
