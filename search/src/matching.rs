//! Listings in the order in which they fit a guest.
//!
//! Every listing that the guest could take is judged, by its columns; the first of them behind a
//! cursor are kept. The order depends on the listings, the taste and the day alone.

use std::collections::BinaryHeap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meridian_regions::ListingId;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::StrColumn;
use tantivy::{DocId, Score as TextScore, SegmentOrdinal, SegmentReader};
use twox_hash::XxHash3_64;

use crate::collect::Columns;
use crate::cursor::CursorError;
use crate::error::IndexError;
use crate::index::SearchIndex;
use crate::place::Area;
use crate::query::{Prices, SearchQuery, Sort};
use crate::rank::Rank;
use crate::schema::column;
use crate::taste::{self, PastStay, Score, Taste};

const VERSION: u8 = 1;
const BYTES: usize = 1 + 4 + 8 + 8 + 16;

/// Who is to be matched, and on which day.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchQuery {
    taste: Taste,
    /// What a listing has to be.
    filter: SearchQuery,
    /// Since 1970.
    day: u32,
}

/// Where a page of matches ended. Good at every node, for the taste that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchCursor {
    taste: u64,
    day: u32,
    after: Rank,
}

/// One listing that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The listing.
    pub listing: ListingId,
    /// How well it fits.
    pub score: Score,
    /// From [`Taste::near`], in metres.
    pub distance_m: Option<u64>,
    /// Where the next page begins if this is the last of its own.
    pub cursor: MatchCursor,
}

/// One page of matches.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchPage {
    /// Those that fit best first.
    pub matches: Vec<Match>,
    /// Whether others come behind the last one.
    pub more: bool,
}

impl MatchQuery {
    /// What fits this taste on a day since 1970.
    #[must_use]
    pub fn new(taste: Taste, day: u32) -> Self {
        let circle = |near: &taste::Near| {
            let radius_km = near.within_km?;
            let centre = near.place;
            Some(Area::Circle { centre, radius_km })
        };
        let filter = SearchQuery {
            area: taste.near.as_ref().and_then(circle),
            guests: taste.guests,
            nights: taste.nights,
            prices: Prices::default(),
            sort: Sort::Price,
            ..SearchQuery::default()
        };
        Self { taste, filter, day }
    }

    /// Goes on behind a cursor, on its day: a page that is asked for after midnight is of the
    /// same order.
    ///
    /// # Errors
    /// [`CursorError`] for what is none, or belongs to another taste.
    pub fn resume(taste: Taste, text: &str) -> Result<(Self, MatchCursor), CursorError> {
        let cursor = MatchCursor::read(text).ok_or(CursorError::Malformed)?;
        let query = Self::new(taste, cursor.day);
        if query.fingerprint() == cursor.taste {
            Ok((query, cursor))
        } else {
            Err(CursorError::OfAnother)
        }
    }

    fn fingerprint(&self) -> u64 {
        // What past stays were like is looked up anew for each page.
        let stated = Taste {
            past: Vec::new(),
            ..self.taste.clone()
        };
        XxHash3_64::oneshot(format!("{stated:?}").as_bytes())
    }
}

