//! The merge laws, over random histories of three replicas that write and meet.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use super::exchange::give;
use super::{at, content, created, listing, node, ops, patch, resolution};
use crate::{Applied, ListingDocument};

pub(super) const REPLICAS: usize = 3;
const WORDS: [&str; 4] = ["wifi", "sauna", "pool", "tv"];

/// What happens next, and at which replica.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Patch(usize, Value),
    Edit(usize, Value),
    Delete(usize),
    /// Chooses one of the values of one of the fields in conflict.
    Resolve(usize, prop::sample::Index),
    /// The first takes over everything that the second has.
    Meet(usize, usize),
}

fn replica() -> impl Strategy<Value = usize> {
    0..REPLICAS
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&WORDS[..])
}

fn patching() -> impl Strategy<Value = Value> {
    let amenities = prop::collection::btree_set(word(), 0..4);
    let photos = prop::collection::vec(0..5_u8, 0..5).prop_map(|numbers| {
        let distinct: BTreeSet<u8> = numbers.iter().copied().collect();
        let mut order: Vec<u8> = distinct.into_iter().collect();
        let turn = numbers.len() % order.len().max(1);
        order.rotate_left(turn);
        order
            .iter()
            .map(|number| format!("https://a/{number}"))
            .collect::<Vec<_>>()
    });
    prop_oneof![
        word().prop_map(|word| json!({ "title": word })),
        "[a-cä ]{0,12}".prop_map(|text| json!({ "description": text })),
        (0..9_u64).prop_map(|amount| json!({"nightly_price": {"amount": amount}})),
        prop::sample::select(&["EUR", "NOK"][..])
            .prop_map(|currency| json!({"nightly_price": {"currency": currency}})),
        (-9..9_i32).prop_map(|lat| json!({"location": {"lat": lat}})),
        any::<bool>().prop_map(|set| json!({"house_rules": set.then_some("Quiet.")})),
        amenities.prop_map(|amenities| json!({ "amenities": amenities })),
        photos.prop_map(|photos| json!({ "photos": photos })),
    ]
}

fn editing() -> impl Strategy<Value = Value> {
    prop_oneof![
        // Places and lengths that are out of range are refused, and that is fine.
        (0..20_usize, 0..4_usize, "[x-zß]{0,4}").prop_map(|(at, delete, insert)| {
            json!([{"op": "splice", "path": "/description",
                "at": at, "delete": delete, "insert": insert}])
        }),
        (prop::sample::select(&["add", "remove"][..]), word())
            .prop_map(|(op, word)| json!([{"op": op, "path": "/amenities", "value": word}])),
        (-3..4_i64)
            .prop_map(|by| json!([{"op": "increment", "path": "/counters/saves", "by": by}])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (replica(), patching()).prop_map(|(at, patch)| Step::Patch(at, patch)),
        8 => (replica(), editing()).prop_map(|(at, edit)| Step::Edit(at, edit)),
        1 => replica().prop_map(Step::Delete),
        2 => (replica(), any::<prop::sample::Index>())
            .prop_map(|(at, pick)| Step::Resolve(at, pick)),
        6 => (replica(), replica()).prop_map(|(at, from)| Step::Meet(at, from)),
    ]
}

pub(super) fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..30)
}

/// A replica, and every change that is part of it, in the order they came.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) document: ListingDocument,
    pub(super) changes: Vec<Vec<u8>>,
}

impl Replica {
    pub(super) fn new() -> Self {
        let (document, creation) = created();
        Self {
            document,
            changes: vec![creation],
        }
    }

    pub(super) fn take_over(&mut self, other: &Self) {
        for change in &other.changes {
            match self.document.apply(change).expect("a change of a replica") {
                Applied::Now { released: 0, .. } => self.changes.push(change.clone()),
                Applied::Duplicate => {}
                other => panic!("changes in order never wait: {other:?}"),
            }
        }
    }

    pub(super) fn merged(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        merged.take_over(other);
        merged
    }

