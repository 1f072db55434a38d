//! The order of what was found.

use crate::query::Sort;

/// A listing's place in an order; the least comes first. Equal for no two listings: of
/// those that are alike otherwise the newer comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// By what was asked for.
    pub(crate) key: u64,
    /// The listing's ULID, backwards.
    pub(crate) newest: u128,
}

impl Rank {
    /// The place of a listing. `score` is what its words are worth, `price` in minor units.
    pub(crate) fn new(sort: Sort, ulid: u128, score: f32, price: u64, distance_km: f64) -> Self {
        let key = match sort {
            // Both are finite and not negative: their bits stand in their order.
            Sort::Relevance => u64::from(u32::MAX - score.max(0.0).to_bits()),
            Sort::Distance => distance_km.max(0.0).to_bits(),
            Sort::Price => price,
        };
        Self { key, newest: !ulid }
    }
}