impl MatchCursor {
    /// As text, at most 50 characters.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.day.to_be_bytes());
        bytes.extend_from_slice(&self.taste.to_be_bytes());
        bytes.extend_from_slice(&self.after.key.to_be_bytes());
        bytes.extend_from_slice(&self.after.newest.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[cfg(test)]
    pub(crate) const fn example() -> Self {
        Self {
            taste: 7,
            day: 20_000,
            after: Rank { key: 3, newest: 9 },
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        // Four thirds of the bytes: nothing longer is unfolded.
        if text.len() > BYTES.div_ceil(3) * 4 {
            return None;
        }
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (day, rest) = rest.split_first_chunk::<4>()?;
        let (taste, rest) = rest.split_first_chunk::<8>()?;
        let (key, newest) = rest.split_first_chunk::<8>()?;
        (*version == VERSION).then_some(Self {
            day: u32::from_be_bytes(*day),
            taste: u64::from_be_bytes(*taste),
            after: Rank {
                key: u64::from_be_bytes(*key),
                newest: u128::from_be_bytes(newest.try_into().ok()?),
            },
        })
    }
}

impl SearchIndex {
    /// The first `limit` listings that fit, behind a cursor. Blocks, for some milliseconds for
    /// ten thousand listings.
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be read.
    pub fn matches(
        &self,
        query: &Arc<MatchQuery>,
        after: Option<&MatchCursor>,
        limit: usize,
    ) -> Result<MatchPage, IndexError> {
        let gather = GatherMatches {
            query: Arc::clone(query),
            after: after.map(|cursor| cursor.after),
            // One more tells whether there are more.
            limit: limit.saturating_add(1),
        };
        let terms = query.filter.terms(&self.fields);
        let mut found = self.searcher().search(&*terms, &gather)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let taste = query.fingerprint();
        let matches = found.into_iter().map(|found| Match {
            cursor: MatchCursor {
                taste,
                day: query.day,
                after: found.rank,
            },
            listing: found.listing,
            score: found.judged.score,
            distance_m: found.judged.distance_m,
        });
        Ok(MatchPage {
            matches: matches.collect(),
            more,
        })
    }
}

/// What is thought of one listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Judged {
    score: Score,
    distance_m: Option<u64>,
}

struct FoundMatch {
    rank: Rank,
    listing: ListingId,
    judged: Judged,
}

struct GatherMatches {
    query: Arc<MatchQuery>,
    after: Option<Rank>,
    limit: usize,
}

impl Collector for GatherMatches {
    type Fruit = Vec<FoundMatch>;
    type Child = SegmentMatches;

