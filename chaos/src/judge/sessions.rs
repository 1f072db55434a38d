//! Guarantees of a session, wherever it reads: it sees its own writes, what it has seen it
//! sees again, and whoever sees a write of it sees also what it had seen before.
//!
//! Terry et al., *Session Guarantees for Weakly Consistent Replicated Data* (PDIS 1994).
//! An amenity that is added once says which version was read: by its being seen or missed. Those
//! that are added again say nothing here.

use std::collections::{BTreeMap, HashMap};

use super::finding::counted;
use super::seen::{Adds, Seen, Word};
use super::{Finding, Violated};
use crate::record::{Call, Operation};

/// Numbers of amenities, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, number: usize) {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn has(&self, number: usize) -> bool {
        let word = self.0.get(number / 64).copied().unwrap_or(0);
        word >> (number % 64) & 1 == 1
    }

    fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// Those that `other` lacks.
    fn without(&self, other: &Self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate().map(|(place, word)| {
            let missing = word & !other.0.get(place).copied().unwrap_or(0);
            (place, missing)
        });
        words
            .filter(|(_, missing)| *missing != 0)
            .flat_map(|(place, missing)| {
                (0..64)
                    .filter(move |bit| missing >> bit & 1 == 1)
                    .map(move |bit| place * 64 + bit)
            })
    }
}

/// An amenity of a listing.
struct Amenity<'a> {
    name: &'a str,
    added_by: Option<u64>,
    /// From when on it may be gone, in microseconds of the run.
    removable_us: u64,
}

/// What a session has seen and done at a listing.
#[derive(Default)]
struct Session {
    /// What it has seen at its last completed call.
    seen: Bits,
    /// What it has removed, or found removed after it had seen it.
    gone: Bits,
    /// Each of its adds, and what it had seen before.
    adds: Vec<(usize, Bits)>,
}

#[derive(Default)]
struct Listing<'a> {
    numbers: HashMap<&'a str, usize>,
    amenities: Vec<Amenity<'a>>,
    sessions: BTreeMap<u64, Session>,
    calls: Vec<&'a Operation>,
    /// By a call that is under way: what it removes, or finds gone, of what its session had
    /// seen when it began.
    goes: HashMap<u64, Vec<usize>>,
}

struct Broken {
    own: Vec<Violated>,
    back: Vec<Violated>,
    causes: Vec<Violated>,
}

