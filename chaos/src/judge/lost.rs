//! What a client was told of a booking is what every region's ledger shows in the end.

use std::collections::{BTreeMap, HashMap};

use super::finding::counted;
use super::seen::{Ledger, Seen};
use super::{Finding, Violated};
use crate::record::{Call, FinalBooking};

const PROMISE: &str = "no acknowledged booking is lost";

/// What clients know of a booking.
#[derive(Default)]
struct Told<'a> {
    stay: Option<(&'a str, &'a str)>,
    /// `confirmed` was told; else its payment was pending at last.
    is_confirmed: bool,
    cancel: Cancel,
    calls: Vec<u64>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cancel {
    #[default]
    NotAsked,
    Perhaps,
    Done,
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut violations = Vec::new();
    let mut bookings = 0;
    for ledger in seen.ledgers.iter().filter(|one| !one.finals.is_empty()) {
        let told = told(ledger);
        bookings += told.len();
        for (region, finals) in &ledger.finals {
            let shown: HashMap<&str, &FinalBooking> = finals
                .iter()
                .map(|one| (one.booking.as_str(), *one))
                .collect();
            for (booking, told) in &told {
                if let Some(how) = differs(told, shown.get(booking).copied()) {
                    let what = format!("{booking} of {}: {how} in {region}", ledger.listing);
                    violations.push(Violated::new(what, told.calls.iter().copied()));
                }
            }
        }
    }
    let looked_at = format!(
        "{} in every region",
        counted(bookings, "acknowledged booking")
    );
    (bookings > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

fn told<'a>(ledger: &Ledger<'a>) -> BTreeMap<&'a str, Told<'a>> {
    let mut told: BTreeMap<&str, Told<'a>> = BTreeMap::new();
    let held: HashMap<&str, (&str, &str)> = ledger
        .requests
        .iter()
        .filter_map(|request| Some((request.hold()?, request.what().stay()?)))
        .collect();
    for request in &ledger.requests {
        let stay = match request.what() {
            what @ Call::Book { .. } => what.stay(),
            Call::Confirm { hold, .. } => held.get(hold.as_str()).copied(),
            _ => continue,
        };
        let Some(booking) = request.booking() else {
            continue;
        };
        let one = told.entry(booking).or_default();
        one.stay = one.stay.or(stay);
        one.is_confirmed |= request.is_told("confirmed");
        one.calls.push(request.first_call());
    }
    for request in &ledger.requests {
        let Call::Cancel { booking, .. } = request.what() else {
            continue;
        };
        let cancel = match (request.done_us(), request.may_be_done()) {
            (Some(_), _) => Cancel::Done,
            (None, true) => Cancel::Perhaps,
            (None, false) => continue,
        };
        let one = told.entry(booking).or_default();
        one.is_confirmed |= cancel == Cancel::Done;
        one.cancel = one.cancel.max(cancel);
        one.calls.push(request.first_call());
    }
    // Of what somebody only tried to cancel nothing is known.
    told.retain(|_, one| one.cancel == Cancel::Done || one.is_confirmed || one.stay.is_some());
    told
}

/// How a final booking differs from what was told of it.
fn differs(told: &Told<'_>, shown: Option<&FinalBooking>) -> Option<String> {
    let Some(shown) = shown else {
        return Some("it is gone".to_owned());
    };
    let nights = (shown.check_in.as_str(), shown.check_out.as_str());
    if let Some(stay) = told.stay.filter(|stay| *stay != nights) {
        let ((from, until), (shown_from, shown_until)) = (stay, nights);
        return Some(format!(
            "asked for {from} to {until}, it is {shown_from} to {shown_until}"
        ));
    }
    let state = shown.state.as_str();
    let may_be = match (told.cancel, told.is_confirmed) {
        (Cancel::Done, _) => state == "cancelled",
        (Cancel::Perhaps, true) => matches!(state, "confirmed" | "cancelled"),
        (Cancel::NotAsked, true) => state == "confirmed",
        // A pending payment may end in any way.
        (_, false) => true,
    };
    let was = match (told.cancel, told.is_confirmed) {
        (Cancel::Done, _) => "cancelled",
        _ => "confirmed",
    };
    (!may_be).then(|| format!("it was {was}, and is {state}"))
}
