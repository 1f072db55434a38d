//! Every event of a listing is told on every node: to a consumer that comes back, at
//! least once and in order; in the feed itself, once.

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    for (place @ (listing, node), ledger) in &history.finals {
        let where_told = format!("listing {listing} on node {node}");
        let latest = ledger.events().last().map_or(0, |event| event.number);
        let told = history.told.get(place).map_or(&[][..], Vec::as_slice);
        let mut due = 1;
        for number in told {
            if *number > due {
                return Err(format!("{where_told}: event {number} where {due} is due"));
            }
            due = due.max(number + 1);
        }
        if due != latest + 1 {
            return Err(format!(
                "{where_told}: told through {}, of {latest}",
                due - 1
            ));
        }
        let feed = history.feeds.get(place).map_or(&[][..], Vec::as_slice);
        if !feed.iter().copied().eq(1..=latest) {
            return Err(format!("{where_told}: the feed has {feed:?}, of {latest}"));
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
    use crate::tests::sim::history::History;

    fn history(told: &[u64], feed: &[u64]) -> History {
        let mut ledger = Ledger::default();
        hold(&mut ledger, "a", (0, 1));
        hold(&mut ledger, "b", (1, 2));
        let mut history = History::default();
        history.finals.insert((0, 1), Arc::new(ledger));
        history.told.insert((0, 1), told.to_vec());
        history.feeds.insert((0, 1), feed.to_vec());
        history
    }

    #[test]
    fn event_that_is_missing_out_of_order_or_told_twice_in_a_feed_is_condemned() {
        assert_eq!(check(&history(&[1, 2], &[1, 2])), Ok(()));
        assert_eq!(check(&history(&[1, 1, 2], &[1, 2])), Ok(()));
        assert!(check(&history(&[1], &[1, 2])).is_err());
        assert!(check(&history(&[2, 1], &[1, 2])).is_err());
        assert!(check(&history(&[1, 2], &[1, 1, 2])).is_err());
        assert!(check(&history(&[1, 2], &[1])).is_err());
    }
}
