//! A document that begins anew: what it shows, what comes late, and who was not there.

use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use serde_json::json;

use super::exchange::give;
use super::merging::{REPLICAS, Replica, Step, history, play_one, same, shuffled};
use super::{at, content, created, edited, listing, node, patched_at};
use crate::limits::{RENEWAL_BYTES, RENEWAL_CHANGES_MIN};
use crate::{Applied, ApplyError, BeginningError, Lifecycle, ListingDocument};

/// Begins anew at node 1, with what it has now.
fn renewed(document: &mut ListingDocument) -> Vec<u8> {
    let heads = document.heads();
    let marker = document.begin_anew(node(1), at(500), &heads);
    let marker = marker.expect("it is sound").expect("nothing is awaited");
    marker.into_bytes()
}

fn splice(document: &mut ListingDocument, actor: u64, place: usize, text: &str) -> Vec<u8> {
    let op = json!([{"op": "splice", "path": "/description", "at": place, "insert": text}]);
    edited(document, actor, op)
}

fn count(document: &mut ListingDocument, actor: u64) -> Vec<u8> {
    let op = json!([{"op": "increment", "path": "/counters/saves", "by": 1}]);
    edited(document, actor, op)
}

#[test]
fn history_is_long_by_many_changes_or_by_few_large_ones() {
    let (mut document, _) = created();
    for _ in 0..RENEWAL_CHANGES_MIN {
        count(&mut document, 1);
    }
    let changes = document.changes();
    assert!(document.is_long(changes - 1) && !document.is_long(changes));
    document.history.weigh(RENEWAL_BYTES + 1);
    assert!(document.is_long(changes));
    // What it shows is large then: it would be by beginning anew, too.
    renewed(&mut document);
    document.history.weigh(RENEWAL_BYTES + 1);
    assert!(!document.is_long(changes));
}

#[test]
fn document_that_begins_anew_shows_what_it_showed_and_is_small() {
    let (mut document, _) = created();
    for round in 0..200 {
        count(&mut document, 1 + round % 3);
        splice(&mut document, 2, 3, "å");
        patched_at(&mut document, 3, round, json!({"capacity": 2 + round % 2}));
    }
    let (view, heads) = (document.view(), document.heads());
    let changes = document.changes();
    renewed(&mut document);
    assert_eq!(document.view(), view);
    assert!(document.changes() < 20, "{} changes", document.changes());
    let renewal = document.renewal().expect("it has begun anew");
    assert_eq!(
        (renewal.generation, renewal.changes_before),
        (1, changes - 2)
    );
    assert!(document.entity_tags().contains(&heads.etag()));
    assert_eq!(document.entity_tags()[0], document.heads().etag());
    document.forget_former();
    assert!(document.save().len() < 4_000);
    count(&mut document, 2);
    assert!(!document.entity_tags().contains(&heads.etag()));
}

#[test]
fn it_begins_anew_again_and_again() {
    let (mut document, _) = created();
    let mut other = document.clone();
    for generation in 1..=5 {
        let change = splice(&mut document, 1, 0, "x");
        other.apply(&change).expect("a change");
        assert!(document.may_begin_anew());
        let marker = renewed(&mut document);
        other.apply(&marker).expect("a marker");
        assert_eq!(document.generation(), generation);
        assert_eq!(document.heads(), other.heads());
        document.forget_former();
    }
    let renewal = other.renewal().expect("it has begun anew");
    assert_eq!(renewal.changes_before, 6);
    assert!(other.view().description.starts_with("xxxxx"));
}

#[test]
fn what_was_written_meanwhile_is_carried_over_once() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let early = [
        patched_at(&mut other, 2, 400, json!({"title": "Written late"})),
        count(&mut other, 2),
        splice(&mut other, 2, 6, "and warm "),
    ];
    let marker = renewed(&mut keeper);
    other.apply(&marker).expect("a marker");
    let late = count(&mut other, 2);
    for change in early.iter().chain([&late]).chain(&early) {
        keeper.apply(change).expect("a change");
    }
    assert_eq!(keeper.heads(), other.heads());
    let view = keeper.view();
    assert_eq!(
        (view.title.as_str(), view.counters["saves"]),
        ("Written late", 2)
    );
    assert!(view.description.contains("and warm"));
}

