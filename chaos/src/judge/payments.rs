//! Sagas come to their end, and money is conserved: what the provider has taken and given
//! back, by its own book, is what the ledgers say is due.
//!
//! A card that is out of order on purpose keeps its saga waiting: of it only the amounts
//! are judged.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finding::counted;
use super::seen::{Request, Seen};
use super::{Finding, Violated};
use crate::record::{Call, Final, FinalBooking, FinalDue, FinalPayment};

const PROMISE: &str = "money is conserved";
/// Ends of names of cards that keep a step of the sandbox provider from ever being done.
const STUCK: [&str; 2] = ["unavailable", "timeout"];

#[derive(Default)]
struct Sums {
    captured: u64,
    refunded: u64,
    authorized: bool,
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut book: BTreeMap<&str, Sums> = BTreeMap::new();
    let mut due: HashMap<&str, &FinalDue> = HashMap::new();
    for one in &seen.run.finals {
        match one {
            Final::Payment(payment) => book.entry(&payment.booking).or_default().add(payment),
            Final::Due(one) => drop(due.insert(&one.booking, one)),
            _ => {}
        }
    }
    let bookings: BTreeMap<&str, &FinalBooking> = seen
        .ledgers
        .iter()
        .filter_map(|ledger| ledger.finals.values().next())
        .flatten()
        .map(|one| (one.booking.as_str(), *one))
        .collect();
    // Without a book, or without a ledger, there is nothing to compare.
    if book.is_empty() || bookings.is_empty() {
        return None;
    }
    let calls = calls(seen);
    let stuck = Stuck::of(seen);
    let mut violations = Vec::new();
    let mut blame = |booking: &str, how: String| {
        let calls = calls.get(booking).cloned().unwrap_or_default();
        violations.push(Violated::new(format!("{booking}: {how}"), calls));
    };
    for (name, booking) in &bookings {
        let none = Sums::default();
        let sums = book.get(name).unwrap_or(&none);
        if let Some(how) = sums.differs(booking, due.get(name).copied(), stuck.may_be(booking)) {
            blame(name, how);
        }
    }
    for (name, sums) in &book {
        if !bookings.contains_key(name) && (sums.captured > sums.refunded || sums.authorized) {
            blame(
                name,
                "money was taken, and no ledger has the booking".to_owned(),
            );
        }
    }
    let looked_at = format!(
        "{}, {}",
        counted(bookings.len(), "booking"),
        counted(book.len(), "payment")
    );
    Some(Finding::of(PROMISE, looked_at, violations))
}

impl Sums {
    fn add(&mut self, payment: &FinalPayment) {
        self.captured += payment.captured;
        self.refunded += payment.refunded;
        self.authorized |= payment.authorized;
    }

    fn differs(
        &self,
        booking: &FinalBooking,
        due: Option<&FinalDue>,
        stuck: bool,
    ) -> Option<String> {
        let (captured, refunded) = (self.captured, self.refunded);
        let amounts = format!("{captured} taken, {refunded} given back");
        if refunded > captured {
            return Some(format!("more was given back than taken: {amounts}"));
        }
        if due.is_some_and(|due| captured != 0 && captured != due.price) {
            let price = due.map_or(0, |due| due.price);
            return Some(format!("its price is {price}: {amounts}"));
        }
        if stuck {
            return None;
        }
        if self.authorized {
            return Some(format!(
                "it is {}, and money is still set aside",
                booking.state
            ));
        }
        let kept = captured - refunded;
        match booking.state.as_str() {
            "pending_payment" => Some("its payment never came to an end".to_owned()),
            "confirmed" => {
                let is_paid = match due {
                    Some(due) => kept == due.price,
                    None => captured > 0 && refunded == 0,
                };
                (!is_paid).then(|| format!("it is confirmed: {amounts}"))
            }
            "cancelled" => {
                let refund = due.and_then(|due| Some((due.price, due.refund?)));
                let (price, refund) = refund?;
                (kept != price - refund.min(price))
                    .then(|| format!("{refund} of {price} are due back: {amounts}"))
            }
            // Held, expired: its guest has got nothing.
            state => (kept != 0).then(|| format!("it is {state}: {amounts}")),
        }
    }
}

/// Calls that were told of each booking.
fn calls<'a>(seen: &Seen<'a>) -> HashMap<&'a str, Vec<u64>> {
    let mut calls: HashMap<&str, Vec<u64>> = HashMap::new();
    for (_, request) in seen.requests() {
        let asked = match request.what() {
            Call::Cancel { booking, .. } => Some(booking.as_str()),
            _ => request.booking(),
        };
        if let Some(booking) = asked {
            calls.entry(booking).or_default().push(request.first_call());
        }
    }
    calls
}

/// Payments by cards that are out of order on purpose.
struct Stuck<'a> {
    bookings: HashSet<&'a str>,
    /// Listings where nobody was told which booking such a card has paid.
    listings: HashSet<&'a str>,
    told: HashSet<&'a str>,
}

impl<'a> Stuck<'a> {
    fn of(seen: &Seen<'a>) -> Self {
        let mut stuck = Self {
            bookings: HashSet::new(),
            listings: HashSet::new(),
            told: HashSet::new(),
        };
        for (ledger, request) in seen.requests() {
            stuck.told.extend(request.booking());
            if !is_stuck(request) {
                continue;
            }
            match request.booking() {
                Some(booking) => drop(stuck.bookings.insert(booking)),
                None => drop(stuck.listings.insert(ledger.listing)),
            }
        }
        stuck
    }

    fn may_be(&self, booking: &FinalBooking) -> bool {
        let name = booking.booking.as_str();
        self.bookings.contains(name)
            || !self.told.contains(name) && self.listings.contains(booking.listing.as_str())
    }
}

fn is_stuck(request: &Request<'_>) -> bool {
    match request.what() {
        Call::Book { card, .. } | Call::Confirm { card, .. } => {
            STUCK.iter().any(|end| card.ends_with(end))
        }
        _ => false,
    }
}
