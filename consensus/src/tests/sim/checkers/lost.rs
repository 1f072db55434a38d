//! What was acknowledged is in every ledger when all is quiet.

use meridian_consensus_core::Fate;

use super::super::history::{CALLER, History};

pub(super) fn check(history: &History) -> Result<(), String> {
    for ((listing, node), ledger) in &history.finals {
        for ack in history.acks.iter().filter(|ack| ack.listing == *listing) {
            // Keys are kept for a day, which no simulation lasts.
            let fate = ledger.fate(CALLER, &ack.key);
            let kept = match &fate {
                Fate::Settled(now) => now.outcome() == ack.applied.outcome(),
                Fate::InFlight { .. } | Fate::Unknown => false,
            };
            if !kept {
                return Err(format!(
                    "key {} of listing {listing} was told {:?}, and node {node} knows {fate:?}",
                    ack.key,
                    ack.applied.outcome()
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
    fn receipt_that_no_ledger_knows_is_condemned() {
        let receipt = hold(&mut Ledger::default(), "a", (0, 2));
        let mut history = History {
            acks: vec![ack("a", (0, 2), receipt, 1)],
            ..History::default()
        };
        history.finals.insert((0, 3), Arc::new(Ledger::default()));
        assert!(check(&history).is_err());
    }
}
