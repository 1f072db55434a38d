//! No acknowledged change of a listing is lost: what was added and never removed is on every
//! node in the end, and what was removed is on none.
//!
//! Who removes takes away what the node that he asked has seen. A removal counts here if
//! its session had seen the amenity before: then that node has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::finding::counted;
use super::seen::{Seen, Word};
use super::{Finding, Violated};
use crate::record::{Call, Final, Operation};

const PROMISE: &str = "no acknowledged change is lost";

/// What is known of an amenity.
#[derive(Default)]
struct Known {
    added: bool,
    /// An add may have been done, or was.
    perhaps_added: bool,
    removal: Removal,
    calls: Vec<u64>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Removal {
    #[default]
    NotAsked,
    Perhaps,
    Done,
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
            let how = match (amenities.contains(amenity), known.removal) {
                (false, Removal::NotAsked) if known.added => "is gone from",
                (true, Removal::Done) => "was removed, and is still in",
                (true, _) if !known.perhaps_added => "was never added, and is in",
                _ => continue,
            };
            let what = format!("{amenity} {how} {listing} on node {node}");
            violations.push(Violated::new(what, known.calls.iter().copied()));
        }
    }
    let looked_at = counted(count, "changed amenity").replace("amenitys", "amenities");
    (count > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

fn known(operations: &[Operation]) -> BTreeMap<(&str, &str), Known> {
    let mut known: BTreeMap<(&str, &str), Known> = BTreeMap::new();
    // When a session has first seen an amenity: the end of the call that showed it.
    let mut seen_us: HashMap<(u64, &str, &str), u64> = HashMap::new();
    let mut see = |session: Option<u64>, listing, amenity, at_us: u64| {
        if let Some(session) = session {
            let first = seen_us.entry((session, listing, amenity)).or_insert(at_us);
            *first = at_us.min(*first);
        }
    };
    for operation in operations {
        match (&operation.invoked.what, operation.word()) {
            (
                Call::AddAmenity {
                    listing,
                    amenity,
                    session,
                },
                word,
            ) => {
                let one = known.entry((listing, amenity)).or_default();
                one.calls.push(operation.call());
                one.added |= matches!(word, Word::Done(_));
                one.perhaps_added |= matches!(word, Word::Done(_) | Word::Unknown);
                if matches!(word, Word::Done(_)) {
                    see(*session, listing, amenity, operation.ended_us());
                }
            }
            (Call::ReadListing { listing, session }, Word::Done(answered)) => {
                for amenity in answered.amenities.iter().flatten() {
                    see(*session, listing, amenity, operation.ended_us());
                }
            }
            _ => {}
        }
    }
    for operation in operations {
        if let Call::RemoveAmenity {
            listing,
            amenity,
            session,
        } = &operation.invoked.what
        {
            let saw = session
                .and_then(|session| seen_us.get(&(session, listing.as_str(), amenity.as_str())))
                .is_some_and(|at_us| *at_us <= operation.began_us());
            let removal = match operation.word() {
                Word::Done(_) if saw => Removal::Done,
                Word::Done(_) | Word::Unknown => Removal::Perhaps,
                Word::Refused(_) | Word::NotDone => continue,
            };
            // What nobody adds cannot be judged.
            if let Some(one) = known.get_mut(&(listing.as_str(), amenity.as_str())) {
                one.removal = one.removal.max(removal);
                one.calls.push(operation.call());
            }
        }
    }
    known
}
