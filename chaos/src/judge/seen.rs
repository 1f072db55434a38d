//! A run sorted for its checkers: what was asked of each listing's ledger under each key,
//! and what every region shows of it in the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use super::steps::{Story, Unknown};
use crate::record::{Answered, Call, Final, FinalBooking, Operation, Outcome, Run};

/// Refusals that a ledger decides, and keeps with the request's key. Every other refusal
/// says only that this attempt did nothing.
const DECIDED: [&str; 4] = [
    "slot-taken",
    "hold-expired",
    "payment-declined",
    "quote-stale",
];

/// Refusals that a ledger remembers at least (ADR 12).
const REFUSALS_KEPT: usize = 768;

/// A run, sorted.
pub(super) struct Seen<'a> {
    pub(super) run: &'a Run,
    pub(super) ledgers: Vec<Ledger<'a>>,
}

/// What was seen of one listing's ledger.
pub(super) struct Ledger<'a> {
    pub(super) listing: &'a str,
    /// Its units; `None` if no region showed them.
    pub(super) units: Option<u32>,
    /// What was asked with a key.
    pub(super) requests: Vec<Request<'a>>,
    /// Releases and reads, which have none.
    pub(super) others: Vec<&'a Operation>,
    /// What each region that was read shows in the end.
    pub(super) finals: BTreeMap<&'a str, Vec<&'a FinalBooking>>,
    /// All of it as steps, once somebody has asked.
    pub(super) story: OnceLock<Result<Story, Unknown>>,
}

/// All attempts under one key: they are one request.
pub(super) struct Request<'a> {
    pub(super) key: &'a str,
    pub(super) attempts: Vec<&'a Operation>,
}

/// How often each amenity of a listing was added, or tried to be.
pub(super) struct Adds<'a>(HashMap<(&'a str, &'a str), usize>);

impl<'a> Adds<'a> {
    pub(super) fn of(operations: &'a [Operation]) -> Self {
        let mut adds = HashMap::new();
        for operation in operations {
            if let Call::AddAmenity {
                listing, amenity, ..
            } = &operation.invoked.what
            {
                *adds
                    .entry((listing.as_str(), amenity.as_str()))
                    .or_insert(0) += 1;
            }
        }
        Self(adds)
    }

    /// Whether a call is about an amenity that was added more than once: who sees it does not know
    /// which add he sees.
    pub(super) fn are_added_again(&self, what: &Call) -> bool {
        let (Call::AddAmenity { amenity, .. }
        | Call::RemoveAmenity { amenity, .. }
        | Call::Search { amenity, .. }) = what
        else {
            return false;
        };
        self.0
            .get(&(what.listing(), amenity.as_str()))
            .is_some_and(|adds| *adds > 1)
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    Done(&'a Answered),
    /// The ledger has decided against it.
    Refused(&'a str),
    /// This attempt did nothing.
    NotDone,
    Unknown,
}

impl Operation {
    pub(super) fn word(&self) -> Word<'_> {
        match self.completed.as_ref().map(|completed| &completed.outcome) {
            Some(Outcome::Ok(answered)) => Word::Done(answered),
            Some(Outcome::Fail { code }) if DECIDED.contains(&code.as_str()) => Word::Refused(code),
            Some(Outcome::Fail { .. }) => Word::NotDone,
            Some(Outcome::Unknown { .. }) | None => Word::Unknown,
        }
    }

    pub(super) fn answered(&self) -> Option<&Answered> {
        match self.word() {
            Word::Done(answered) => Some(answered),
            _ => None,
        }
    }

    pub(super) const fn call(&self) -> u64 {
        self.invoked.call
    }

    /// When it was asked, in microseconds of the run.
    pub(super) const fn began_us(&self) -> u64 {
        self.invoked.at_us
    }

    /// When it was over; never if nobody knows what became of it.
    pub(super) fn ended_us(&self) -> u64 {
        match (self.word(), &self.completed) {
            (Word::Unknown, _) | (_, None) => u64::MAX,
            (_, Some(completed)) => completed.at_us,
        }
    }
}

impl Ledger<'_> {
    /// Whether a key that was refused may have been decided afresh: the ledger keeps only
    /// so many refusals.
    pub(super) fn forgets(&self) -> bool {
        let refused = self
            .requests
            .iter()
            .filter(|one| one.answers().next().is_none());
        refused.count() > REFUSALS_KEPT
    }
}

impl<'a> Request<'a> {
    pub(super) fn what(&self) -> &'a Call {
        &self.attempts[0].invoked.what
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = u64> {
        self.attempts.iter().map(|one| one.call())
    }

    /// Answers of what was done.
    pub(super) fn answers(&self) -> impl Iterator<Item = (&'a Operation, &'a Answered)> {
        let attempts = self.attempts.iter();
        attempts.filter_map(|one| one.answered().map(|answered| (*one, answered)))
    }

