//! At most one leader in a term, and one entry at an index of a term.

use std::collections::BTreeMap;

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    let mut leaders = BTreeMap::new();
    for led in &history.leaders {
        let first = leaders.entry((led.listing, led.term)).or_insert(led.node);
        if *first != led.node {
            return Err(format!(
                "nodes {first} and {} lead listing {} in term {}",
                led.node, led.listing, led.term
            ));
        }
    }
    let mut entries = BTreeMap::new();
    for sent in &history.entries {
        let place = (sent.listing, sent.term, sent.index);
        if *entries.entry(place).or_insert(sent.digest) != sent.digest {
            return Err(format!(
                "two entries at index {} of term {} in listing {}",
                sent.index, sent.term, sent.listing
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tests::sim::history::{History, Led, Sent};

    #[test]
    fn two_leaders_of_one_term_are_condemned() {
        let led = |term, node| Led {
            listing: 0,
            term,
            node,
        };
        let mut history = History::default();
        history.leaders.extend([led(1, 1), led(2, 2)]);
        assert_eq!(check(&history), Ok(()));
        history.leaders.insert(led(2, 3));
        assert!(check(&history).is_err());
    }

    #[test]
    fn two_entries_at_one_index_of_one_term_are_condemned() {
        let sent = |term, digest| Sent {
            listing: 0,
            term,
            index: 9,
            digest,
        };
        let mut history = History::default();
        history.entries.extend([sent(1, 1), sent(2, 2)]);
        assert_eq!(check(&history), Ok(()));
        history.entries.insert(sent(2, 3));
        assert!(check(&history).is_err());
    }
}
