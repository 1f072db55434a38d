//! A night of a unit is sold at most once: in every ledger, and by every receipt.

use std::collections::BTreeMap;

use meridian_consensus_core::Outcome;

use super::super::history::{Ack, History, Nights};

/// A sale, and from when until when it stands, by the time of the log.
#[derive(Debug, Clone)]
struct Sale {
    key: String,
    nights: Nights,
    from_ms: u64,
    until_ms: u64,
}

/// What a receipt says surely. A hold that somebody has tried to give back may be gone.
fn sale(history: &History, ack: &Ack) -> Option<Sale> {
    let told_ms = ack.applied.at_ms;
    let (from_ms, until_ms) = match ack.applied.outcome() {
        Outcome::Held(held) if !history.given_back.contains(&(ack.listing, held.number)) => {
            let until_ms = held.expires_at_ms;
            (told_ms.min(until_ms.saturating_sub(1)), until_ms)
        }
        // At the latest from the receipt on; nobody opens it again.
        Outcome::Blocked(_) => (told_ms, u64::MAX),
        _ => return None,
    };
    Some(Sale {
        key: ack.key.clone(),
        nights: ack.nights?,
        from_ms,
        until_ms,
    })
}

pub(super) fn check(history: &History) -> Result<(), String> {
    for ((listing, node), ledger) in &history.finals {
        let checked = ledger.check_invariants();
        checked.map_err(|what| format!("listing {listing} on node {node}: {what}"))?;
    }
    let mut sales: BTreeMap<u64, BTreeMap<String, Sale>> = BTreeMap::new();
    for ack in &history.acks {
        if let Some(sale) = sale(history, ack) {
            let of_listing = sales.entry(ack.listing).or_default();
            // The first receipt for a key says the most.
            of_listing.entry(ack.key.clone()).or_insert(sale);
        }
    }
    for (listing, sales) in sales {
        let sales: Vec<Sale> = sales.into_values().collect();
        check_listing(&sales, history.units)
            .map_err(|what| format!("listing {listing}: {what}"))?;
    }
    Ok(())
}

fn check_listing(sales: &[Sale], units: u32) -> Result<(), String> {
    for one in sales {
        for night in one.nights.from..one.nights.until {
            // Who stands when this one begins to.
            let standing = sales.iter().filter(|other| {
                (other.nights.from..other.nights.until).contains(&night)
                    && (other.from_ms..other.until_ms).contains(&one.from_ms)
            });
            let taken: u32 = standing.clone().map(|sale| sale.nights.units).sum();
            if taken > units {
                let keys: Vec<&str> = standing.map(|sale| sale.key.as_str()).collect();
                return Err(format!(
                    "night {night} of {units} units is sold to {keys:?}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use meridian_consensus_core::Ledger;

    use super::super::tests::{ack, hold};
    use super::check;
    use crate::tests::sim::history::History;

    #[test]
    fn night_that_two_guests_have_receipts_for_is_condemned() {
        // Two replicas that knew nothing of one another.
        let first = hold(&mut Ledger::default(), "a", (0, 2));
        let second = hold(&mut Ledger::default(), "b", (1, 3));
        let mut history = History {
            units: 1,
            acks: vec![ack("a", (0, 2), first, 1), ack("b", (1, 3), second, 2)],
            ..History::default()
        };
        assert!(check(&history).is_err());
        history.units = 2;
        assert_eq!(check(&history), Ok(()));
        history.units = 1;
        history.given_back.insert((0, 1));
        assert_eq!(
            check(&history),
            Ok(()),
            "the first may have been given back"
        );
    }
}