    fn for_segment(
        &self,
        _segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentMatches> {
        let text = |name| reader.fast_fields().str(name);
        let amenities = text(column::AMENITY)?;
        let room_types = text(column::ROOM_TYPE)?;
        let currencies = text(column::CURRENCY)?;
        let taste = &self.query.taste;
        let past = taste.past.iter().map(|stay| PastHere {
            amenities: ordinals(amenities.as_ref(), &stay.amenities),
            others: missing(amenities.as_ref(), stay),
            room_type: ordinal(room_types.as_ref(), stay.room_type.as_deref()),
            price: stay.price.map(|price| price.amount),
            currency: ordinal(
                currencies.as_ref(),
                stay.price.as_ref().map(|price| price.currency.as_str()),
            ),
        });
        Ok(SegmentMatches {
            wanted: ordinals(amenities.as_ref(), &taste.amenities),
            room_type: ordinal(room_types.as_ref(), taste.room_type.as_deref()),
            currency: ordinal(
                currencies.as_ref(),
                taste.budget.as_ref().map(|budget| budget.currency.as_str()),
            ),
            past: past.collect(),
            amenities,
            room_types,
            currencies,
            columns: Columns::of(reader)?,
            query: Arc::clone(&self.query),
            after: self.after,
            limit: self.limit,
            first: BinaryHeap::with_capacity(self.limit + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Vec<FoundMatch>>) -> tantivy::Result<Vec<FoundMatch>> {
        let mut all: Vec<FoundMatch> = segments.into_iter().flatten().collect();
        all.sort_unstable_by_key(|found| found.rank);
        all.truncate(self.limit);
        Ok(all)
    }
}

/// A past stay, by the numbers that its values have in a segment.
struct PastHere {
    amenities: Vec<u64>,
    /// Amenities that no listing of the segment has.
    others: u64,
    room_type: Option<u64>,
    price: Option<u64>,
    currency: Option<u64>,
}

struct SegmentMatches {
    wanted: Vec<u64>,
    room_type: Option<u64>,
    currency: Option<u64>,
    past: Vec<PastHere>,
    amenities: Option<StrColumn>,
    room_types: Option<StrColumn>,
    currencies: Option<StrColumn>,
    columns: Columns,
    query: Arc<MatchQuery>,
    after: Option<Rank>,
    limit: usize,
    /// The last of those kept is on top.
    first: BinaryHeap<(Rank, DocId)>,
}

impl SegmentMatches {
    fn judge(&self, doc: DocId) -> Judged {
        let taste = &self.query.taste;
        let price = self.columns.price(doc);
        let currency = first(self.currencies.as_ref(), doc);
        let room_type = first(self.room_types.as_ref(), doc);
        let has: Vec<u64> = self
            .amenities
            .as_ref()
            .map_or_else(Vec::new, |column| column.term_ords(doc).collect());
        let mut judged = Judged::default();
        if let Some(near) = &taste.near
            && let Some(place) = self.columns.place(doc)
        {
            let distance_m = taste::metres(near.place.distance_km(place));
            judged.distance_m = Some(distance_m);
            judged.score.place = taste::of_place(near, distance_m);
        }
        if let Some(budget) = &taste.budget
            && let Some(price) = price
            && currency.is_some()
            && currency == self.currency
        {
            judged.score.price = taste::of_price(budget.amount, price);
        }
        let wanted = taste.amenities.len() as u64;
        judged.score.amenities = taste::of_amenities(wanted, shared(&self.wanted, &has));
        if room_type.is_some() && room_type == self.room_type {
            judged.score.room_type = taste::ROOM_POINTS;
        }
        let past = self.past.iter().map(|past| {
            let in_both = shared(&past.amenities, &has);
            let either = past.amenities.len() as u64 + past.others + has.len() as u64 - in_both;
            let same_room = room_type.is_some() && room_type == past.room_type;
            let same_currency = currency.is_some() && currency == past.currency;
            let prices = price.zip(past.price).filter(|_| same_currency);
            taste::likeness(same_room, prices, (in_both, either))
        });
        judged.score.past = taste::of_past(past.max().unwrap_or_default());
        let made_ms = self.columns.made_ms(doc);
        judged.score.start = taste::of_start(taste::age_days(made_ms, self.query.day));
        judged
    }
}

impl SegmentCollector for SegmentMatches {
    type Fruit = Vec<FoundMatch>;

    fn collect(&mut self, doc: DocId, _score: TextScore) {
        if self.columns.fits(&self.query.filter, doc).is_none() {
            return;
        }
        let total = self.judge(doc).score.total();
        let rank = Rank {
            key: u64::MAX - total,
            newest: !self.columns.ulid(doc),
        };
        if self.after.is_some_and(|after| rank <= after) {
            return;
        }
        self.first.push((rank, doc));
        if self.first.len() > self.limit {
            self.first.pop();
        }
    }

    fn harvest(self) -> Vec<FoundMatch> {
        let found = self.first.iter().filter_map(|(rank, doc)| {
            Some(FoundMatch {
                rank: *rank,
                listing: self.columns.listing(*doc)?,
                judged: self.judge(*doc),
            })
        });
        found.collect()
    }
}

fn first(column: Option<&StrColumn>, doc: DocId) -> Option<u64> {
    column?.term_ords(doc).next()
}

fn ordinal(column: Option<&StrColumn>, value: Option<&str>) -> Option<u64> {
    let found = column?.dictionary().term_ord(value?.as_bytes());
    // A dictionary that cannot be read was refused when the index was opened.
    found.ok().flatten()
}

fn ordinals(column: Option<&StrColumn>, values: &[String]) -> Vec<u64> {
    let known = values
        .iter()
        .filter_map(|value| ordinal(column, Some(value)));
    known.collect()
}

fn missing(column: Option<&StrColumn>, stay: &PastStay) -> u64 {
    let known = ordinals(column, &stay.amenities).len();
    (stay.amenities.len() - known) as u64
}

fn shared(one: &[u64], other: &[u64]) -> u64 {
    one.iter().filter(|value| other.contains(value)).count() as u64
}