/// A deletion counts for what it has seen, so that it cannot be carried over to where the
/// document would begin with more. Whoever deleted was told that it is.
#[test]
fn nothing_begins_anew_upon_a_deletion_that_could_not_be_carried() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    count(&mut keeper, 1);
    let noted = keeper.heads();
    let known = other.keeps();
    let deletion = other.delete(node(2), at(400), &known);
    let deletion = deletion.expect("it is sound").expect("it is live");
    keeper.apply(deletion.as_bytes()).expect("a change");
    let before = (keeper.heads(), keeper.save());
    let begun = keeper.begin_anew(node(1), at(500), &noted);
    assert_eq!(begun, Ok(None));
    assert!(before == (keeper.heads(), keeper.save()), "it is as it was");
    assert_eq!(keeper.lifecycle(), Lifecycle::Deleted);
    renewed(&mut keeper);
    assert_eq!(keeper.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn later_writer_wins_also_over_what_is_carried() {
    let (mut keeper, _) = created();
    let mut behind = keeper.clone();
    patched_at(&mut keeper, 1, 300, json!({"title": "Later"}));
    renewed(&mut keeper);
    let earlier = patched_at(&mut behind, 2, 200, json!({"title": "Earlier"}));
    keeper.apply(&earlier).expect("a change");
    assert_eq!(keeper.view().title, "Later");
    let conflicts = keeper.conflicts();
    let authors = conflicts[0].values.iter().map(|value| value.actor);
    assert_eq!(authors.collect::<Vec<_>>(), [Some(node(2)), Some(node(1))]);
}

#[test]
fn change_of_later_generation_waits_for_the_marker() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let marker = renewed(&mut keeper);
    let late = count(&mut keeper, 1);
    assert!(matches!(other.apply(&late), Ok(Applied::Waiting { .. })));
    let snapshot = other.save();
    let mut other = ListingDocument::load(&listing(), Some(&snapshot), []).expect("stored");
    other.apply(&marker).expect("a marker");
    assert_eq!((other.heads(), other.waiting()), (keeper.heads(), 0));
}

#[test]
fn stored_document_still_takes_what_comes_late() {
    let (mut keeper, creation) = created();
    let mut other = keeper.clone();
    let first = count(&mut other, 2);
    let second = splice(&mut other, 2, 0, "Oh. ");
    let marker = renewed(&mut keeper);
    keeper.apply(&first).expect("a change");
    let snapshot = keeper.save();
    let stored = [second.as_slice(), &first];
    let loaded = ListingDocument::load(&listing(), Some(&snapshot), stored).expect("stored");
    other.apply(&marker).expect("a marker");
    assert_eq!(loaded.heads(), other.heads());
    let stored = [&marker, &second, &first, &creation];
    let stored = stored.into_iter().map(Vec::as_slice);
    let loaded = ListingDocument::load(&listing(), None, stored).expect("stored");
    assert_eq!(loaded.heads(), other.heads());
    assert!(content(&loaded) == content(&other));
}

/// What was before is as long as what is now, or longer.
#[test]
fn former_document_is_read_when_something_of_it_comes() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let late = count(&mut other, 2);
    let marker = renewed(&mut keeper);
    let snapshot = keeper.save();
    let load = || ListingDocument::load(&listing(), Some(&snapshot), []).expect("stored");
    let is_read = |document: &ListingDocument| {
        let former = document.former.as_ref();
        former.expect("it is kept").is_opened()
    };
    let mut loaded = load();
    let change = count(&mut loaded, 1);
    keeper.apply(&change).expect("a change");
    assert!(loaded.changes_saved() == keeper.changes_saved() && loaded.awaits_former());
    let again = loaded.save();
    assert!(!is_read(&loaded));
    for mut loaded in [
        loaded,
        ListingDocument::load(&listing(), Some(&again), []).expect("stored"),
    ] {
        loaded
            .apply(&late)
            .expect("a change of the former document");
        assert!(is_read(&loaded));
        other.apply(&marker).expect("a marker");
        other.apply(&change).expect("a change");
        assert_eq!(loaded.heads(), other.heads());
        let stored = loaded.save();
        let stored = ListingDocument::load(&listing(), Some(&stored), []).expect("stored");
        assert_eq!(stored.changes_saved(), loaded.changes_saved());
    }
    // It goes unread, and what was in it is known.
    let mut unread = load();
    unread.forget_former();
    keeper.forget_former();
    assert_eq!(unread.base, keeper.base);
    let refused = unread.apply(&late).expect_err("nobody knows it");
    assert!(matches!(refused, ApplyError::TooLate { .. }));
}

