//! One key, one booking: every attempt under a key is told the same, and no two keys are
//! told of one reservation.
//!
//! Where a ledger has refused more than it can keep, a key that was refused may be decided
//! afresh (ADR 12).

use std::collections::HashMap;

use super::finding::counted;
use super::seen::{Ledger, Request, Seen};
use super::{Finding, Violated};
use crate::record::Call;

const PROMISE: &str = "one key does its work once";

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut violations = Vec::new();
    let mut repeated = 0;
    for ledger in &seen.ledgers {
        let forgets = ledger.forgets();
        for request in &ledger.requests {
            repeated += usize::from(request.attempts.len() > 1);
            if let Some(how) = differs(request, forgets) {
                let what = format!("key {} of {}: {how}", request.key, ledger.listing);
                violations.push(Violated::new(what, request.calls()));
            }
        }
        shared(ledger, &mut violations);
    }
    let keys = seen.requests().count();
    let looked_at = format!("{}, {repeated} of them repeated", counted(keys, "key"));
    (keys > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

/// How the answers to one key differ.
fn differs(request: &Request<'_>, forgets: bool) -> Option<String> {
    let mut answers = request.answers().map(|(_, answered)| answered);
    let first = answers.next()?;
    for other in answers {
        let names = [(&first.booking, &other.booking), (&first.hold, &other.hold)];
        for (one, other) in names {
            if let (Some(one), Some(other)) = (one, other)
                && one != other
            {
                return Some(format!("it was told of {one}, and of {other}"));
            }
        }
        let tokens = first.fencing_token.zip(other.fencing_token);
        if let Some((one, other)) = tokens.filter(|(one, other)| one != other) {
            return Some(format!("it has fencing token {one}, and {other}"));
        }
    }
    let ended = |codes: &[&str]| request.is_refused(codes);
    let is_sold = request.is_told("confirmed") || request.is_told("cancelled");
    if is_sold && ended(&["payment-declined"]) {
        return Some("its payment was accepted, and declined".to_owned());
    }
    let is_pending = request.is_told("pending_payment") && !is_sold;
    if !forgets
        && (ended(&["slot-taken", "quote-stale"]) || ended(&["hold-expired"]) && !is_pending)
    {
        return Some("it was done, and refused".to_owned());
    }
    None
}

/// Reservations that two keys have made.
fn shared(ledger: &Ledger<'_>, violations: &mut Vec<Violated>) {
    let mut makers: HashMap<&str, &Request<'_>> = HashMap::new();
    let mut tokens: HashMap<u64, (&str, &Request<'_>)> = HashMap::new();
    for request in &ledger.requests {
        // A hold is paid for by another key than its own.
        let name = match request.what() {
            Call::Book { .. } => request.booking(),
            Call::Hold { .. } => request.hold(),
            _ => None,
        };
        let Some(name) = name else { continue };
        let first = *makers.entry(name).or_insert(request);
        if first.key != request.key {
            let what = format!("keys {} and {} both made {name}", first.key, request.key);
            violations.push(Violated::new(what, first.calls().chain(request.calls())));
        }
        let token = request
            .answers()
            .find_map(|(_, answered)| answered.fencing_token);
        let Some(token) = token else { continue };
        let (other, first) = *tokens.entry(token).or_insert((name, request));
        if other != name {
            let what = format!("{other} and {name} both have fencing token {token}");
            violations.push(Violated::new(what, first.calls().chain(request.calls())));
        }
    }
}
