//! Listings in several indexes, each of which answers for shards of its own: their pages,
//! merged, are those of one index of everything.

use std::sync::Arc;

use meridian_regions::{ShardId, Shards};
use meridian_replication_core::ListingView;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use proptest::{collection, option};
use tempfile::TempDir;

use super::reference::{body, index, query, view};
use crate::{Cursor, Facets, Indexer, Part, SearchIndex, SearchQuery, merge};

/// An index of everything that is in some shards, and for which of them it is asked.
struct Holder {
    asked: Shards,
    index: SearchIndex,
    _kept: (Indexer, TempDir),
}

/// Holders of overlapping shards that are asked for each shard once between them. `asks`
/// says who is asked for which.
fn holders(views: &[ListingView], asks: &[usize], count: usize) -> Vec<Holder> {
    let asked = |holder: usize| -> Shards {
        let asks = ShardId::all().zip(asks);
        let asks = asks.filter(|(_, asked)| **asked % count == holder);
        asks.map(|(shard, _)| shard).collect()
    };
    let holder = |number: usize| {
        // It has what its neighbour is asked for, too: nothing of that may be told twice.
        let held = asked(number) | asked((number + 1) % count);
        let held: Vec<ListingView> = views
            .iter()
            .filter(|view| held.contains(view.id.shard()))
            .cloned()
            .collect();
        let folder = TempDir::new().expect("a folder");
        let (index, indexer) = index(folder.path(), &held);
        Holder {
            asked: asked(number),
            index,
            _kept: (indexer, folder),
        }
    };
    (0..count).map(holder).collect()
}

/// A page of everything: the listings, what is told of all, and where the next one begins.
/// Each holder looks at some listings only, if `looks` says so.
fn scattered(
    holders: &[Holder],
    query: &Arc<SearchQuery>,
    after: Option<Cursor>,
    limit: usize,
    looks: Option<usize>,
) -> (
    Vec<meridian_regions::ListingId>,
    u64,
    Facets,
    Option<Cursor>,
) {
    let (mut parts, mut total, mut facets) = (Vec::new(), 0, Facets::default());
    for holder in holders {
        let limit = looks.map_or(limit, |looks| looks.min(limit));
        let page = holder
            .index
            .search(query, holder.asked, after.as_ref(), limit);
        let page = page.expect("an index");
        total += page.total;
        facets.add(page.facets.told());
        let last = page.hits.last().map(|hit| hit.cursor);
        parts.push(Part {
            through: last.filter(|_| page.more),
            hits: page
                .hits
                .into_iter()
                .map(|hit| (hit.cursor, hit.listing))
                .collect(),
        });
    }
    let merged = merge(parts, limit);
    let hits = merged.hits.into_iter().map(|(_, listing)| listing);
    (hits.collect(), total, facets.shown(), merged.next)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_of_scattered_indexes_are_those_of_one(
        bodies in collection::vec(body(), 0..40),
        queries in collection::vec(query(), 4),
        asks in collection::vec(any::<usize>(), 64),
        (count, limit) in (1_usize..5, 1_usize..12),
        looks in option::of(1_usize..6),
    ) {
        let views: Vec<_> = (1..).zip(bodies).map(|(number, body)| view(number, body)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let (all, _indexer) = index(folder.path(), &views);
        let holders = holders(&views, &asks, count);
        for query in queries {
            let query = Arc::new(query);
            let expected = all.search(&query, Shards::ALL, None, 100).expect("an index");
            let (mut found, mut after) = (Vec::new(), None);
            // Each holder tells of one listing at least.
            for _ in 0..=views.len() {
                let (hits, total, facets, next) = scattered(&holders, &query, after, limit, looks);
                prop_assert_eq!((total, &facets), (expected.total, &expected.facets.clone().shown()));
                prop_assert!(hits.len() <= limit);
                if looks.is_none() && next.is_some() {
                    prop_assert_eq!(hits.len(), limit);
                }
                found.extend(hits);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(after, None);
            let expected: Vec<_> = expected.hits.into_iter().map(|hit| hit.listing).collect();
            prop_assert_eq!(found, expected, "{:?}", query);
        }
    }
}