    /// Attempts that a ledger has decided against, with one of these codes.
    pub(super) fn refused(&self, codes: &[&str]) -> impl Iterator<Item = &'a Operation> {
        let attempts = self.attempts.iter().copied();
        attempts.filter(|one| matches!(one.word(), Word::Refused(code) if codes.contains(&code)))
    }

    pub(super) fn is_refused(&self, codes: &[&str]) -> bool {
        self.refused(codes).next().is_some()
    }

    pub(super) fn has_unknown(&self) -> bool {
        let mut attempts = self.attempts.iter();
        attempts.any(|one| matches!(one.word(), Word::Unknown))
    }

    /// Whether some attempt may have been decided by the ledger.
    pub(super) fn may_be_done(&self) -> bool {
        self.has_unknown() || self.answers().next().is_some()
    }

    /// When it can have been executed at the earliest.
    pub(super) fn began_us(&self) -> u64 {
        let perhaps = |one: &&&Operation| !matches!(one.word(), Word::NotDone);
        let attempts = self.attempts.iter().filter(perhaps);
        attempts.map(|one| one.began_us()).min().unwrap_or(u64::MAX)
    }

    /// When it was done at the latest.
    pub(super) fn done_us(&self) -> Option<u64> {
        self.answers().map(|(one, _)| one.ended_us()).min()
    }

    /// Whether somebody was told that it stands as `state`.
    pub(super) fn is_told(&self, state: &str) -> bool {
        self.answers()
            .any(|(_, answered)| answered.state.as_deref() == Some(state))
    }

    pub(super) fn booking(&self) -> Option<&'a str> {
        self.answers()
            .find_map(|(_, answered)| answered.booking.as_deref())
    }

    pub(super) fn hold(&self) -> Option<&'a str> {
        self.answers()
            .find_map(|(_, answered)| answered.hold.as_deref())
    }

    /// The first attempt.
    pub(super) fn first_call(&self) -> u64 {
        self.attempts[0].call()
    }
}

impl Call {
    /// First night, and the day after the last.
    pub(super) fn stay(&self) -> Option<(&str, &str)> {
        match self {
            Self::Book {
                check_in,
                check_out,
                ..
            }
            | Self::Hold {
                check_in,
                check_out,
                ..
            } => Some((check_in, check_out)),
            _ => None,
        }
    }
}

impl<'a> Seen<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let mut sorting = Sorting::default();
        for operation in &run.operations {
            if operation.invoked.what.needs_quorum() {
                sorting.operation(operation);
            }
        }
        for one in &run.finals {
            match one {
                Final::Ledger {
                    listing,
                    region,
                    units,
                } => {
                    let ledger = sorting.ledger(listing);
                    ledger.units = Some(*units);
                    ledger.finals.entry(region).or_default();
                }
                Final::Booking(booking) => {
                    let ledger = sorting.ledger(&booking.listing);
                    let region = ledger.finals.entry(&booking.region).or_default();
                    region.push(booking);
                }
                _ => {}
            }
        }
        Self {
            run,
            ledgers: sorting.ledgers,
        }
    }

    /// Every request of every listing.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&Ledger<'a>, &Request<'a>)> {
        let ledgers = self.ledgers.iter();
        ledgers.flat_map(|ledger| ledger.requests.iter().map(move |one| (ledger, one)))
    }
}

#[derive(Default)]
struct Sorting<'a> {
    ledgers: Vec<Ledger<'a>>,
    places: HashMap<&'a str, usize>,
    keys: HashMap<(usize, std::mem::Discriminant<Call>, &'a str), usize>,
}

impl<'a> Sorting<'a> {
    fn place(&mut self, listing: &'a str) -> usize {
        *self.places.entry(listing).or_insert_with(|| {
            self.ledgers.push(Ledger {
                listing,
                units: None,
                requests: Vec::new(),
                others: Vec::new(),
                finals: BTreeMap::new(),
                story: OnceLock::new(),
            });
            self.ledgers.len() - 1
        })
    }

    fn ledger(&mut self, listing: &'a str) -> &mut Ledger<'a> {
        let place = self.place(listing);
        &mut self.ledgers[place]
    }

    fn operation(&mut self, operation: &'a Operation) {
        let what = &operation.invoked.what;
        let place = self.place(what.listing());
        let ledger = &mut self.ledgers[place];
        let Some(key) = what.key() else {
            ledger.others.push(operation);
            return;
        };
        let of_key = (place, std::mem::discriminant(what), key);
        let request = *self.keys.entry(of_key).or_insert_with(|| {
            ledger.requests.push(Request {
                key,
                attempts: Vec::new(),
            });
            ledger.requests.len() - 1
        });
        ledger.requests[request].attempts.push(operation);
    }
}
