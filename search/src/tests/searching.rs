//! What is found is what a look at every listing finds, page by page.

use std::sync::Arc;

use meridian_regions::Shards;
use proptest::collection;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::reference::{body, found, index, query, room_types, view};
use crate::{Cursor, CursorError, SearchQuery, Sort};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pages_are_what_a_look_at_every_listing_finds(
        bodies in collection::vec(body(), 0..40),
        queries in collection::vec(query(), 8),
        limit in 1_usize..12,
    ) {
        let views: Vec<_> = (1..).zip(bodies).map(|(number, body)| view(number, body)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let (index, _) = index(folder.path(), &views);
        for query in queries {
            let expected = found(&views, &query);
            let query = Arc::new(query);
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = index.search(&query, Shards::ALL, after.as_ref(), limit).expect("an index");
                prop_assert_eq!(page.total, u64::try_from(expected.len()).expect("few"));
                prop_assert_eq!(&page.facets.room_types, &room_types(&views, &expected));
                prop_assert!(page.hits.len() <= limit);
                all.extend(page.hits.iter().map(|hit| hit.listing.clone()));
                let last = page.hits.last().map(|hit| hit.cursor.encode());
                let Some(last) = last.filter(|_| page.more) else { break };
                after = Some(Cursor::decode(&last, &query).expect("its own"));
            }
            prop_assert_eq!(all, expected, "{:?}", query);
        }
    }
}

#[test]
fn page_begins_where_the_last_one_ended_whatever_came_in_between() {
    let priced = |number: u64, amount: u64| {
        let price = json!({"amount": amount, "currency": "EUR"});
        let location = json!({"lat": 59.9, "lon": 10.7});
        let body =
            json!({"title": "Loft", "location": location, "capacity": 2, "nightly_price": price});
        view(number, body)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let views: Vec<_> = (1..=6).map(|number| priced(number, number * 10)).collect();
    let (index, mut indexer) = index(folder.path(), &views);
    let query = Arc::new(SearchQuery {
        sort: Sort::Price,
        ..SearchQuery::default()
    });
    let first = index
        .search(&query, Shards::ALL, None, 3)
        .expect("an index");
    let last = first.hits.last().expect("three").cursor;

    indexer.remove(&views[0].id);
    indexer.put(&priced(7, 5), &[1; 32]).expect("room");
    indexer.put(&priced(8, 45), &[1; 32]).expect("room");
    indexer.commit().expect("room");
    let second = index
        .search(&query, Shards::ALL, Some(&last), 10)
        .expect("an index");
    let found: Vec<_> = second.hits.iter().map(|hit| hit.listing.clone()).collect();
    let expected = [&views[3], &priced(8, 45), &views[4], &views[5]].map(|view| view.id.clone());
    assert_eq!(found, expected);
}

#[test]
fn cursor_of_another_query_is_refused() {
    let one = SearchQuery::default();
    let other = SearchQuery {
        guests: Some(2),
        ..SearchQuery::default()
    };
    let rank = crate::rank::Rank { key: 1, newest: 2 };
    let text = Cursor::new(&one, rank).encode();
    assert_eq!(Cursor::decode(&text, &other), Err(CursorError::OfAnother));
    assert_eq!(Cursor::decode("AAAA", &one), Err(CursorError::Malformed));
}

/// Nodes of two versions give each other's clients cursors: what tells queries apart may
/// change only together with the cursor's version.
#[test]
fn queries_are_told_apart_as_ever() {
    let text = Cursor::new(
        &SearchQuery::default(),
        crate::rank::Rank { key: 0, newest: 0 },
    );
    assert_eq!(
        text.encode(),
        "AcCl0IeaQ9oHAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    );
}
