//! The decoder of this crate, fed with what nobody would send.

use meridian_fuzz::{fuzz, text};

use crate::cursor::Cursor;
use crate::matching::{MatchCursor, MatchQuery};
use crate::query::SearchQuery;
use crate::rank::Rank;
use crate::taste::Taste;

#[test]
fn cursor() {
    let rank = Rank {
        key: 3,
        newest: u128::MAX - 7,
    };
    let query = SearchQuery::default();
    let given = Cursor::new(&query, rank).encode();
    let target = text(|input| match Cursor::decode(input, &query) {
        Err(cause) => cause.to_string(),
        Ok(cursor) => {
            assert_eq!(Cursor::decode(&cursor.encode(), &query), Ok(cursor));
            "a cursor".to_owned()
        }
    });
    fuzz("search-cursor", &[given.into_bytes()], target);
}

#[test]
fn match_cursor() {
    let given = MatchCursor::example().encode();
    let target = text(|input| match MatchCursor::read(input) {
        None => "none".to_owned(),
        Some(cursor) => {
            assert_eq!(MatchCursor::read(&cursor.encode()), Some(cursor));
            // Of another taste, or of this one.
            let _ = MatchQuery::resume(Taste::default(), input);
            "a cursor".to_owned()
        }
    });
    fuzz("match-cursor", &[given.into_bytes()], target);
}
