//! Goes through what the terms have found: judges it by its columns, counts it, and keeps
//! the first of it behind a cursor.

use std::collections::BinaryHeap;
use std::sync::Arc;

use meridian_regions::{ListingId, RegionId, ShardId, Shards};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, ColumnValues, StrColumn};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};
use ulid::Ulid;

use crate::entry::NIGHTS;
use crate::facets::{Facets, SegmentFacets};
use crate::place::Place;
use crate::query::{SearchQuery, Sort};
use crate::rank::Rank;
use crate::schema::column;

/// One listing that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) rank: Rank,
    pub(crate) listing: ListingId,
    /// From [`SearchQuery::near`], in kilometres.
    pub(crate) distance_km: Option<f64>,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    /// The first behind the cursor, in order; at most as many as were asked for.
    pub(crate) first: Vec<Found>,
    /// All of them, before the cursor too.
    pub(crate) total: u64,
    pub(crate) facets: Facets,
}

pub(crate) struct Gather {
    pub(crate) query: Arc<SearchQuery>,
    /// Listings of other shards are somebody else's to find.
    pub(crate) within: Shards,
    pub(crate) after: Option<Rank>,
    pub(crate) limit: usize,
}

impl Collector for Gather {
    type Fruit = Harvest;
    type Child = SegmentGather;