    pub(super) fn do_step(&mut self, number: usize, second: u64, step: &Step) {
        let (actor, at) = (node(number as u64 + 1), at(second));
        let outcome = match step {
            Step::Patch(_, value) => self.document.patch(actor, at, &patch(value.clone())),
            Step::Edit(_, value) => self.document.edit(actor, at, &ops(value.clone())),
            Step::Delete(_) => {
                let known = self.document.keeps();
                self.document.delete(actor, at, &known)
            }
            Step::Resolve(_, pick) => resolution(&mut self.document, actor, at, *pick),
            Step::Meet(..) => return,
        };
        // A deleted listing and a splice out of range are refused; so be it.
        if let Ok(Some(change)) = outcome {
            self.changes.push(change.into_bytes());
        }
    }
}

fn play(steps: &[Step]) -> [Replica; REPLICAS] {
    let mut replicas: [Replica; REPLICAS] = std::array::from_fn(|_| Replica::new());
    for (second, step) in steps.iter().enumerate() {
        play_one(&mut replicas, second as u64, step);
    }
    replicas
}

pub(super) fn play_one(replicas: &mut [Replica; REPLICAS], second: u64, step: &Step) {
    match *step {
        Step::Meet(at, from) => {
            let other = replicas[from].clone();
            replicas[at].take_over(&other);
        }
        Step::Patch(number, _)
        | Step::Edit(number, _)
        | Step::Delete(number)
        | Step::Resolve(number, _) => replicas[number].do_step(number, second, step),
    }
}

pub(super) fn same(left: &ListingDocument, right: &ListingDocument) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.heads(), right.heads());
    prop_assert_eq!(left.view(), right.view());
    prop_assert_eq!(left.conflicts(), right.conflicts());
    prop_assert_eq!(left.changes(), right.changes());
    prop_assert!(content(left) == content(right));
    Ok(())
}

/// Every change twice, in an order that the seed decides.
pub(super) fn shuffled(changes: &[Vec<u8>], seed: u64) -> Vec<&[u8]> {
    let mut order: Vec<(blake3::Hash, &[u8])> = Vec::new();
    for (index, change) in changes.iter().chain(changes).enumerate() {
        let place = [seed.to_be_bytes(), (index as u64).to_be_bytes()].concat();
        order.push((blake3::hash(&place), change));
    }
    order.sort_by_key(|(place, _)| *place.as_bytes());
    order.into_iter().map(|(_, change)| change).collect()
}

proptest! {
    #[test]
    fn merging_is_commutative(steps in history()) {
        let [a, b, _] = play(&steps);
        same(&a.merged(&b).document, &b.merged(&a).document)?;
    }

    #[test]
    fn merging_is_associative(steps in history()) {
        let [a, b, c] = play(&steps);
        same(&a.merged(&b).merged(&c).document, &a.merged(&b.merged(&c)).document)?;
    }

    #[test]
    fn merging_is_idempotent(steps in history()) {
        let [a, b, _] = play(&steps);
        let once = a.merged(&b);
        let twice = once.merged(&b).merged(&once);
        prop_assert_eq!(once.changes.len(), twice.changes.len());
        same(&once.document, &twice.document)?;
    }

    #[test]
    fn saving_and_loading_is_the_identity(steps in history()) {
        let [a, b, _] = play(&steps);
        let merged = a.merged(&b);
        let snapshot = merged.document.save();
        let loaded = ListingDocument::load(&listing(), Some(&snapshot), []).expect("a snapshot");
        same(&merged.document, &loaded)?;
        let stored = merged.changes.iter().map(Vec::as_slice);
        let replayed = ListingDocument::load(&listing(), None, stored).expect("its changes");
        same(&merged.document, &replayed)?;
    }

    #[test]
    fn changes_in_any_order_and_repeated_converge(steps in history(), seed in any::<u64>()) {
        let [a, b, c] = play(&steps);
        let all = a.merged(&b).merged(&c);
        let mut replica = ListingDocument::empty(&listing());
        for change in shuffled(&all.changes, seed) {
            replica.apply(change).expect("a change of a replica");
        }
        prop_assert_eq!(replica.waiting(), 0);
        same(&all.document, &replica)?;
        let stored = shuffled(&all.changes, seed);
        let loaded = ListingDocument::load(&listing(), None, stored).expect("its changes");
        same(&all.document, &loaded)?;
    }

    #[test]
    fn document_cut_off_half_way_waits_and_then_catches_up(
        steps in history(), seed in any::<u64>(), cut in any::<prop::sample::Index>()
    ) {
        let [a, b, c] = play(&steps);
        let all = a.merged(&b).merged(&c);
        let order = shuffled(&all.changes, seed);
        let (first, rest) = order.split_at(cut.index(order.len()));
        let mut replica = ListingDocument::empty(&listing());
        for change in first {
            replica.apply(change).expect("a change of a replica");
        }
        let snapshot = replica.save();
        let rest = rest.iter().copied();
        let loaded = ListingDocument::load(&listing(), Some(&snapshot), rest).expect("stored");
        same(&all.document, &loaded)?;
    }
}