#[test]
fn what_comes_too_late_is_refused_and_what_is_contained_is_not() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let contained = count(&mut other, 2);
    let lost = count(&mut other, 2);
    keeper.apply(&contained).expect("a change");
    renewed(&mut keeper);
    keeper.forget_former();
    let snapshot = keeper.save();
    let mut keeper = ListingDocument::load(&listing(), Some(&snapshot), []).expect("stored");
    assert_eq!(keeper.apply(&contained), Ok(Applied::Duplicate));
    let refused = keeper.apply(&lost).expect_err("nobody knows it");
    assert_eq!(
        refused,
        ApplyError::TooLate {
            node: node(2),
            seq: 2
        }
    );
    assert_eq!(keeper.view().counters["saves"], 1);
}

#[test]
fn deletion_that_has_not_seen_everything_keeps_a_document_from_beginning_anew() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let deletion = other.delete(node(2), at(400), &other.keeps());
    let deletion = deletion.expect("live").expect("not deleted").into_bytes();
    count(&mut keeper, 1);
    splice(&mut keeper, 1, 0, "x");
    let heads = keeper.heads();
    keeper.apply(&deletion).expect("a deletion");
    let before = (keeper.heads(), keeper.view(), keeper.changes());
    let begun = keeper.begin_anew(node(1), at(500), &heads);
    assert_eq!(begun, Ok(None));
    assert_eq!((keeper.heads(), keeper.view(), keeper.changes()), before);
    assert_eq!((keeper.generation(), keeper.is_sound()), (0, true));
    // The next change of this node has the number that the marker would have had.
    other.apply(&count(&mut keeper, 1)).expect("a change");
}

