//! Copies of replicas that are taken forward to a moment by later copies.

use std::path::Path;
use std::time::Duration;

use meridian_regions::UnixNanos;
use tempfile::TempDir;

use super::setup::{
    amenity, close, create, entries, listing, node, open, options, pair, sent, title,
};
use super::trimming::open_bounded;
use crate::keys::{self, LOG};
use crate::replaying::Replayed;
use crate::{Awaited, Forgotten, Precondition, Replica, ReplicaOptions};

fn copy(replica: &Replica) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::remove_dir(folder.path()).expect("it is empty");
    replica.checkpoint(folder.path()).expect("copied");
    folder
}

fn at(folder: &TempDir, id: u64) -> Replica {
    open(Path::new(folder.path()).to_path_buf(), id)
}

async fn edit(replica: &Replica, number: u64, what: &str) {
    let (id, ops) = (listing(number), amenity(what));
    let edited = replica.edit(&id, &ops, Precondition::None).await;
    edited.expect("durable");
}

/// Everything that is written from now on is later.
async fn moment(replica: &Replica) -> UnixNanos {
    let moment = replica.hybrid_time().to_unix_nanos();
    while crate::WallClock::default().now() <= moment {
        tokio::task::yield_now().await;
    }
    moment
}

/// Two nodes write; node 2 has seen only the first write of node 1 when both are copied.
#[tokio::test(flavor = "multi_thread")]
async fn copies_are_taken_forward_to_a_moment_and_not_beyond_also_in_their_own_logs() {
    let (_folders, one, two) = pair();
    create(&one, 1).await;
    two.apply(sent(&entries(&one))).await.expect("applied");
    let earlier = [copy(&one), copy(&two)];
    create(&one, 2).await;
    edit(&one, 1, "sauna").await;
    edit(&two, 1, "pool").await;
    let until = moment(&one).await.max(moment(&two).await);
    edit(&one, 1, "late").await;
    edit(&two, 1, "late, too").await;
    create(&two, 3).await;
    two.apply(sent(&entries(&one))).await.expect("applied");
    let later = [copy(&one), copy(&two)];
    let later = [at(&later[0], 1), at(&later[1], 2)];
    let mut taken = Vec::new();
    for (folder, id) in earlier.iter().zip(1..) {
        let replica = at(folder, id);
        let replayed = replica.replay(&later, until).await.expect("taken forward");
        assert_eq!(
            replayed,
            Replayed {
                changes: 3,
                short: 0
            },
            "node {id}"
        );
        let again = replica.replay(&later, until).await.expect("repeated");
        assert_eq!(again, Replayed::default(), "each once");
        close(replica).await;
        taken.push(at(folder, id));
    }
    let both = "both are at one moment";
    assert_eq!(taken[0].digests(), taken[1].digests(), "{both}");
    assert_eq!(
        title(&taken[1], &listing(2)).await,
        title(&one, &listing(2)).await
    );
    assert_eq!(title(&taken[0], &listing(3)).await, None, "it was later");
    // Its own numbers go on behind what was replayed.
    edit(&taken[0], 1, "new").await;
    let own = entries(&taken[0]).into_iter();
    let own = own.filter(|entry| entry.origin == node(1) && entry.shard == listing(1).shard());
    let numbers: Vec<u64> = own.map(|entry| entry.seq).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_was_trimmed_in_between_stays_where_it_was_and_is_told() {
    let folder = TempDir::new().expect("a folder");
    let one = open_bounded(folder.path().to_path_buf(), 1, 0);
    create(&one, 1).await;
    let earlier = copy(&one);
    for what in ["sauna", "pool", "garden"] {
        edit(&one, 1, what).await;
    }
    one.trim().await.expect("trimmed");
    let shard = listing(1).shard();
    assert!(
        one.inner().floors.seq(node(1), shard) > 1,
        "nothing reaches back"
    );
    let last = keys::entry(node(1), shard, 1);
    assert_eq!(one.inner().store.get(LOG, &last).expect("readable"), None);
    let until = moment(&one).await;
    let later = copy(&one);
    let replica = at(&earlier, 1);
    let before = replica.digests();
    let replayed = replica.replay(&[at(&later, 1)], until).await;
    assert_eq!(
        replayed.expect("read"),
        Replayed {
            changes: 0,
            short: 1
        }
    );
    assert_eq!(replica.digests(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_one_copy_has_no_more_is_taken_from_another_in_whatever_order_they_are_asked() {
    let folders = [(); 2].map(|()| TempDir::new().expect("a folder"));
    let one = open_bounded(folders[0].path().to_path_buf(), 1, 0);
    let two = open(folders[1].path().to_path_buf(), 2);
    create(&one, 1).await;
    let earlier = copy(&one);
    edit(&one, 1, "sauna").await;
    two.apply(sent(&entries(&one))).await.expect("applied");
    one.trim().await.expect("trimmed");
    edit(&one, 1, "pool").await;
    let until = moment(&one).await;
    // The first has the last edit and no beginning; the second the beginning and no last edit.
    let later = [copy(&one), copy(&two)];
    for turned in [false, true] {
        let mut sources = [at(&later[0], 1), at(&later[1], 2)];
        if turned {
            sources.reverse();
        }
        let into = copy(&at(&earlier, 1));
        let replica = at(&into, 1);
        let replayed = replica.replay(&sources, until).await.expect("read");
        let all = Replayed {
            changes: 2,
            short: 0,
        };
        assert_eq!(replayed, all, "turned: {turned}");
        assert_eq!(replica.digests(), one.digests());
        close(replica).await;
        for source in sources {
            close(source).await;
        }
    }
}

/// Watermarks go on by the clock, and would speak for what nobody has any more.
#[tokio::test(flavor = "multi_thread")]
async fn session_that_has_seen_what_a_restore_lost_is_behind_for_good_and_others_are_not() {
    let folder = TempDir::new().expect("a folder");
    let opened = |forgotten| {
        let options = ReplicaOptions {
            forgotten,
            ..options(folder.path().to_path_buf(), 1)
        };
        Replica::open(options).expect("opened")
    };
    let before = opened(None);
    create(&before, 1).await;
    let kept = before.session_token();
    let after = moment(&before).await;
    edit(&before, 1, "lost").await;
    let lost = before.session_token();
    close(before).await;
    let now = crate::WallClock::default().now();
    let restored = opened(Some(Forgotten {
        after,
        before: now.saturating_add(Duration::from_millis(1)),
    }));
    let patience = Duration::from_millis(1);
    restored
        .wait_for(&kept, patience)
        .await
        .expect("it is here");
    let refused = restored.wait_for(&lost, patience).await;
    refused.expect_err("whatever is here: it was lost");
    moment(&restored).await;
    while crate::WallClock::default().now() <= now.saturating_add(Duration::from_millis(1)) {
        tokio::task::yield_now().await;
    }
    edit(&restored, 1, "new").await;
    let new = restored.session_token();
    restored.wait_for(&new, patience).await.expect("it is here");
}

/// Node 2 has edited upon what node 1 had said, and that is in no log any more.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_stand_on_what_was_cut_off_are_told_unless_a_copy_has_that() {
    let folders = [(); 2].map(|()| TempDir::new().expect("a folder"));
    let [one, two] = [(0, 1), (1, 2)].map(|(place, id): (usize, u64)| {
        let folder: &TempDir = &folders[place];
        open_bounded(folder.path().to_path_buf(), id, 0)
    });
    for number in [1, 2] {
        create(&one, number).await;
    }
    two.apply(sent(&entries(&one))).await.expect("applied");
    let earlier = copy(&two);
    edit(&one, 1, "sauna").await;
    two.apply(sent(&entries(&one))).await.expect("applied");
    one.trim().await.expect("trimmed");
    two.trim().await.expect("trimmed");
    edit(&two, 1, "pool").await;
    edit(&two, 2, "pool").await;
    let until = moment(&two).await;
    let [later, has_it] = [copy(&two), copy(&two)];
    let replica = at(&earlier, 2);
    let replayed = replica.replay(&[at(&later, 2)], until).await;
    assert_eq!(
        replayed.expect("read"),
        Replayed {
            changes: 2,
            short: 1
        }
    );
    assert_eq!(amenities(&replica, 1).await, 0, "it waits");
    assert_eq!(amenities(&replica, 2).await, 1, "it stands on what is here");
    let mut awaited = Awaited::default();
    replica.note_awaited(&mut awaited).expect("read");
    assert_eq!(awaited.listings().collect::<Vec<_>>(), [&listing(1)]);
    // Another that lacks it, too, changes nothing.
    let mut alone = awaited.clone();
    replica.strike_out(&mut alone).expect("read");
    assert_eq!(alone, awaited);
    at(&has_it, 2).strike_out(&mut awaited).expect("read");
    assert!(awaited.is_empty(), "its node gives it to the others");
}

/// Node 3 has edited upon what nodes 1 and 2 had said at the same time. The change is filed under
/// one of the two, and waits for the other as well: a copy that has one alone releases nothing.
#[tokio::test(flavor = "multi_thread")]
async fn change_that_stands_on_two_that_were_cut_off_is_told_until_both_are_somewhere() {
    let folders = [(); 3].map(|()| TempDir::new().expect("a folder"));
    let [one, two, three] = [1, 2, 3].map(|id: u64| {
        let folder: &TempDir = &folders[usize::try_from(id - 1).expect("small")];
        open_bounded(folder.path().to_path_buf(), id, 0)
    });
    create(&one, 1).await;
    for other in [&two, &three] {
        other.apply(sent(&entries(&one))).await.expect("applied");
    }
    let earlier = copy(&three);
    edit(&one, 1, "sauna").await;
    edit(&two, 1, "pool").await;
    for other in [&one, &two] {
        three.apply(sent(&entries(other))).await.expect("applied");
    }
    three.trim().await.expect("trimmed");
    edit(&three, 1, "garden").await;
    let until = moment(&three).await;
    let later = copy(&three);
    let alone = [copy(&one), copy(&two)];
    let replica = at(&earlier, 3);
    let replayed = replica.replay(&[at(&later, 3)], until).await.expect("read");
    assert_eq!((replayed.changes, replayed.short), (1, 2));
    assert_eq!(amenities(&replica, 1).await, 0, "it waits");
    let mut awaited = Awaited::default();
    replica.note_awaited(&mut awaited).expect("read");
    let alone = [at(&alone[0], 1), at(&alone[1], 2)];
    for copy in &alone {
        let mut awaited = awaited.clone();
        copy.strike_out(&mut awaited).expect("read");
        assert_eq!(awaited.len(), 1, "it has one of the two");
    }
    for copy in &alone {
        copy.strike_out(&mut awaited).expect("read");
    }
    assert!(awaited.is_empty(), "their nodes give it to the others");
    // Whichever comes first: what it was filed under is not all that it waits for.
    replica.apply(sent(&entries(&one))).await.expect("applied");
    let mut left = Awaited::default();
    replica.note_awaited(&mut left).expect("read");
    assert_eq!(left.len(), 1, "it was filed again");
    assert_eq!(amenities(&replica, 1).await, 1, "that of node 1 alone");
    replica.apply(sent(&entries(&two))).await.expect("applied");
    let mut left = Awaited::default();
    replica.note_awaited(&mut left).expect("read");
    assert!(left.is_empty(), "nothing waits");
    assert_eq!(replica.digests(), three.digests());
}

async fn amenities(replica: &Replica, number: u64) -> usize {
    let read = replica.read(&listing(number)).await.expect("readable");
    read.expect("there").view().amenities.len()
}