const PROMISE: &str = "sessions never go back";

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut listings: BTreeMap<&str, Listing<'_>> = BTreeMap::new();
    let once = Adds::of(&seen.run.operations);
    for operation in &seen.run.operations {
        let what = &operation.invoked.what;
        let says = !once.are_added_again(what) && !matches!(what, Call::Search { .. });
        if says && !what.needs_quorum() {
            listings.entry(what.listing()).or_default().learn(operation);
        }
    }
    let mut broken = Broken {
        own: Vec::new(),
        back: Vec::new(),
        causes: Vec::new(),
    };
    let (mut calls, mut sessions) = (0, 0);
    for (name, listing) in &mut listings {
        listing.replay(name, &mut broken);
        calls += listing.calls.len();
        sessions += listing.sessions.len();
    }
    let looked_at = format!(
        "{} in {}",
        counted(calls, "call"),
        counted(sessions, "session")
    );
    let violations = [broken.own, broken.back, broken.causes].concat();
    (sessions > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

const fn session_of(what: &Call) -> Option<u64> {
    match what {
        Call::AddAmenity { session, .. }
        | Call::RemoveAmenity { session, .. }
        | Call::ReadListing { session, .. } => *session,
        _ => None,
    }
}

impl<'a> Listing<'a> {
    fn learn(&mut self, operation: &'a Operation) {
        match &operation.invoked.what {
            Call::AddAmenity { amenity, .. } => {
                let number = self.number(amenity);
                self.amenities[number].added_by = Some(operation.call());
            }
            Call::RemoveAmenity { amenity, .. } if !matches!(operation.word(), Word::NotDone) => {
                let number = self.number(amenity);
                let from_us = &mut self.amenities[number].removable_us;
                *from_us = operation.began_us().min(*from_us);
            }
            _ => {}
        }
        if matches!(operation.word(), Word::Done(_)) {
            self.calls.push(operation);
        }
    }

    fn number(&mut self, name: &'a str) -> usize {
        *self.numbers.entry(name).or_insert_with(|| {
            self.amenities.push(Amenity {
                name,
                added_by: None,
                removable_us: u64::MAX,
            });
            self.amenities.len() - 1
        })
    }

    /// Goes through all that happened: what a call brings counts for those that begin after
    /// its end.
    fn replay(&mut self, name: &str, broken: &mut Broken) {
        let mut began: Vec<&Operation> = self.calls.clone();
        let mut ended = began.clone();
        began.sort_by_key(|one| one.began_us());
        ended.sort_by_key(|one| one.ended_us());
        let mut ended = ended.into_iter().peekable();
        for one in began {
            while let Some(over) = ended.next_if(|over| over.ended_us() < one.began_us()) {
                self.end(over);
            }
            self.begin(one);
            if let (Call::ReadListing { session, .. }, Some(read)) =
                (&one.invoked.what, self.read(one))
            {
                self.judge(name, *session, one, &read, broken);
            }
        }
        for over in ended {
            self.end(over);
        }
    }

    /// The amenities that a read showed, of those that somebody adds.
    fn read(&self, operation: &Operation) -> Option<Bits> {
        let amenities = operation.answered()?.amenities.as_ref()?;
        let mut read = Bits::default();
        for name in amenities {
            if let Some(number) = self.numbers.get(name.as_str()) {
                read.set(*number);
            }
        }
        Some(read)
    }

    /// An add, a removal and a read know what their session had seen when they began.
    fn begin(&mut self, operation: &Operation) {
        let what = &operation.invoked.what;
        let Some(session) = session_of(what) else {
            return;
        };
        let read = self.read(operation);
        let session = self.sessions.entry(session).or_default();
        let goes = match what {
            Call::AddAmenity { amenity, .. } => {
                let number = self.numbers[amenity.as_str()];
                session.adds.push((number, session.seen.clone()));
                return;
            }
            Call::RemoveAmenity { amenity, .. } => {
                let number = self.numbers[amenity.as_str()];
                let seen = session.seen.has(number).then_some(number);
                seen.into_iter().collect()
            }
            _ => session.seen.without(&read.unwrap_or_default()).collect(),
        };
        self.goes.insert(operation.call(), goes);
    }

    fn end(&mut self, operation: &Operation) {
        let what = &operation.invoked.what;
        let Some(session) = session_of(what) else {
            return;
        };
        let read = self.read(operation);
        let session = self.sessions.entry(session).or_default();
        for number in self.goes.remove(&operation.call()).unwrap_or_default() {
            session.gone.set(number);
        }
        match what {
            Call::AddAmenity { amenity, .. } => session.seen.set(self.numbers[amenity.as_str()]),
            _ => session.seen.join(&read.unwrap_or_default()),
        }
    }

    fn judge(
        &self,
        listing: &str,
        session: Option<u64>,
        operation: &Operation,
        read: &Bits,
        broken: &mut Broken,
    ) {
        let ended_us = operation.ended_us();
        let lost = |number: &usize| self.amenities[*number].removable_us > ended_us;
        let shows = |numbers: [Option<usize>; 2]| {
            let added = numbers.into_iter().flatten();
            let added = added.filter_map(|number| self.amenities[number].added_by);
            added.chain([operation.call()]).collect::<Vec<u64>>()
        };
        let name = |number: usize| self.amenities[number].name;
        let nobody = Session::default();
        let of = session.and_then(|session| self.sessions.get(&session));
        let of = of.unwrap_or(&nobody);
        for number in of.seen.without(read).filter(lost).take(1) {
            let own = of.adds.iter().any(|(added, _)| *added == number);
            let (list, how) = if own {
                (&mut broken.own, "had added")
            } else {
                (&mut broken.back, "had seen")
            };
            let what = format!(
                "a session that {how} {} missed it in {listing}, read in {}",
                name(number),
                operation.invoked.region
            );
            list.push(Violated::new(what, shows([Some(number), None])));
        }
        let again = of
            .gone
            .without(&Bits::default())
            .find(|number| read.has(*number));
        if let Some(number) = again {
            let what = format!(
                "a session saw {} in {listing} again after it was gone",
                name(number)
            );
            broken
                .back
                .push(Violated::new(what, shows([Some(number), None])));
        }
        for other in self.sessions.values() {
            // What it had seen grows: its last add that is shown asks for the most.
            let last = other
                .adds
                .iter()
                .rev()
                .find(|(number, _)| read.has(*number));
            let missing = last.and_then(|(shown, before)| {
                let missing = before.without(read).find(lost)?;
                Some((*shown, missing))
            });
            if let Some((shown, missing)) = missing {
                let what = format!(
                    "{} is in {listing} without {}, which whoever added it had seen",
                    name(shown),
                    name(missing)
                );
                let calls = shows([Some(shown), Some(missing)]);
                broken.causes.push(Violated::new(what, calls));
            }
        }
    }
}
