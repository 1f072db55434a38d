//! Entries of other nodes, whole, broken, late or ahead of their time.

use meridian_regions::Hlc;
use tempfile::TempDir;

use super::setup::{amenity, create, entries, open};
use crate::Precondition;
use crate::error::PullError;

#[tokio::test(flavor = "multi_thread")]
async fn entries_apply_once_and_never_past_a_gap() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    let id = create(&source, 1).await;
    for round in 0..3 {
        let ops = amenity(&format!("amenity {round}"));
        source
            .edit(&id, &ops, Precondition::None)
            .await
            .expect("durable");
    }
    let entries = entries(&source);
    let gap = target.apply(vec![entries[1].clone()]).await;
    assert!(matches!(gap, Err(PullError::Gap(_))), "{gap:?}");
    target.apply(entries[..2].to_vec()).await.expect("applied");
    target.apply(entries.clone()).await.expect("applied");
    target.apply(entries).await.expect("all known");
    assert_eq!(target.stats().entries_applied, 4);
    assert_eq!(
        target
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag(),
        source
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag()
    );
    assert_eq!(target.digests(), source.digests());
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_cannot_be_applied_is_set_aside_and_the_rest_flows() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    let id = create(&source, 1).await;
    let ops = amenity("sauna");
    source
        .edit(&id, &ops, Precondition::None)
        .await
        .expect("durable");
    let mut entries = entries(&source);
    // A disk lied: one change arrives as junk, whole entries before and after it.
    let mut junk = entries[1].clone();
    junk.change = b"junk".to_vec();
    entries[1].seq = 3;
    entries.insert(1, junk);
    target.apply(entries).await.expect("the rest flows");
    assert_eq!(target.stats().quarantined, 1);
    let shown = target.read(&id).await.expect("readable").expect("there");
    assert_eq!(shown.view().amenities, ["sauna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_from_a_clock_far_ahead_is_refused() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    create(&source, 1).await;
    let mut ahead = entries(&source);
    ahead[0].hlc = Hlc::from_u64(ahead[0].hlc.as_u64() + (60 << 32));
    let refused = target.apply(ahead).await;
    assert!(matches!(refused, Err(PullError::Clock(_))), "{refused:?}");
    target
        .apply(entries(&source))
        .await
        .expect("its true time is fine");
}
