//! What is set aside although its own entry was taken in long before.

use tempfile::TempDir;

use super::setup::{amenity, close, create, entries, node, open, sent};
use crate::Precondition;
use crate::keys::{self, QUARANTINE};

#[tokio::test(flavor = "multi_thread")]
async fn change_refused_when_what_it_waited_for_comes_is_filed_and_counted_for_good() {
    let folders: [TempDir; 4] = std::array::from_fn(|_| TempDir::new().expect("a folder"));
    let path = |index: usize| folders[index].path().to_path_buf();
    let source = open(path(0), 1);
    let id = create(&source, 1).await;
    let creation = entries(&source);
    let edit = async |replica: &crate::Replica, name: &str| {
        let edited = replica.edit(&id, &amenity(name), Precondition::None).await;
        edited.expect("durable");
        entries(replica).pop().expect("it was logged")
    };
    let first = edit(&source, "first").await;
    // Node 1 a second time, from an old image of its disk, after a change of node 3.
    let other = open(path(1), 3);
    other.apply(sent(&creation)).await.expect("applied");
    let between = edit(&other, "between").await;
    assert_eq!(between.origin, node(3));
    let image = open(path(2), 1);
    image.apply(sent(&creation)).await.expect("applied");
    close(image).await;
    let image = open(path(2), 1);
    image.apply(sent([&between])).await.expect("applied");
    image
        .edit(&id, &amenity("again"), Precondition::None)
        .await
        .expect("durable");
    let mut log = entries(&image).into_iter();
    let mut again = log
        .rfind(|entry| entry.origin == node(1))
        .expect("it was logged");
    assert_eq!(again.seq, first.seq);
    again.seq += 1;

    let target = open(path(3), 2);
    target.apply(sent(&creation)).await.expect("applied");
    target
        .apply(sent([&first, &again]))
        .await
        .expect("it waits");
    assert_eq!(target.stats().quarantined, 0);
    target
        .apply(sent([&between]))
        .await
        .expect("the rest flows");
    assert_eq!(target.stats().quarantined, 1);
    let mut from = keys::entry(between.origin, between.shard, between.seq);
    let until = keys::entry(between.origin, between.shard, between.seq + 1);
    from.push(0);
    let filed = target.inner().store.scan(QUARANTINE, &from, &until, 9);
    let (_, reason) = filed.expect("readable").pop().expect("filed");
    let reason = String::from_utf8_lossy(&reason).into_owned();
    assert!(reason.starts_with("sequence-reused"), "{reason}");
    close(target).await;
    assert_eq!(open(path(3), 2).stats().quarantined, 1);
}
