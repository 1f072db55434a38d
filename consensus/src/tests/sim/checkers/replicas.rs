//! Replicas that have applied the same entries are equal, byte for byte; when all is
//! quiet, all are.

use std::collections::BTreeMap;

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    let mut known = BTreeMap::new();
    for sample in &history.samples {
        let place = (sample.listing, sample.applied);
        let (digest, node) = *known.entry(place).or_insert((sample.digest, sample.node));
        if digest != sample.digest {
            return Err(format!(
                "listing {} at index {} differs on nodes {node} and {}",
                sample.listing, sample.applied, sample.node
            ));
        }
    }
    let mut finals = BTreeMap::new();
    for ((listing, node), ledger) in &history.finals {
        let first = finals.entry(*listing).or_insert(ledger);
        if first.encode() != ledger.encode() {
            return Err(format!("listing {listing} differs on node {node} at last"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use meridian_consensus_core::Ledger;

    use super::super::tests::hold;
    use super::check;
    use crate::tests::sim::history::{History, Sample};

    #[test]
    fn replicas_that_differ_at_one_index_are_condemned() {
        let sample = |applied, digest, node| Sample {
            listing: 0,
            applied,
            digest,
            node,
        };
        let mut history = History::default();
        history.samples.extend([sample(4, 1, 1), sample(5, 2, 2)]);
        assert_eq!(check(&history), Ok(()));
        history.samples.insert(sample(5, 3, 3));
        assert!(check(&history).is_err());
    }

    #[test]
    fn replicas_that_differ_at_last_are_condemned() {
        let mut history = History::default();
        let mut ledger = Ledger::default();
        history.finals.insert((0, 1), Arc::new(ledger.clone()));
        hold(&mut ledger, "a", (0, 2));
        history.finals.insert((0, 2), Arc::new(ledger));
        assert!(check(&history).is_err());
    }
}
