//! Finding listings: by words, place, price, guests and amenities; and by what a guest prefers.
//!
//! An index of what the store holds, and never a source: it is built from the store where
//! it is missing, damaged or of another format, and brought up to date by comparing
//! digests. Whoever feeds it says what has changed ([`Indexer`]); whoever asks it
//! ([`SearchIndex`]) gets ids, which the store answers for.
//!
//! - A search sees what was committed when it began, all of it or nothing.
//! - Its order depends on the listings alone: the same listings come in the same order at
//!   every replica, whatever else is indexed, and a cursor stays where it was (ADR 42).
//! - Places are found by cells of H3 and then judged by their exact distance.
//!
//! Nothing here awaits; searching and committing block, for milliseconds.

mod cells;
mod collect;
mod cursor;
mod entry;
mod error;
mod facets;
#[cfg(test)]
mod fuzz;
mod index;
mod indexer;
mod matching;
mod merge;
mod place;
mod query;
mod rank;
mod schema;
mod taste;
#[cfg(test)]
mod tests;
mod text;

pub use cursor::{Cursor, CursorError};
pub use error::IndexError;
pub use facets::Facets;
pub use index::{Hit, Opened, Page, SearchIndex};
pub use indexer::Indexer;
pub use matching::{Match, MatchCursor, MatchPage, MatchQuery};
pub use merge::{Merged, Part, merge};
pub use place::{Area, Place};
pub use query::{Prices, SearchQuery, Sort};
pub use taste::{Budget, Near, PastStay, Score, Taste};
pub use text::{Words, WordsError};
