//! What is looked for, and how the index is asked for it.

use meridian_replication_core::Currency;
use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query, TermQuery,
    TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use twox_hash::XxHash3_64;

use crate::cells;
use crate::place::{Area, Place};
use crate::schema::Fields;
use crate::text::Words;

/// What a word is worth, by where it stands. Fixed numbers, and not how rare it is among
/// all listings: the order must not change when another listing does.
const IN_TITLE: f32 = 8.0;
const IN_PLACES: f32 = 4.0;
const IN_FEATURES: f32 = 2.0;
const IN_DESCRIPTION: f32 = 1.0;

/// In which order listings are wanted. Of equals, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    /// Those whose words fit best first; without words, the newest.
    #[default]
    Relevance,
    /// The cheapest first, by the amount in minor units.
    Price,
    /// The nearest to [`SearchQuery::near`] first.
    Distance,
}

/// Prices for a slot, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Prices {
    /// The least.
    pub min: Option<u64>,
    /// The most.
    pub max: Option<u64>,
    /// In which currency. Without one, amounts are compared as they are.
    pub currency: Option<Currency>,
}

/// What is looked for: listings of which all of this is true.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchQuery {
    /// They have these words.
    pub words: Option<Words>,
    /// They are somewhere in here.
    pub area: Option<Area>,
    /// From where distances are measured.
    pub near: Option<Place>,
    /// They take so many guests.
    pub guests: Option<u32>,
    /// They are let for so many nights in a row.
    pub nights: Option<u32>,
    /// They have all of these.
    pub amenities: Vec<String>,
    /// They cost that.
    pub prices: Prices,
    /// They are of this kind.
    pub room_type: Option<String>,
    /// In which order they come.
    pub sort: Sort,
}

impl SearchQuery {
    /// Tells this query from others: a cursor belongs to one. The same at every node.
    pub(crate) fn fingerprint(&self) -> u64 {
        // Words and fields in the order of the declaration; `Debug` of plain data.
        XxHash3_64::oneshot(format!("{self:?}").as_bytes())
    }

    /// What the index can tell by looking up terms; the rest is told by columns.
    pub(crate) fn terms(&self, fields: &Fields) -> Box<dyn Query> {
        let mut all: Vec<Box<dyn Query>> = Vec::new();
        let words = self.words.iter().flat_map(|words| &words.0);
        all.extend(words.map(|word| self.word(fields, word)));
        all.extend(
            self.amenities
                .iter()
                .map(|amenity| exact(fields.amenity, amenity)),
        );
        if let Some(room_type) = &self.room_type {
            all.push(exact(fields.room_type, room_type));
        }
        if let Some(currency) = &self.prices.currency {
            all.push(exact(fields.currency, currency.as_str()));
        }
        if let Some(cells) = self.area.as_ref().and_then(cells::covering) {
            let cells = cells
                .into_iter()
                .map(|cell| Term::from_field_u64(fields.cell, cell));
            all.push(unscored(TermSetQuery::new(cells)));
        }
        if all.is_empty() {
            return unscored(AllQuery);
        }
        let all = all.into_iter().map(|each| (Occur::Must, each)).collect();
        Box::new(BooleanQuery::new(all))
    }

    /// A word, worth what the best place is worth where it stands.
    fn word(&self, fields: &Fields, word: &str) -> Box<dyn Query> {
        let places = [
            (fields.title, IN_TITLE),
            (fields.places, IN_PLACES),
            (fields.features, IN_FEATURES),
            (fields.description, IN_DESCRIPTION),
        ];
        let anywhere = places.map(|(field, worth)| {
            let worth = if self.sort == Sort::Relevance {
                worth
            } else {
                0.0
            };
            let term = term(field, word);
            Box::new(ConstScoreQuery::new(term, worth)) as Box<dyn Query>
        });
        Box::new(DisjunctionMaxQuery::new(anywhere.into()))
    }
}

fn term(field: Field, text: &str) -> Box<dyn Query> {
    let term = Term::from_field_text(field, text);
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn exact(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(term(field, text), 0.0))
}

fn unscored(query: impl Query) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(Box::new(query), 0.0))
}
