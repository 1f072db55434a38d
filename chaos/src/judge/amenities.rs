//! No acknowledged change of a listing is lost: what was added and never removed is on every
//! node in the end, and what was removed is on none.
//!
//! Who removes takes away what the node that he asked has seen. An add counts as removed here if
//! the session of the removal had seen it before: then that node has. An add that began when every
//! removal was over has been seen by none of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::finding::counted;
use super::seen::{Seen, Word};
use super::{Finding, Violated};
use crate::record::{Call, Final, Operation};

const PROMISE: &str = "no acknowledged change is lost";

/// What was done to an amenity, and may have been.
#[derive(Default)]
struct Known<'a> {
    adds: Vec<&'a Operation>,
    removals: Vec<Removal<'a>>,
    calls: Vec<u64>,
}

/// A removal that was done, or may have been.
struct Removal<'a> {
    operation: &'a Operation,
    /// Since when its session had seen the amenity, in microseconds of the run; `None`: it had not.
    seen_us: Option<u64>,
}

impl Known<'_> {
    /// An acknowledged add that no removal can have seen.
    fn must_be_there(&self) -> bool {
        let removals = self.removals.iter();
        let over_us = removals.map(|one| one.operation.ended_us()).max();
        let mut adds = self.adds.iter();
        adds.any(|add| {
            let is_later = over_us.is_none_or(|over_us| over_us < add.began_us());
            is_later && matches!(add.word(), Word::Done(_))
        })
    }

    /// An acknowledged removal that has seen every add that may have been done.
    fn must_be_gone(&self) -> bool {
        let sessions = self.adds.iter().map(|add| session_of(&add.invoked.what));
        let sessions: BTreeSet<Option<u64>> = sessions.collect();
        let over_us = self.adds.iter().map(|add| add.ended_us()).max();
        let mut removals = self.removals.iter();
        removals.any(|removal| {
            let began_us = removal.operation.began_us();
            let session = session_of(&removal.operation.invoked.what);
            let are_own = session.is_some() && sessions == BTreeSet::from([session]);
            let own = are_own && over_us.is_some_and(|over_us| over_us <= began_us);
            // Who sees what was added once has seen that add.
            let seen = removal.seen_us.is_some_and(|seen_us| seen_us <= began_us);
            let has_seen = own || (seen && self.adds.len() == 1);
            has_seen && matches!(removal.operation.word(), Word::Done(_))
        })
    }
}

const fn session_of(what: &Call) -> Option<u64> {
    match what {
        Call::AddAmenity { session, .. } | Call::RemoveAmenity { session, .. } => *session,
        _ => None,
    }
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut shown: BTreeMap<&str, Vec<(u64, BTreeSet<&str>)>> = BTreeMap::new();
    for one in &seen.run.finals {
        if let Final::Document(document) = one {
            let amenities = document.amenities.iter().map(String::as_str).collect();
            let nodes = shown.entry(&document.listing).or_default();
            nodes.push((document.node, amenities));
        }
    }
    let mut violations = Vec::new();
    let known = known(&seen.run.operations);
    let judged = known
        .iter()
        .filter(|((listing, _), _)| shown.contains_key(listing));
    let mut count = 0;
    for ((listing, amenity), known) in judged {
        count += 1;
        for (node, amenities) in &shown[listing] {
            let how = match amenities.contains(amenity) {
                false if known.must_be_there() => "is gone from",
                true if known.adds.is_empty() => "was never added, and is in",
                true if known.must_be_gone() => "was removed, and is still in",
                _ => continue,
            };
            let what = format!("{amenity} {how} {listing} on node {node}");
            violations.push(Violated::new(what, known.calls.iter().copied()));
        }
    }
    let looked_at = counted(count, "changed amenity").replace("amenitys", "amenities");
    (count > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

fn known(operations: &[Operation]) -> BTreeMap<(&str, &str), Known<'_>> {
    let seen_us = seen(operations);
    let mut known: BTreeMap<(&str, &str), Known<'_>> = BTreeMap::new();
    let may_be_done =
        |operation: &Operation| matches!(operation.word(), Word::Done(_) | Word::Unknown);
    for operation in operations {
        let what = &operation.invoked.what;
        match what {
            Call::AddAmenity { amenity, .. } => {
                let one = known.entry((what.listing(), amenity)).or_default();
                one.calls.push(operation.call());
                if may_be_done(operation) {
                    one.adds.push(operation);
                }
            }
            Call::RemoveAmenity {
                amenity, session, ..
            } if may_be_done(operation) => {
                let place = session.map(|session| (session, what.listing(), amenity.as_str()));
                let one = known.entry((what.listing(), amenity)).or_default();
                one.calls.push(operation.call());
                one.removals.push(Removal {
                    operation,
                    seen_us: place.and_then(|place| seen_us.get(&place).copied()),
                });
            }
            _ => {}
        }
    }
    known
}

/// When each session has first seen each amenity: the end of the call that showed it, in
/// microseconds of the run.
fn seen(operations: &[Operation]) -> HashMap<(u64, &str, &str), u64> {
    let mut seen_us = HashMap::new();
    for operation in operations {
        let Word::Done(answered) = operation.word() else {
            continue;
        };
        let (session, listing, amenities) = match &operation.invoked.what {
            Call::AddAmenity {
                session: Some(session),
                listing,
                amenity,
            } => (*session, listing, std::slice::from_ref(amenity)),
            Call::ReadListing {
                session: Some(session),
                listing,
            } => {
                let amenities = answered.amenities.as_deref().unwrap_or_default();
                (*session, listing, amenities)
            }
            _ => continue,
        };
        for amenity in amenities {
            let at_us = operation.ended_us();
            let first = seen_us
                .entry((session, listing.as_str(), amenity.as_str()))
                .or_insert(at_us);
            *first = at_us.min(*first);
        }
    }
    seen_us
}
