//! Changes that come together leave what they would have left one after the other.

use automerge::Change;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use serde_json::json;

use super::merging::{history, shuffled};
use super::renewing::{Starts, play_renewing};
use super::{at, content, created, listing, node, patched};
use crate::heads::ChangeId;
use crate::{Applied, ApplyError, ListingDocument, change};

type Outcomes = Vec<Result<Applied, ApplyError>>;

fn decoded(changes: &[Vec<u8>]) -> Vec<Change> {
    let decoded = changes.iter().map(|bytes| change::decode(bytes));
    decoded.collect::<Result<_, _>>().expect("changes")
}

fn name_of(change: &[u8]) -> ChangeId {
    ChangeId::of(change::decode(change).expect("a change").hash())
}

fn one_by_one(document: &mut ListingDocument, changes: &[&[u8]]) -> Outcomes {
    changes.iter().map(|one| document.apply(one)).collect()
}

/// In parts of these sizes, over and over.
fn in_parts(document: &mut ListingDocument, changes: &[&[u8]], sizes: &[usize]) -> Outcomes {
    let (mut outcomes, mut rest) = (Vec::new(), changes);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, others) = rest.split_at((*size).min(rest.len()));
        outcomes.extend(document.apply_all(part));
        rest = others;
    }
    outcomes
}

/// What does not know each other is carried over, or refused, in an order of the library's own.
fn sorted(mut outcomes: Outcomes) -> Outcomes {
    for outcome in &mut outcomes {
        if let Ok(Applied::Now { refused, .. }) = outcome {
            refused.sort_by_key(|change| change.id);
        }
    }
    outcomes
}

fn leave_the_same(changes: &[&[u8]], sizes: &[usize]) -> Result<(), TestCaseError> {
    let [mut one, mut other] = [0, 1].map(|_| ListingDocument::empty(&listing()));
    let expected = sorted(one_by_one(&mut one, changes));
    prop_assert_eq!(sorted(in_parts(&mut other, changes, sizes)), expected);
    prop_assert_eq!(one.heads(), other.heads());
    prop_assert_eq!(one.view(), other.view());
    prop_assert_eq!(one.waiting(), other.waiting());
    // Its snapshot lists changes that do not know each other in either order.
    prop_assert!(content(&one) == content(&other));
    let loaded = ListingDocument::load(&listing(), Some(&other.save()), []);
    prop_assert_eq!(loaded.expect("a snapshot").heads(), one.heads());
    // Of what is stored none was refused.
    let stored = ListingDocument::load(&listing(), None, changes.iter().copied());
    if let Ok(stored) = stored {
        prop_assert_eq!(stored.heads(), one.heads());
    }
    prop_assert_eq!(one.take_news(), other.take_news());
    Ok(())
}

proptest! {
    /// In whatever order, with some twice, some that are broken, and new beginnings.
    #[test]
    fn changes_that_come_together_leave_what_they_would_have_left_one_by_one(
        before in history(),
        after in history(),
        seed in any::<u64>(),
        broken in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        sizes in prop::collection::vec(1..9_usize, 1..5),
        starts in prop::sample::select(vec![Starts::Together, Starts::Anyhow]),
    ) {
        let (replicas, _) = play_renewing((&before, &after), starts);
        let [a, b, c] = &replicas;
        let all = a.merged(b).merged(c);
        let in_order: Vec<&[u8]> = all.changes.iter().map(Vec::as_slice).collect();
        leave_the_same(&in_order, &sizes)?;
        let mut anyhow = shuffled(&all.changes, seed);
        let cut = |change: &&[u8]| change[..change.len() / 2].to_vec();
        let broken: Vec<_> = broken.iter().map(|at| (at.index(anyhow.len()), cut(at.get(&anyhow)))).collect();
        for (place, junk) in &broken {
            anyhow.insert(*place, junk);
        }
        leave_the_same(&anyhow, &sizes)?;
    }
}

#[test]
fn plain_changes_are_given_to_the_library_at_once_and_one_that_is_broken_takes_none_with_it() {
    let (mut source, creation) = created();
    let mut changes: Vec<Vec<u8>> = (0..6)
        .map(|round| patched(&mut source, 1, json!({"title": format!("Title {round}")})))
        .collect();
    let mut document = ListingDocument::empty(&listing());
    document.apply(&creation).expect("a change");
    let mut other = document.clone();
    assert!(other.take_together(decoded(&changes)).is_some());
    assert_eq!(other.save(), source.save());

    let broken = changes[2].len() - 1;
    let mut junk = changes[2].clone();
    junk[broken] ^= 1;
    changes.insert(2, junk);
    let with_junk: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
    let outcomes = document.apply_all(&with_junk);
    let refused: Vec<usize> = (0..7).filter(|at| outcomes[*at].is_err()).collect();
    assert_eq!(refused, [2]);
    assert_eq!(document.save(), source.save());
}

/// A listing that is written to as fast as can be is so while it begins anew: its replicas stay
/// behind if they take in one by one what comes then.
#[test]
fn changes_are_taken_at_once_also_while_the_former_document_is_kept() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let heads = keeper.heads();
    let early: Vec<Vec<u8>> = (0..6)
        .map(|round| patched(&mut other, 2, json!({"title": format!("Title {round}")})))
        .collect();
    let marker = keeper.begin_anew(node(1), at(500), &heads);
    let marker = marker.expect("sound").expect("nothing is awaited");
    other.apply(marker.as_bytes()).expect("a marker");
    let ahead = patched(&mut other, 2, json!({"capacity": 7}));
    let waits = keeper.apply(&ahead).expect("it waits for what comes");
    assert!(matches!(waits, Applied::Waiting { .. }));
    keeper.take_news();
    assert!(keeper.take_former_together(decoded(&early)).is_some());
    assert_eq!(keeper.heads(), other.heads());
    let told = keeper.take_news();
    let names = early.iter().chain([&ahead]).map(|one| name_of(one));
    assert!(told.iter().map(|new| new.id).eq(names), "parents first");
    let late: Vec<Vec<u8>> = (0..6)
        .map(|round| patched(&mut other, 2, json!({"title": format!("Later {round}")})))
        .collect();
    assert!(keeper.take_together(decoded(&late)).is_some());
    assert_eq!(keeper.heads(), other.heads());
    assert_eq!(keeper.view().title, "Later 5");
}
