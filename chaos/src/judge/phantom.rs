//! No phantom: every reservation of a final ledger was asked for by somebody, and not only
//! by those who were told that it was not done.
//!
//! Reservations whose names clients were told are known by them. The others must each have
//! a request of their own, for the same nights, that may have become what is shown.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finding::counted;
use super::seen::{Ledger, Request, Seen};
use super::{Finding, Violated};
use crate::record::Call;

const PROMISE: &str = "no booking that nobody asked for";
/// Refusals of what took nights for a moment.
const PASSING: [&str; 2] = ["payment-declined", "hold-expired"];

/// Nights of a listing: first, and the day after the last.
type Nights<'a> = (&'a str, &'a str);

/// Requests for the same nights whose reservations nobody was told the names of.
#[derive(Default)]
struct Untold {
    /// They may have become a booking.
    sold: usize,
    /// They may have left a reservation of any kind.
    any: usize,
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut violations = Vec::new();
    let mut looked_at = 0;
    for ledger in &seen.ledgers {
        let named: HashSet<&str> = ledger
            .requests
            .iter()
            .filter_map(Request::booking)
            .collect();
        let untold = untold(ledger);
        for (region, bookings) in &ledger.finals {
            looked_at += bookings.len();
            let mut unknown: BTreeMap<Nights<'_>, Vec<(&str, &str)>> = BTreeMap::new();
            for one in bookings {
                if !named.contains(one.booking.as_str()) {
                    let nights = (one.check_in.as_str(), one.check_out.as_str());
                    let shown = (one.booking.as_str(), one.state.as_str());
                    unknown.entry(nights).or_default().push(shown);
                }
            }
            for (nights, shown) in unknown {
                let none = Untold::default();
                let asked = untold.get(&nights).unwrap_or(&none);
                if let Some(how) = unexplained(&shown, asked) {
                    let (from, until) = nights;
                    let what =
                        format!("{from} to {until} of {} in {region}: {how}", ledger.listing);
                    violations.push(Violated::new(what, asked_for(ledger, nights)));
                }
            }
        }
    }
    let shown = counted(looked_at, "reservation");
    let looked_at_all = format!("{shown} in final ledgers");
    (looked_at > 0).then(|| Finding::of(PROMISE, looked_at_all, violations))
}

fn untold<'a>(ledger: &Ledger<'a>) -> HashMap<Nights<'a>, Untold> {
    let mut untold: HashMap<Nights<'a>, Untold> = HashMap::new();
    let mut held: HashMap<&str, Nights<'a>> = HashMap::new();
    let mut paid: HashMap<&str, Paid> = HashMap::new();
    for request in &ledger.requests {
        match (request.what(), request.what().stay()) {
            (Call::Book { .. }, Some(nights)) if request.booking().is_none() => {
                let one = untold.entry(nights).or_default();
                if request.may_be_done() {
                    one.sold += 1;
                    one.any += 1;
                } else if request.is_refused(&PASSING) {
                    one.any += 1;
                }
            }
            (Call::Hold { .. }, Some(nights)) if request.may_be_done() => {
                untold.entry(nights).or_default().any += 1;
                if let Some(hold) = request.hold() {
                    held.insert(hold, nights);
                }
            }
            (Call::Confirm { hold, .. }, _) => {
                let one = paid.entry(hold).or_default();
                one.told |= request.booking().is_some();
                one.perhaps |= request.may_be_done();
            }
            _ => {}
        }
    }
    for (hold, paid) in paid {
        let Some(one) = held.get(hold).and_then(|nights| untold.get_mut(nights)) else {
            continue;
        };
        if paid.told {
            // It is known by the name of its booking.
            one.any -= 1;
        } else if paid.perhaps {
            one.sold += 1;
        }
    }
    untold
}

/// What became of payments for a hold.
#[derive(Default)]
struct Paid {
    told: bool,
    perhaps: bool,
}

fn unexplained(shown: &[(&str, &str)], asked: &Untold) -> Option<String> {
    let sold = |state: &str| matches!(state, "confirmed" | "pending_payment");
    let names = |only_sold: bool| {
        let shown = shown.iter().filter(|(_, state)| !only_sold || sold(state));
        shown.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let (bookings, all) = (names(true), names(false));
    if bookings.len() > asked.sold {
        let count = counted(asked.sold, "such request");
        return Some(format!(
            "{} sold, and {count} can have been",
            bookings.join(" and ")
        ));
    }
    (all.len() > asked.any).then(|| {
        let count = counted(asked.any, "such request");
        format!("{} shown, and {count} can have been", all.join(" and "))
    })
}

fn asked_for(ledger: &Ledger<'_>, nights: Nights<'_>) -> Vec<u64> {
    let same = ledger
        .requests
        .iter()
        .filter(|one| one.what().stay() == Some(nights));
    let refused = same.filter(|one| !one.may_be_done());
    refused
        .flat_map(|one| one.calls().collect::<Vec<_>>())
        .take(16)
        .collect()
}
