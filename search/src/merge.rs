//! One page of the listings that several indexes have: each was asked for the same query and
//! cursor, and for shards of its own.
//!
//! The order depends on the listings alone, so that merged parts stand as one index would
//! have them. A part may have looked only so far; behind that, others' listings are left for
//! the next page, which looks there again.

use crate::cursor::Cursor;

/// What one index has to a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<T> {
    /// Found, in order, each with its place.
    pub hits: Vec<(Cursor, T)>,
    /// Through where all has been looked at; `None` if that was everything.
    pub through: Option<Cursor>,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged<T> {
    /// What stands on it, in order.
    pub hits: Vec<(Cursor, T)>,
    /// Behind what the next one begins; `None` if this was the last.
    pub next: Option<Cursor>,
}

/// The first `limit` of all parts.
#[must_use]
pub fn merge<T>(parts: impl IntoIterator<Item = Part<T>>, limit: usize) -> Merged<T> {
    let (mut hits, mut through) = (Vec::new(), None::<Cursor>);
    for part in parts {
        hits.extend(part.hits);
        let nearer = |one: &Cursor| through.is_none_or(|least| one.after < least.after);
        through = part.through.filter(nearer).or(through);
    }
    hits.sort_by_key(|(cursor, _)| cursor.after);
    hits.retain(|(cursor, _)| through.is_none_or(|through| cursor.after <= through.after));
    if hits.len() > limit {
        hits.truncate(limit);
        through = hits.last().map(|(cursor, _)| *cursor);
    }
    Merged {
        hits,
        next: through,
    }
}
