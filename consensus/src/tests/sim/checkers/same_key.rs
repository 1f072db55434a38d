//! The same key has the same outcome, whoever answers, and does its work once.

use std::collections::BTreeMap;

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    let mut first = BTreeMap::new();
    for ack in &history.acks {
        let place = (ack.listing, ack.key.as_str());
        let outcome = ack.applied.outcome();
        let before = first.entry(place).or_insert(outcome);
        if *before != outcome {
            let (listing, key) = place;
            return Err(format!(
                "key {key} of listing {listing}: {before:?}, then {outcome:?}"
            ));
        }
    }
    for ((listing, node), ledger) in &history.finals {
        let mut holders = BTreeMap::new();
        // A hold's quote is its key.
        for one in ledger.reservations().filter(|one| !one.quote.is_empty()) {
            if let Some(other) = holders.insert(&one.quote, one.number) {
                return Err(format!(
                    "key {} of listing {listing} on node {node} holds {other} and {}",
                    one.quote, one.number
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use meridian_consensus_core::Ledger;

    use super::super::tests::{ack, hold};
    use super::check;
    use crate::tests::sim::history::History;

    #[test]
    fn key_with_two_outcomes_is_condemned() {
        let mut taken = Ledger::default();
        hold(&mut taken, "b", (0, 2));
        let (held, refused) = (
            hold(&mut Ledger::default(), "a", (0, 2)),
            hold(&mut taken, "a", (0, 2)),
        );
        let history = History {
            acks: vec![ack("a", (0, 2), held, 1), ack("a", (0, 2), refused, 2)],
            ..History::default()
        };
        assert!(check(&history).is_err());
    }

    #[test]
    fn key_that_holds_twice_is_condemned() {
        let mut ledger = Ledger::default();
        hold(&mut ledger, "a", (0, 2));
        let mut history = History::default();
        history.finals.insert((0, 1), Arc::new(ledger.clone()));
        assert_eq!(check(&history), Ok(()));
        // Under another name, as if the first had been forgotten.
        let mut other = meridian_consensus_core::Hold {
            quote: "a".to_owned(),
            ttl_ms: 60_000,
            ..Default::default()
        };
        other.stay = meridian_consensus_core::Stay::new(
            jiff::civil::date(2027, 7, 1),
            jiff::civil::date(2027, 7, 2),
            1,
        );
        other.terms.units = 1;
        other.terms.capacity = 1;
        let op = meridian_consensus_core::Op::Hold(other);
        let mut command = meridian_consensus_core::Command::new(op, None);
        command.at_ms = ledger.time_ms();
        assert_eq!(ledger.apply(&command).outcome().rejection(), None);
        history.finals.insert((0, 2), Arc::new(ledger));
        assert!(check(&history).is_err());
    }
}
