//! A linearizable read shows everything that was acknowledged or read before it began.

use std::collections::BTreeMap;

use meridian_consensus_core::Fate;

use super::super::history::{CALLER, History};

/// Receipts whose keys are looked up in what was read: as many as one listing gets in a
/// few seconds.
const LOOKED_UP: usize = 32;

pub(super) fn check(history: &History) -> Result<(), String> {
    for read in &history.reads {
        let revision = read.ledger.revision();
        let told = history.acks.iter();
        let told = told.filter(|ack| ack.listing == read.listing && ack.ended < read.began);
        // Receipts are in the order of their stamps: the last ones say the most.
        for (newer, ack) in told.rev().enumerate() {
            let looked_up = newer < LOOKED_UP;
            let lacks = looked_up && read.ledger.fate(CALLER, &ack.key) == Fate::Unknown;
            if ack.applied.revision > revision || lacks {
                return Err(format!(
                    "revision {revision} of listing {} was read after key {} was told {}",
                    read.listing, ack.key, ack.applied.revision
                ));
            }
        }
    }
    reads_never_go_back(history)
}

fn reads_never_go_back(history: &History) -> Result<(), String> {
    let mut listings: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for read in &history.reads {
        listings.entry(read.listing).or_default().push(read);
    }
    for (listing, reads) in listings {
        for one in &reads {
            let (earlier, now) = (reads.iter(), one.ledger.revision());
            let mut earlier = earlier.filter(|other| other.ended < one.began);
            if let Some(newer) = earlier.find(|other| other.ledger.revision() > now) {
                return Err(format!(
                    "revision {now} of listing {listing} was read after {}",
                    newer.ledger.revision()
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
    use crate::tests::sim::history::{History, Read};

    fn read(ledger: &Ledger, began: u64, ended: u64) -> Read {
        Read {
            listing: 0,
            ledger: Arc::new(ledger.clone()),
            began,
            ended,
        }
    }

    #[test]
    fn read_that_misses_an_earlier_receipt_is_condemned() {
        let mut ledger = Ledger::default();
        let before = ledger.clone();
        let receipt = hold(&mut ledger, "a", (0, 2));
        let mut history = History {
            acks: vec![ack("a", (0, 2), receipt, 3)],
            reads: vec![read(&before, 2, 5)],
            ..History::default()
        };
        assert_eq!(check(&history), Ok(()), "it began before");
        history.reads = vec![read(&before, 4, 5)];
        assert!(check(&history).is_err());
    }

    #[test]
    fn read_that_goes_back_is_condemned() {
        let mut ledger = Ledger::default();
        let before = ledger.clone();
        hold(&mut ledger, "a", (0, 2));
        let history = History {
            reads: vec![read(&ledger, 1, 2), read(&before, 3, 4)],
            ..History::default()
        };
        assert!(check(&history).is_err());
    }
}
