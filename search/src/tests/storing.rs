//! What stays over restarts, crashes and damage.

use std::sync::Arc;

use meridian_regions::Shards;
use serde_json::json;

use super::reference::{index, view};
use crate::{Indexer, Opened, SearchIndex, SearchQuery};

fn loft(number: u64, title: &str) -> meridian_replication_core::ListingView {
    let body = json!({
        "title": title, "location": {"lat": 59.9, "lon": 10.7}, "capacity": 2,
        "nightly_price": {"amount": 100, "currency": "EUR"},
    });
    view(number, body)
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let views = [loft(1, "Loft"), loft(2, "Barn")];
    let (_, mut indexer) = index(folder.path(), &views);
    indexer.put(&loft(3, "Hut"), &[9; 32]).expect("room");
    drop(indexer);

    let (kept, opened) = SearchIndex::open(folder.path()).expect("a folder");
    assert_eq!((opened, kept.listings()), (Opened::Kept, 2));
    let versions = Indexer::new(&kept)
        .expect("the only one")
        .versions()
        .expect("an index");
    let expected = views
        .iter()
        .map(|view| (view.id.clone(), Indexer::version(&[7; 32])));
    assert_eq!(versions, expected.collect());
}

#[test]
fn listing_is_there_once_however_often_it_is_put() {
    let folder = tempfile::tempdir().expect("a folder");
    let (index, mut indexer) = index(folder.path(), &[loft(1, "Loft")]);
    for digest in 0..3 {
        indexer.put(&loft(1, "Barn"), &[digest; 32]).expect("room");
    }
    indexer.commit().expect("room");
    assert_eq!(index.listings(), 1);
    let page = index
        .search(&Arc::new(SearchQuery::default()), Shards::ALL, None, 5)
        .expect("an index");
    assert_eq!((page.hits.len(), page.total), (1, 1));
}

#[test]
fn damaged_or_older_index_is_thrown_away() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(index(folder.path(), &[loft(1, "Loft")]));
    let older = folder.path().join("0");
    std::fs::create_dir(&older).expect("a folder");
    let current = folder.path().join("2");
    let files = std::fs::read_dir(&current).expect("a folder");
    let largest = files
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|kind| kind != "json" && kind != "lock")
        })
        .max_by_key(|path| path.metadata().map_or(0, |file| file.len()))
        .expect("a segment");
    let mut bytes = std::fs::read(&largest).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::remove_file(&largest).expect("a file");
    std::fs::write(&largest, bytes).expect("a file");

    let (index, opened) = SearchIndex::open(folder.path()).expect("a folder");
    assert_eq!((opened, index.listings()), (Opened::Empty, 0));
    assert!(!older.exists());
    let mut indexer = Indexer::new(&index).expect("the only one");
    indexer.put(&loft(1, "Loft"), &[7; 32]).expect("room");
    indexer.commit().expect("room");
    assert_eq!(index.listings(), 1);
}
