//! How many of all that was found are of each kind.

use std::collections::BTreeMap;

use tantivy::columnar::StrColumn;
use tantivy::{DocId, SegmentReader};

use crate::schema::column;

/// Values of one facet that are shown: the most frequent.
const SHOWN_MAX: usize = 50;
/// Values of one facet that one part of the listings tells for the sums: some times as many
/// as a marketplace has amenities, and 128 KiB of names at most.
const TOLD_MAX: usize = 500;

/// Listings by value, over all pages of a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// By kind of room.
    pub room_types: BTreeMap<String, u64>,
    /// By amenity.
    pub amenities: BTreeMap<String, u64>,
    /// By currency of the price.
    pub currencies: BTreeMap<String, u64>,
}

impl Facets {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.room_types, other.room_types),
            (&mut self.amenities, other.amenities),
            (&mut self.currencies, other.currencies),
        ];
        for (sums, values) in pairs {
            for (value, listings) in values {
                *sums.entry(value).or_default() += listings;
            }
        }
    }

    /// What is shown: the most frequent values.
    #[must_use]
    pub fn shown(mut self) -> Self {
        self.cut(SHOWN_MAX);
        self
    }

    /// What one part of the listings tells, to be added up. A sum is exact unless a part has
    /// more values of one facet than this.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.cut(TOLD_MAX);
        self
    }

    /// Keeps the most frequent values; of equals, the first in alphabetical order.
    fn cut(&mut self, values_max: usize) {
        for values in [
            &mut self.room_types,
            &mut self.amenities,
            &mut self.currencies,
        ] {
            if values.len() <= values_max {
                continue;
            }
            let mut all: Vec<(String, u64)> = std::mem::take(values).into_iter().collect();
            all.sort_by_key(|(_, listings)| u64::MAX - listings);
            all.truncate(values_max);
            values.extend(all);
        }
    }
}

/// Counts of one segment, by the numbers that its values have there.
pub(crate) struct SegmentFacets {
    room_types: Counts,
    amenities: Counts,
    currencies: Counts,
}

impl SegmentFacets {
    pub(crate) fn of(segment: &SegmentReader) -> tantivy::Result<Self> {
        Ok(Self {
            room_types: Counts::of(segment, column::ROOM_TYPE)?,
            amenities: Counts::of(segment, column::AMENITY)?,
            currencies: Counts::of(segment, column::CURRENCY)?,
        })
    }

    pub(crate) fn count(&mut self, doc: DocId) {
        self.room_types.count(doc);
        self.amenities.count(doc);
        self.currencies.count(doc);
    }

    pub(crate) fn harvest(self) -> Facets {
        Facets {
            room_types: self.room_types.harvest(),
            amenities: self.amenities.harvest(),
            currencies: self.currencies.harvest(),
        }
    }
}

struct Counts {
    /// None where no listing of the segment has a value.
    column: Option<StrColumn>,
    listings: Vec<u64>,
}

impl Counts {
    fn of(segment: &SegmentReader, name: &str) -> tantivy::Result<Self> {
        let column = segment.fast_fields().str(name)?;
        let values = column.as_ref().map_or(0, |column| column.num_terms());
        Ok(Self {
            column,
            listings: vec![0; values],
        })
    }

    fn count(&mut self, doc: DocId) {
        let Some(column) = &self.column else { return };
        for value in column.term_ords(doc) {
            let index = usize::try_from(value).unwrap_or(usize::MAX);
            if let Some(listings) = self.listings.get_mut(index) {
                *listings += 1;
            }
        }
    }

    fn harvest(self) -> BTreeMap<String, u64> {
        let Some(column) = self.column else {
            return BTreeMap::new();
        };
        let counted = (0..)
            .zip(self.listings)
            .filter(|(_, listings)| *listings > 0);
        let named = counted.filter_map(|(value, listings)| {
            let mut name = String::new();
            let found = column.ord_to_str(value, &mut name).unwrap_or(false);
            found.then_some((name, listings))
        });
        named.collect()
    }
}