#[test]
fn deletion_that_has_seen_everything_is_carried_over() {
    let (mut keeper, _) = created();
    count(&mut keeper, 1);
    let heads = keeper.heads();
    let deletion = keeper.delete(node(1), at(400), &keeper.keeps());
    assert!(deletion.expect("live").is_some());
    let begun = keeper.begin_anew(node(1), at(500), &heads);
    assert!(begun.expect("sound").is_some());
    assert_eq!(keeper.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn replica_that_was_set_back_begins_where_the_others_do() {
    let (mut keeper, _) = created();
    let before = keeper.clone();
    count(&mut keeper, 1);
    renewed(&mut keeper);
    keeper.forget_former();
    count(&mut keeper, 1);
    for mut late in [before, ListingDocument::empty(&listing())] {
        let beyond = keeper.beyond(&late.have(&[]), 1 << 20);
        let beginning = beyond.beginning.expect("it cannot know it");
        assert_eq!(late.take_beginning(&beginning), Ok(true));
        assert_eq!(late.take_beginning(&beginning), Ok(false));
        for change in &beyond.changes {
            late.apply(change).expect("a change");
        }
        assert_eq!(late.heads(), keeper.heads());
        assert!(late.is_created_by(node(1)) && !late.is_created_by(node(2)));
        let beyond = keeper.beyond(&late.have(&[]), 1 << 20);
        assert_eq!((beyond.beginning, beyond.changes.len()), (None, 0));
        let change = count(&mut late, 2);
        keeper
            .clone()
            .apply(&change)
            .expect("a change of this generation");
    }
}

#[test]
fn replica_with_a_change_that_nobody_has_keeps_it() {
    let (mut keeper, _) = created();
    let mut late = keeper.clone();
    count(&mut late, 2);
    renewed(&mut keeper);
    keeper.forget_former();
    let beginning = keeper.beyond(&late.have(&[]), 1 << 20).beginning;
    let refused = late.take_beginning(&beginning.expect("it cannot know it"));
    let lacks = BeginningError::NotContained {
        node: node(2),
        seq: 1,
    };
    assert_eq!(refused, Err(lacks));
    assert_eq!(late.view().counters["saves"], 1);
}

#[test]
fn beginning_of_another_listing_or_of_strangers_is_refused() {
    let (mut keeper, _) = created();
    renewed(&mut keeper);
    let beginning = keeper.beginning().expect("it has begun anew");
    let home = "eu-west".parse().expect("a region");
    let other = meridian_regions::ListingId::derived(home, "test", "2");
    let mut other = ListingDocument::empty(&other);
    assert_eq!(
        other.take_beginning(&beginning),
        Err(BeginningError::Another)
    );
    for cut in [0, 1, beginning.len() / 2, beginning.len() - 1] {
        let mut document = ListingDocument::empty(&listing());
        assert!(document.take_beginning(&beginning[..cut]).is_err(), "{cut}");
    }
}

/// Three replicas write; the first begins anew at what it has when `at_step` has been done.
pub(super) fn play_renewing(
    (before, after): (&[Step], &[Step]),
    starts: Starts,
) -> ([Replica; REPLICAS], Vec<Vec<u8>>) {
    let mut replicas: [Replica; REPLICAS] = std::array::from_fn(|_| Replica::new());
    for (second, step) in before.iter().enumerate() {
        play_one(&mut replicas, second as u64, step);
    }
    if starts == Starts::Together {
        let all = replicas[0].merged(&replicas[1]).merged(&replicas[2]);
        replicas = std::array::from_fn(|_| all.clone());
    }
    let stable = replicas[0].document.heads();
    let is_due = starts == Starts::Anyhow || replicas[0].document.may_begin_anew();
    let mut markers = Vec::new();
    for (index, step) in after.iter().enumerate() {
        if is_due && index == after.len() / 2 {
            let document = &mut replicas[0].document;
            let marker = document.begin_anew(node(1), at(900), &stable);
            if let Some(marker) = marker.expect("sound") {
                let marker = marker.into_bytes();
                markers.push(marker.clone());
                replicas[0].changes.push(marker);
            }
        }
        play_one(&mut replicas, 1_000 + index as u64, step);
    }
    (replicas, markers)
}

/// What everybody has where the document begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    /// All that is there.
    Together,
    /// More or less.
    Anyhow,
}

fn converges(replicas: &[Replica; REPLICAS], seed: u64) -> Result<(), TestCaseError> {
    let [a, b, c] = replicas;
    let all = a.merged(b).merged(c);
    same(&all.document, &c.merged(&a.merged(b)).document)?;
    same(&all.document, &b.merged(c).merged(a).document)?;
    let mut replica = ListingDocument::empty(&listing());
    for change in shuffled(&all.changes, seed) {
        replica.apply(change).expect("a change of a replica");
    }
    prop_assert_eq!(replica.waiting(), 0);
    same(&all.document, &replica)?;
    let snapshot = all.document.save();
    let loaded = ListingDocument::load(&listing(), Some(&snapshot), []).expect("a snapshot");
    same(&all.document, &loaded)?;
    let mut fetching = a.document.clone();
    give(&all.document, &mut fetching, 600);
    same(&all.document, &fetching)
}

proptest! {
    #[test]
    fn replicas_converge_while_they_begin_anew(
        before in history(), after in history(), seed in any::<u64>()
    ) {
        let (replicas, _) = play_renewing((&before, &after), Starts::Together);
        converges(&replicas, seed)?;
    }

    /// Also where somebody had not seen what the others began anew with: no safety hangs on it.
    #[test]
    fn replicas_converge_from_whatever_they_begin_anew_with(
        before in history(), after in history(), seed in any::<u64>()
    ) {
        let (replicas, _) = play_renewing((&before, &after), Starts::Anyhow);
        converges(&replicas, seed)?;
    }

    #[test]
    fn carried_changes_show_what_they_would_have_shown(
        before in history(), after in history()
    ) {
        let (replicas, markers) = play_renewing((&before, &after), Starts::Together);
        let [a, b, c] = &replicas;
        let all = a.merged(b).merged(c);
        let of_first = |change: &&Vec<u8>| {
            let change = crate::change::decode(change).expect("a change");
            crate::actor::generation(change.actor_id()) == Some(0)
        };
        let mut reference = ListingDocument::empty(&listing());
        let mut renewed = ListingDocument::empty(&listing());
        for change in all.changes.iter().filter(of_first) {
            renewed.apply(change).expect("a change");
            if !markers.contains(change) {
                reference.apply(change).expect("a change");
            }
        }
        prop_assert_eq!(renewed.generation() == 1, !markers.is_empty());
        if renewed.is_buried() {
            // Of what was deleted nothing is to be shown.
            prop_assert_eq!(renewed.lifecycle(), reference.lifecycle());
            return Ok(());
        }
        prop_assert_eq!(renewed.view(), reference.view());
        let shown = |document: &ListingDocument| {
            let conflicts = document.conflicts().into_iter();
            conflicts
                .map(|conflict| (conflict.field, conflict.values.into_iter().map(|value| {
                    (value.value, value.actor, value.at_ms, value.shown)
                }).collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(shown(&renewed), shown(&reference));
    }
}