    fn for_segment(
        &self,
        _segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentGather> {
        Ok(SegmentGather {
            query: Arc::clone(&self.query),
            within: self.within,
            after: self.after,
            limit: self.limit,
            columns: Columns::of(reader)?,
            facets: SegmentFacets::of(reader)?,
            first: BinaryHeap::with_capacity(self.limit + 1),
            total: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.query.sort == Sort::Relevance
    }

    fn merge_fruits(&self, segments: Vec<Harvest>) -> tantivy::Result<Harvest> {
        let mut all = Harvest::default();
        for segment in segments {
            all.total += segment.total;
            all.facets.add(segment.facets);
            all.first.extend(segment.first);
        }
        all.first.sort_unstable_by_key(|found| found.rank);
        all.first.truncate(self.limit);
        Ok(all)
    }
}

pub(crate) struct SegmentGather {
    query: Arc<SearchQuery>,
    within: Shards,
    after: Option<Rank>,
    limit: usize,
    columns: Columns,
    facets: SegmentFacets,
    /// The last of those kept is on top.
    first: BinaryHeap<(Rank, DocId)>,
    total: u64,
}

impl SegmentCollector for SegmentGather {
    type Fruit = Harvest;

    fn collect(&mut self, doc: DocId, score: Score) {
        if self.within != Shards::ALL && !self.columns.is_within(self.within, doc) {
            return;
        }
        let Some(distance_km) = self.columns.fits(&self.query, doc) else {
            return;
        };
        self.total += 1;
        self.facets.count(doc);
        let columns = &self.columns;
        let price = columns.price.first(doc).unwrap_or(u64::MAX);
        let rank = Rank::new(
            self.query.sort,
            columns.ulid(doc),
            score,
            price,
            distance_km,
        );
        if self.after.is_some_and(|after| rank <= after) {
            return;
        }
        self.first.push((rank, doc));
        if self.first.len() > self.limit {
            self.first.pop();
        }
    }

    fn harvest(self) -> Harvest {
        let found = self.first.into_iter().filter_map(|(rank, doc)| {
            let distance = self.query.near.zip(self.columns.place(doc));
            Some(Found {
                rank,
                listing: self.columns.listing(doc)?,
                distance_km: distance.map(|(near, place)| near.distance_km(place)),
            })
        });
        Harvest {
            first: found.collect(),
            total: self.total,
            facets: self.facets.harvest(),
        }
    }
}

/// What is read of each entry that was found.
pub(crate) struct Columns {
    high: Arc<dyn ColumnValues<u64>>,
    low: Arc<dyn ColumnValues<u64>>,
    version: Arc<dyn ColumnValues<u64>>,
    shard: Arc<dyn ColumnValues<u64>>,
    home: Option<StrColumn>,
    lat: Column<f64>,
    lon: Column<f64>,
    price: Column<u64>,
    capacity: Arc<dyn ColumnValues<u64>>,
    stay_min: Arc<dyn ColumnValues<u64>>,
    stay_max: Arc<dyn ColumnValues<u64>>,
    slot: Arc<dyn ColumnValues<u64>>,
}

impl Columns {
    pub(crate) fn of(reader: &SegmentReader) -> tantivy::Result<Self> {
        let columns = reader.fast_fields();
        Ok(Self {
            high: columns.column_first_or_default(column::ULID_HIGH)?,
            low: columns.column_first_or_default(column::ULID_LOW)?,
            version: columns.column_first_or_default(column::VERSION)?,
            shard: columns.column_first_or_default(column::SHARD)?,
            home: columns.str(column::HOME)?,
            lat: columns.f64(column::LAT)?,
            lon: columns.f64(column::LON)?,
            price: columns.u64(column::PRICE)?,
            capacity: columns.column_first_or_default(column::CAPACITY)?,
            stay_min: columns.column_first_or_default(column::STAY_MIN)?,
            stay_max: columns.column_first_or_default(column::STAY_MAX)?,
            slot: columns.column_first_or_default(column::SLOT)?,
        })
    }

    /// The listing of an entry.
    pub(crate) fn listing(&self, doc: DocId) -> Option<ListingId> {
        let home = self.home.as_ref()?;
        let mut name = String::new();
        let value = home.term_ords(doc).next()?;
        home.ord_to_str(value, &mut name).ok()?;
        let home: RegionId = name.parse().ok()?;
        Some(ListingId::new(Ulid::from(self.ulid(doc)), home))
    }

    /// Which version of its listing an entry is of.
    pub(crate) fn version(&self, doc: DocId) -> u64 {
        self.version.get_val(doc)
    }

    /// Whether the listing of an entry is in one of these shards.
    fn is_within(&self, shards: Shards, doc: DocId) -> bool {
        let shard = u16::try_from(self.shard.get_val(doc)).ok();
        shard
            .and_then(ShardId::new)
            .is_some_and(|shard| shards.contains(shard))
    }

    /// When its id says that a listing was made, in milliseconds since 1970.
    pub(crate) fn made_ms(&self, doc: DocId) -> u64 {
        Ulid::from(self.ulid(doc)).timestamp_ms()
    }

    pub(crate) fn price(&self, doc: DocId) -> Option<u64> {
        self.price.first(doc)
    }

    pub(crate) fn ulid(&self, doc: DocId) -> u128 {
        u128::from(self.high.get_val(doc)) << 64 | u128::from(self.low.get_val(doc))
    }

    pub(crate) fn place(&self, doc: DocId) -> Option<Place> {
        Place::new(self.lat.first(doc)?, self.lon.first(doc)?)
    }

    /// Whether an entry is what the query asks for, as far as terms do not tell; and how far
    /// it is from where the query is, if that counts.
    pub(crate) fn fits(&self, query: &SearchQuery, doc: DocId) -> Option<f64> {
        let prices = &query.prices;
        if prices.min.is_some() || prices.max.is_some() {
            let price = self.price.first(doc)?;
            let (min, max) = (prices.min.unwrap_or(0), prices.max.unwrap_or(u64::MAX));
            if !(min..=max).contains(&price) {
                return None;
            }
        }
        if let Some(guests) = query.guests
            && self.capacity.get_val(doc) < u64::from(guests)
        {
            return None;
        }
        if let Some(nights) = query.nights.map(u64::from) {
            let stay = self.stay_min.get_val(doc)..=self.stay_max.get_val(doc);
            if self.slot.get_val(doc) != NIGHTS || !stay.contains(&nights) {
                return None;
            }
        }
        if query.area.is_none() && query.sort != Sort::Distance {
            return Some(0.0);
        }
        let place = self.place(doc)?;
        if query.area.is_some_and(|area| !area.contains(place)) {
            return None;
        }
        Some(query.near.map_or(0.0, |near| near.distance_km(place)))
    }
}
