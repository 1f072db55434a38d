//! A search within a session, wherever it is made: it finds what the session has written or seen,
//! and not by what the session has taken away.
//!
//! Judged by amenities that are added once. That others find, or do not find, what a session has
//! never seen is promised to nobody.

use std::collections::HashMap;

use super::finding::counted;
use super::seen::{Adds, Seen, Word};
use super::{Finding, Violated};
use crate::record::{Call, Operation};

const PROMISE: &str = "searches show what their session has seen";

/// A session, a listing and an amenity of it.
type Place<'a> = (u64, &'a str, &'a str);

/// When a session first knew something: the end of the call that told it, in microseconds of the
/// run, and that call.
type Known<'a> = HashMap<Place<'a>, (u64, u64)>;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let operations = &seen.run.operations;
    let adds = Adds::of(operations);
    let told: Vec<&Operation> = operations
        .iter()
        .filter(|one| !adds.are_added_again(&one.invoked.what))
        .collect();
    let shown = shown(&told);
    let gone = gone(&told, &shown);
    let removable_us = removable(&told);
    let mut violations = Vec::new();
    let mut count = 0;
    for operation in told {
        let Call::Search {
            listing,
            amenity,
            session: Some(session),
        } = &operation.invoked.what
        else {
            continue;
        };
        let Some(found) = operation.answered().and_then(|told| told.found.as_ref()) else {
            continue;
        };
        count += 1;
        let place = (*session, listing.as_str(), amenity.as_str());
        let before = |known: &Known<'_>| {
            let told = known.get(&place).copied();
            told.filter(|(ended_us, _)| *ended_us < operation.began_us())
        };
        let may_be_gone = removable_us
            .get(&(place.1, place.2))
            .is_some_and(|began_us| *began_us <= operation.ended_us());
        let broken = match (found.contains(listing), before(&shown), before(&gone)) {
            (false, Some((_, by)), _) if !may_be_gone => Some(("did not find", by)),
            (true, _, Some((_, by))) => Some(("has taken away what it found by:", by)),
            _ => None,
        };
        if let Some((how, by)) = broken {
            let region = &operation.invoked.region;
            let what = format!("a session {how} {amenity} of {listing}, in {region}");
            violations.push(Violated::new(what, [by, operation.call()]));
        }
        if let Some(other) = found.iter().find(|one| *one != listing) {
            let what = format!("{other} was found by {amenity}, which nobody added to it");
            violations.push(Violated::new(what, [operation.call()]));
        }
    }
    let looked_at = counted(count, "search").replace("searchs", "searches");
    (count > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

/// What sessions have written or seen.
fn shown<'a>(told: &[&'a Operation]) -> Known<'a> {
    let mut shown = Known::new();
    let mut note = |place: Place<'a>, operation: &Operation| {
        let told = (operation.ended_us(), operation.call());
        let first = shown.entry(place).or_insert(told);
        *first = told.min(*first);
    };
    for &operation in told {
        let Word::Done(answered) = operation.word() else {
            continue;
        };
        match &operation.invoked.what {
            Call::AddAmenity {
                listing,
                amenity,
                session: Some(session),
            } => note((*session, listing, amenity), operation),
            Call::ReadListing {
                listing,
                session: Some(session),
            } => {
                for amenity in answered.amenities.iter().flatten() {
                    note((*session, listing, amenity), operation);
                }
            }
            _ => {}
        }
    }
    shown
}

/// What sessions have taken away that they had seen.
fn gone<'a>(told: &[&'a Operation], shown: &Known<'a>) -> Known<'a> {
    let removals = told.iter().filter_map(|&operation| {
        let Call::RemoveAmenity {
            listing,
            amenity,
            session: Some(session),
        } = &operation.invoked.what
        else {
            return None;
        };
        operation.answered()?;
        let place = (*session, listing.as_str(), amenity.as_str());
        let (seen_us, _) = shown.get(&place)?;
        (*seen_us < operation.began_us()).then(|| (place, (operation.ended_us(), operation.call())))
    });
    removals.collect()
}

/// From when on an amenity of a listing may be gone, in microseconds of the run.
fn removable<'a>(told: &[&'a Operation]) -> HashMap<(&'a str, &'a str), u64> {
    let mut removable = HashMap::new();
    for &operation in told {
        if let Call::RemoveAmenity {
            listing, amenity, ..
        } = &operation.invoked.what
            && !matches!(operation.word(), Word::NotDone)
        {
            let began_us = operation.began_us();
            let first = removable
                .entry((listing.as_str(), amenity.as_str()))
                .or_insert(began_us);
            *first = began_us.min(*first);
        }
    }
    removable
}
