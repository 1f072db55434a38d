//! A night of a unit is sold at most once: neither clients were told otherwise, nor does
//! any region's ledger show it in the end.

use super::finding::counted;
use super::seen::{Ledger, Seen};
use super::{Finding, Violated};
use crate::record::Call;

const PROMISE: &str = "a night is sold once";
/// States of a final booking that take its nights.
pub(super) const TAKING: [&str; 3] = ["held", "pending_payment", "confirmed"];

struct Stay<'a> {
    from: &'a str,
    until: &'a str,
    name: &'a str,
    calls: Vec<u64>,
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut violations = Vec::new();
    let (mut told, mut kept) = (0, 0);
    for ledger in &seen.ledgers {
        let Some(units) = ledger.units else { continue };
        let sold = sold(ledger);
        told += sold.len();
        overlaps(ledger, units, "were told of", sold, &mut violations);
        for (region, bookings) in &ledger.finals {
            let taking = bookings
                .iter()
                .filter(|one| TAKING.contains(&one.state.as_str()));
            let stays: Vec<Stay<'_>> = taking
                .map(|one| Stay {
                    from: &one.check_in,
                    until: &one.check_out,
                    name: &one.booking,
                    calls: Vec::new(),
                })
                .collect();
            kept += stays.len();
            let place = format!("have in {region}");
            overlaps(ledger, units, &place, stays, &mut violations);
        }
    }
    let looked_at = format!(
        "{} that clients were told of, {} in ledgers",
        counted(told, "booking"),
        counted(kept, "stay")
    );
    (told + kept > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

/// Bookings that a client was told of, and that nobody has ever asked to cancel.
fn sold<'a>(ledger: &Ledger<'a>) -> Vec<Stay<'a>> {
    let cancelled: std::collections::HashSet<&str> = ledger
        .requests
        .iter()
        .filter_map(|request| match request.what() {
            Call::Cancel { booking, .. } => Some(booking.as_str()),
            _ => None,
        })
        .collect();
    let held: std::collections::HashMap<&str, (&str, &str)> = ledger
        .requests
        .iter()
        .filter_map(|request| Some((request.hold()?, request.what().stay()?)))
        .collect();
    let mut sold: std::collections::BTreeMap<&str, Stay<'a>> = std::collections::BTreeMap::new();
    for request in &ledger.requests {
        let stay = match request.what() {
            Call::Confirm { hold, .. } => held.get(hold.as_str()).copied(),
            what @ Call::Book { .. } => what.stay(),
            _ => None,
        };
        let (Some((from, until)), Some(name)) = (stay, request.booking()) else {
            continue;
        };
        if request.is_told("confirmed") && !cancelled.contains(name) {
            let stay = sold.entry(name).or_insert(Stay {
                from,
                until,
                name,
                calls: Vec::new(),
            });
            stay.calls.push(request.first_call());
        }
    }
    sold.into_values().collect()
}

/// Sweeps over the nights: whoever comes while all units are taken is one too many.
fn overlaps(
    ledger: &Ledger<'_>,
    units: u32,
    place: &str,
    mut stays: Vec<Stay<'_>>,
    violations: &mut Vec<Violated>,
) {
    stays.sort_by_key(|stay| (stay.from, stay.until));
    let mut present: Vec<&Stay<'_>> = Vec::new();
    for stay in &stays {
        present.retain(|one| one.until > stay.from);
        present.push(stay);
        if present.len() > units as usize {
            let names: Vec<&str> = present.iter().map(|one| one.name).collect();
            let what = format!(
                "{} {place} the night of {} of {}, which has {}",
                names.join(" and "),
                stay.from,
                ledger.listing,
                counted(units as usize, "unit")
            );
            let calls = present.iter().flat_map(|one| one.calls.iter().copied());
            violations.push(Violated::new(what, calls));
            // The rest is judged as if this one had been refused.
            present.pop();
        }
    }
}
