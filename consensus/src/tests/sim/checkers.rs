//! One file for each promise.

mod clock;
mod contiguous;
mod events;
mod leaders;
mod lost;
mod reads;
mod records;
mod replicas;
mod same_key;
mod single_sale;

use meridian_simulation::{Checker, Violation, judge};

use super::history::History;

const CHECKERS: [(&str, Checker<History>); 11] = [
    ("single sale", single_sale::check),
    ("same key, same outcome", same_key::check),
    ("acknowledged is kept", lost::check),
    ("reads are linearizable", reads::check),
    ("replicas are equal", replicas::check),
    ("one leader per term", leaders::check),
    ("logs are contiguous", contiguous::check),
    ("records agree", records::check),
    ("clocks ahead decide nothing", clock::check),
    ("every event is told", events::check),
    ("everything ends well", ends_well),
];

/// Every promise that a history breaks.
pub(super) fn check(history: &History) -> Vec<Violation> {
    judge(&CHECKERS, history)
}

fn ends_well(history: &History) -> Result<(), String> {
    match history.stuck.first() {
        Some(what) => Err(what.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use meridian_consensus_core::{Applied, Command, Hold, Idempotency, Ledger, Op, Stay, Terms};

    use super::check;
    use crate::tests::sim::history::{Ack, CALLER, History, Nights};

    /// Holds nights in a ledger, as guest `key`.
    pub(crate) fn hold(ledger: &mut Ledger, key: &str, (from, until): (i8, i8)) -> Applied {
        let day = |day: i8| jiff::civil::date(2027, 6, day + 1);
        let hold = Hold {
            stay: Stay::new(day(from), day(until), 1),
            terms: Terms {
                units: 1,
                capacity: 2,
                ..Terms::default()
            },
            ttl_ms: 60_000,
            quote: key.to_owned(),
            ..Hold::default()
        };
        let idempotency = Idempotency {
            caller: CALLER.to_owned(),
            key: key.to_owned(),
            payload_hash: vec![0; 32],
        };
        let mut command = Command::new(Op::Hold(hold), Some(idempotency));
        command.at_ms = 1_800_000_000_000;
        ledger.apply(&command)
    }

    /// That guest's receipt.
    pub(crate) fn ack(key: &str, (from, until): (u64, u64), applied: Applied, ended: u64) -> Ack {
        Ack {
            listing: 0,
            key: key.to_owned(),
            nights: Some(Nights {
                from,
                until,
                units: 1,
            }),
            applied,
            ended,
        }
    }

    #[test]
    fn good_history_is_not_condemned() {
        let mut ledger = Ledger::default();
        let first = hold(&mut ledger, "a", (0, 2));
        let second = hold(&mut ledger, "b", (2, 4));
        let mut history = History {
            units: 1,
            acks: vec![ack("a", (0, 2), first, 1), ack("b", (2, 4), second, 2)],
            ..History::default()
        };
        for node in [1, 2] {
            history.finals.insert((0, node), Arc::new(ledger.clone()));
            history.told.insert((0, node), vec![1, 2]);
            history.feeds.insert((0, node), vec![1, 2]);
        }
        assert_eq!(check(&history), []);
    }
}
