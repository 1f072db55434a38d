//! Slots that make a unit ready again after a stay.

use super::{NOW_MS, at, cancel, confirm, free, night, rejected, run, stay, terms};
use crate::command::{Block, Expire, Hold, Op, Terms};
use crate::day;
use crate::ledger::{Ledger, TURNOVER_SLOTS_MAX};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::slots::Edge;

fn hold(from: i32, until: i32, units: u32, turnover: u32) -> Op {
    let Op::Hold(plain) = super::hold(from, until) else {
        panic!("a hold");
    };
    let terms = Terms {
        turnover,
        ..terms(units)
    };
    Op::Hold(Hold { terms, ..plain })
}

fn taken(from: i32, until: i32) -> Rejection {
    Rejection::SlotTaken {
        from: Edge::Date(night(from)),
        until: Edge::Date(night(until)),
    }
}

#[test]
fn next_stay_begins_after_the_turnover_and_the_one_before_leaves_room_for_its_own() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(10, 12, 1, 2));
    assert_eq!(free(&ledger, 13), 0);
    assert_eq!(free(&ledger, 14), 1);
    let after = run(&mut ledger, hold(12, 15, 1, 2));
    assert_eq!(rejected(&after), taken(12, 14));
    let before = run(&mut ledger, hold(7, 9, 1, 2));
    assert_eq!(rejected(&before), taken(10, 11));
    assert!(matches!(
        run(&mut ledger, hold(6, 8, 1, 2)),
        Outcome::Held(_)
    ));
    assert!(matches!(
        run(&mut ledger, hold(14, 15, 1, 2)),
        Outcome::Held(_)
    ));
}

#[test]
fn each_unit_has_its_own_turnover() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(10, 12, 2, 1));
    assert!(matches!(
        run(&mut ledger, hold(12, 14, 2, 1)),
        Outcome::Held(_)
    ));
    let third = run(&mut ledger, hold(11, 13, 2, 1));
    assert_eq!(rejected(&third), taken(12, 13));
}

#[test]
fn cancelled_stay_gives_its_turnover_back() {
    let mut ledger = Ledger::default();
    let Op::Book(mut book) = super::book(10, 12) else {
        panic!("a booking");
    };
    book.terms.turnover = 1;
    run(&mut ledger, Op::Book(book));
    run(&mut ledger, confirm(1));
    let nights = stay(12, 14);
    let block = Op::Block(Block { nights, units: 1 });
    assert_eq!(rejected(&run(&mut ledger, block.clone())), taken(12, 13));
    run(&mut ledger, cancel(1));
    assert!(matches!(run(&mut ledger, block), Outcome::Blocked(_)));
}

#[test]
fn endless_turnover_is_refused() {
    let mut ledger = Ledger::default();
    let endless = run(&mut ledger, hold(1, 2, 1, TURNOVER_SLOTS_MAX + 1));
    assert!(matches!(rejected(&endless), Rejection::Validation { .. }));
    run(&mut ledger, hold(1, 2, 1, TURNOVER_SLOTS_MAX));
    let late = at(Op::Expire(Expire {}), NOW_MS + day::DAY_MS);
    ledger.apply(&late);
    assert_eq!(Ledger::decode(&ledger.encode()), Ok(ledger));
}
