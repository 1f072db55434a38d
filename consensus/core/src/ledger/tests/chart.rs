//! Who may change the map, and what it may not be written over.

use super::{NOW_MS, at, hold, keyed};
use crate::command::{Close, Draw, Op, Reopen};
use crate::ledger::{CHART_BYTES_MAX, Chart, Ledger};
use crate::outcome::{Applied, Outcome};
use crate::rejection::Rejection;

fn chart(epoch: u64, map: &str, staged: &str) -> Chart {
    Chart {
        epoch,
        map: map.to_owned(),
        staged: staged.to_owned(),
    }
}

fn draw(ledger: &mut Ledger, chart: &Chart, seen: u64) -> Outcome {
    let chart = chart.clone();
    let applied = ledger.apply(&at(Op::Draw(Draw { chart, seen }), NOW_MS));
    applied.outcome().clone()
}

#[test]
fn map_follows_the_one_that_its_writer_saw() {
    let mut ledger = Ledger::default();
    assert_eq!(
        draw(&mut ledger, &chart(4, "a", ""), 0),
        Outcome::Charted(1)
    );
    let staged = chart(4, "a", "[1]");
    assert_eq!(draw(&mut ledger, &staged, 1), Outcome::Charted(2));
    let late = draw(&mut ledger, &chart(5, "of somebody else", ""), 1);
    assert_eq!(late.rejection(), Some(Rejection::MapMoved { epoch: 4 }));
    let next = chart(5, "b", "");
    assert_eq!(draw(&mut ledger, &next, 2), Outcome::Charted(3));
    // An answer that was lost is given again.
    assert_eq!(draw(&mut ledger, &next, 2), Outcome::Charted(3));
    assert_eq!(ledger.chart(), Some(&next));
    assert_eq!(Ledger::decode(&ledger.encode()), Ok(ledger));
}

#[test]
fn epoch_is_neither_passed_over_nor_used_twice() {
    let mut ledger = Ledger::default();
    draw(&mut ledger, &chart(4, "a", ""), 0);
    for other in [chart(6, "b", ""), chart(3, "b", ""), chart(4, "b", "")] {
        let refused = draw(&mut ledger, &other, 1);
        assert_eq!(refused.rejection(), Some(Rejection::MapMoved { epoch: 4 }));
    }
}

#[test]
fn ledger_has_a_map_or_nights_and_never_both() {
    let mut nights = Ledger::default();
    nights.apply(&at(hold(1, 2), NOW_MS));
    let revision = nights.revision();
    let refused = draw(&mut nights, &chart(1, "a", ""), revision);
    assert!(matches!(
        refused.rejection(),
        Some(Rejection::Validation { .. })
    ));
    let mut map = Ledger::default();
    draw(&mut map, &chart(1, "a", ""), 0);
    let refused = map.apply(&at(hold(1, 2), NOW_MS));
    let refused = refused.outcome().rejection();
    assert!(
        matches!(refused, Some(Rejection::Validation { .. })),
        "{refused:?}"
    );
    assert_eq!(map.reservations().count(), 0);
}

#[test]
fn map_that_is_too_long_is_refused() {
    let mut ledger = Ledger::default();
    let long = "x".repeat(CHART_BYTES_MAX + 1);
    let refused = draw(&mut ledger, &chart(1, &long, ""), 0);
    assert!(matches!(
        refused.rejection(),
        Some(Rejection::Validation { .. })
    ));
    assert_eq!(ledger.chart(), None);
}

#[test]
fn whatever_comes_of_a_key_is_stored_with_it() {
    let mut ledger = Ledger::default();
    let chart = chart(1, "a", "");
    let first = ledger.apply(&keyed(Op::Draw(Draw { chart, seen: 0 }), "one", 1));
    assert_eq!(Applied::decode(&first.encode()), Ok(first));
    let stored = Ledger::decode(&ledger.encode());
    assert_eq!(stored, Ok(ledger));
    let mut nights = Ledger::default();
    nights.apply(&keyed(Op::Close(Close {}), "two", 1));
    nights.apply(&keyed(Op::Reopen(Reopen { closing: 1 }), "three", 1));
    let stored = Ledger::decode(&nights.encode());
    assert_eq!(stored, Ok(nights));
}