proptest! {
    /// Whatever each has, and in parts of whatever size: conflicts and their ends too.
    #[test]
    fn replicas_that_mend_each_other_without_a_log_converge(
        steps in history(), bytes_max in 100..2_000_usize
    ) {
        let [a, b, _] = play(&steps);
        let [mut left, mut right] = [a.document.clone(), b.document.clone()];
        give(&a.document, &mut right, bytes_max);
        give(&right, &mut left, bytes_max);
        same(&a.merged(&b).document, &left)?;
        same(&left, &right)?;
    }
}

/// What amenities shall be: each addition is a tag of its own, and a removal takes
/// away the tags that its replica has seen.
#[derive(Debug, Clone, Default)]
struct ObservedRemoveSet {
    added: BTreeMap<usize, &'static str>,
    removed: BTreeSet<usize>,
}

impl ObservedRemoveSet {
    fn remove(&mut self, word: &str) {
        let seen = self.added.iter().filter(|(_, added)| **added == word);
        self.removed.extend(seen.map(|(tag, _)| *tag));
    }

    fn merge(&mut self, other: &Self) {
        self.added.extend(&other.added);
        self.removed.extend(&other.removed);
    }

    fn present(&self) -> BTreeSet<String> {
        let standing = self
            .added
            .iter()
            .filter(|(tag, _)| !self.removed.contains(tag));
        standing.map(|(_, word)| (*word).to_owned()).collect()
    }
}

#[derive(Debug, Clone)]
enum SetStep {
    Add(usize, &'static str),
    Remove(usize, &'static str),
    Meet(usize, usize),
}

fn set_step() -> impl Strategy<Value = SetStep> {
    prop_oneof![
        (replica(), word()).prop_map(|(at, word)| SetStep::Add(at, word)),
        (replica(), word()).prop_map(|(at, word)| SetStep::Remove(at, word)),
        (replica(), replica()).prop_map(|(at, from)| SetStep::Meet(at, from)),
    ]
}

proptest! {
    #[test]
    fn amenities_keep_additions_that_a_removal_has_not_seen(
        steps in prop::collection::vec(set_step(), 0..40)
    ) {
        let mut replicas: [Replica; REPLICAS] = std::array::from_fn(|_| Replica::new());
        let mut model = ObservedRemoveSet::default();
        model.added.insert(usize::MAX - 1, "wifi");
        model.added.insert(usize::MAX, "sauna");
        let mut models: [ObservedRemoveSet; REPLICAS] = std::array::from_fn(|_| model.clone());
        for (tag, step) in steps.into_iter().enumerate() {
            match step {
                SetStep::Add(at, word) => {
                    let op = json!([{"op": "add", "path": "/amenities", "value": word}]);
                    replicas[at].do_step(at, tag as u64, &Step::Edit(at, op));
                    models[at].added.insert(tag, word);
                }
                SetStep::Remove(at, word) => {
                    let op = json!([{"op": "remove", "path": "/amenities", "value": word}]);
                    replicas[at].do_step(at, tag as u64, &Step::Edit(at, op));
                    models[at].remove(word);
                }
                SetStep::Meet(at, from) => {
                    let (replica, model) = (replicas[from].clone(), models[from].clone());
                    replicas[at].take_over(&replica);
                    models[at].merge(&model);
                }
            }
            for (replica, model) in replicas.iter().zip(&models) {
                let shown: BTreeSet<String> = replica.document.view().amenities.into_iter().collect();
                prop_assert!(shown == model.present(), "{:?} is not {:?}", shown, model.present());
            }
        }
    }
}
