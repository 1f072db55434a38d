//! Small histories, made by hand: one that breaks a promise beside one that does not.

use super::{LISTING, add, broken, empty_run, fail, finding, night, told, unknown};
use crate::judge::{Verdict, judge};
use crate::record::{Answered, Call, Final, Outcome, Run};

const SEARCHED: &str = "ledgers are linearizable, whatever they claim";
const CLAIMED: &str = "ledgers are linearizable, as they claim";

fn ledger(units: u32) -> Run {
    let mut run = empty_run();
    for region in ["eu-west", "us-east"] {
        run.finals.push(Final::Ledger {
            listing: LISTING.to_owned(),
            region: region.to_owned(),
            units,
        });
    }
    run
}

fn book(key: &str, from: usize, until: usize) -> Call {
    Call::Book {
        listing: LISTING.to_owned(),
        check_in: night(from),
        check_out: night(until),
        key: key.to_owned(),
        card: "card_ok".to_owned(),
    }
}

fn hold(key: &str, from: usize, until: usize) -> Call {
    Call::Hold {
        listing: LISTING.to_owned(),
        check_in: night(from),
        check_out: night(until),
        key: key.to_owned(),
    }
}

fn cancel(key: &str, booking: &str) -> Call {
    Call::Cancel {
        listing: LISTING.to_owned(),
        booking: booking.to_owned(),
        key: key.to_owned(),
    }
}

fn read(from: usize, until: usize) -> Call {
    Call::ReadNights {
        listing: LISTING.to_owned(),
        from: night(from),
        to: night(until),
    }
}

fn free(revision: u64, nights: &[(usize, u32)]) -> Option<Outcome> {
    Some(Outcome::Ok(Answered {
        revision: Some(revision),
        free: nights
            .iter()
            .map(|(number, free)| (night(*number), *free))
            .collect(),
        ..Answered::default()
    }))
}

fn sold(booking: &str) -> Option<Outcome> {
    Some(told(booking, "confirmed"))
}

fn held(hold: &str) -> Option<Outcome> {
    Some(Outcome::Ok(Answered {
        hold: Some(hold.to_owned()),
        ..Answered::default()
    }))
}

fn taken() -> Option<Outcome> {
    Some(fail("slot-taken"))
}

/// Calls of the smallest history that the search condemns; none if it finds an order.
fn condemned(run: &Run) -> Vec<u64> {
    let findings = judge(run);
    let found = finding(&findings, SEARCHED);
    match found.verdict {
        Verdict::Fail => found.violations[0].calls.clone(),
        verdict => {
            assert_eq!(verdict, Verdict::Pass, "{found:#?}");
            Vec::new()
        }
    }
}

#[test]
fn night_that_two_clients_got_is_condemned_by_their_two_calls() {
    let mut run = ledger(1);
    add(&mut run, book("a", 3, 4), (1, 5), sold("bkg_a"));
    add(&mut run, book("b", 0, 2), (2, 9), sold("bkg_b"));
    assert_eq!(condemned(&run), [0; 0]);
    add(
        &mut run,
        read(0, 4),
        (10, 12),
        free(6, &[(0, 0), (1, 0), (2, 1), (3, 0)]),
    );
    add(&mut run, book("c", 1, 3), (12, 20), sold("bkg_c"));
    assert_eq!(condemned(&run), [2, 4]);
    assert!(broken(&run).contains(&CLAIMED.to_owned()));
    assert!(broken(&run).contains(&"a night is sold once".to_owned()));
}

#[test]
fn second_unit_is_sold_and_a_third_is_not() {
    let mut run = ledger(2);
    add(&mut run, book("a", 0, 2), (1, 5), sold("bkg_a"));
    add(&mut run, book("b", 1, 3), (2, 9), sold("bkg_b"));
    add(&mut run, book("c", 2, 3), (3, 9), sold("bkg_c"));
    assert_eq!(condemned(&run), [0; 0]);
    add(&mut run, book("d", 1, 2), (4, 9), sold("bkg_d"));
    assert_eq!(condemned(&run), [1, 2, 4]);
}

#[test]
fn refusal_of_a_night_that_was_given_back_is_condemned() {
    let mut run = ledger(1);
    add(&mut run, book("a", 0, 1), (1, 5), sold("bkg_a"));
    add(
        &mut run,
        cancel("b", "bkg_a"),
        (6, 8),
        Some(told("bkg_a", "cancelled")),
    );
    let mut late = run.clone();
    add(&mut run, book("c", 0, 1), (7, 12), taken());
    assert_eq!(
        condemned(&run),
        [0; 0],
        "it may have come before the cancellation"
    );
    add(&mut late, book("c", 0, 1), (9, 12), taken());
    assert_eq!(condemned(&late), [1, 2, 3]);
    let refused = "nights were refused that nobody can have had";
    let findings = judge(&late);
    assert!(
        finding(&findings, CLAIMED).violations[0]
            .what
            .contains(refused)
    );
}

#[test]
fn unknown_booking_may_take_effect_late_or_never() {
    let mut run = ledger(1);
    add(&mut run, book("a", 0, 1), (1, 5), Some(unknown()));
    add(&mut run, read(0, 1), (6, 7), free(0, &[(0, 1)]));
    add(&mut run, book("b", 0, 1), (8, 9), taken());
    assert_eq!(condemned(&run), [0; 0]);
    // And its payment may fail afterwards; but it is done once.
    add(&mut run, read(0, 1), (10, 11), free(3, &[(0, 1)]));
    assert_eq!(condemned(&run), [0; 0]);
    add(&mut run, book("c", 0, 1), (12, 13), taken());
    assert_eq!(condemned(&run), [3, 4, 5]);
}

#[test]
fn call_that_never_ended_counts_as_unknown() {
    let mut run = ledger(1);
    add(&mut run, book("a", 0, 1), (1, 0), None);
    add(&mut run, book("b", 0, 1), (8, 9), taken());
    assert_eq!(condemned(&run), [0; 0]);
}

#[test]
fn hold_lapses_at_its_bound_and_not_before() {
    let bound_us = empty_run().header.bounds.hold_ms * 1_000;
    let mut run = ledger(1);
    add(&mut run, hold("a", 0, 1), (10, 20), held("hld_a"));
    let mut early = run.clone();
    add(
        &mut run,
        book("b", 0, 1),
        (30, bound_us + 10),
        sold("bkg_b"),
    );
    assert_eq!(condemned(&run), [0; 0]);
    add(
        &mut early,
        book("b", 0, 1),
        (30, bound_us + 9),
        sold("bkg_b"),
    );
    assert_eq!(condemned(&early), [1, 2]);
    // What was paid for does not lapse.
    let confirm = Call::Confirm {
        listing: LISTING.to_owned(),
        hold: "hld_a".to_owned(),
        key: "c".to_owned(),
        card: "card_ok".to_owned(),
    };
    add(&mut run, confirm, (40, bound_us * 2), sold("bkg_a"));
    assert_eq!(condemned(&run), [1, 2, 3]);
}

#[test]
fn read_may_find_a_hold_lapsed_by_its_own_clock_and_the_next_may_not() {
    let bound_us = empty_run().header.bounds.hold_ms * 1_000;
    let mut run = ledger(1);
    add(&mut run, hold("a", 0, 1), (10, 20), held("hld_a"));
    let later = |after_us: u64| (bound_us + after_us, bound_us + after_us + 5);
    add(&mut run, read(0, 1), later(100), free(1, &[(0, 1)]));
    add(&mut run, read(0, 1), later(200), free(1, &[(0, 0)]));
    assert_eq!(condemned(&run), [0; 0]);
    assert!(!broken(&run).contains(&CLAIMED.to_owned()));
}

#[test]
fn declined_booking_had_its_nights_for_a_while() {
    let mut run = ledger(1);
    add(
        &mut run,
        book("a", 0, 1),
        (1, 9),
        Some(fail("payment-declined")),
    );
    add(&mut run, book("b", 0, 1), (2, 5), taken());
    add(&mut run, book("c", 0, 1), (6, 12), sold("bkg_c"));
    assert_eq!(condemned(&run), [0; 0]);
    add(&mut run, book("d", 0, 1), (1, 2), taken());
    add(
        &mut run,
        book("e", 0, 1),
        (13, 14),
        Some(fail("payment-declined")),
    );
    assert_eq!(condemned(&run), [3, 5]);
}

#[test]
fn repeated_refusal_is_of_the_first_attempt() {
    let mut run = ledger(1);
    add(&mut run, book("a", 0, 1), (1, 2), sold("bkg_a"));
    add(&mut run, book("b", 0, 1), (3, 4), Some(unknown()));
    add(
        &mut run,
        cancel("c", "bkg_a"),
        (5, 6),
        Some(told("bkg_a", "cancelled")),
    );
    add(&mut run, book("b", 0, 1), (7, 8), taken());
    assert_eq!(condemned(&run), [0; 0]);
}

#[test]
fn read_of_two_nights_is_of_one_instant() {
    let mut run = ledger(1);
    add(&mut run, book("a", 0, 1), (1, 2), sold("bkg_a"));
    add(&mut run, book("b", 1, 2), (3, 4), sold("bkg_b"));
    add(&mut run, read(0, 2), (0, 9), free(3, &[(0, 1), (1, 0)]));
    assert_eq!(condemned(&run), [1, 3]);
}

#[test]
fn call_about_what_nobody_was_told_of_is_undecided() {
    let mut run = ledger(1);
    add(
        &mut run,
        cancel("a", "bkg_x"),
        (1, 2),
        Some(told("bkg_x", "cancelled")),
    );
    let findings = judge(&run);
    assert_eq!(finding(&findings, SEARCHED).verdict, Verdict::Undecided);
}

#[test]
fn later_token_that_was_told_before_is_condemned() {
    let with_token = |booking: &str, token| {
        Some(Outcome::Ok(Answered {
            booking: Some(booking.to_owned()),
            state: Some("confirmed".to_owned()),
            fencing_token: Some(token),
            ..Answered::default()
        }))
    };
    for (first, second, is_broken) in [(1, 2, false), (2, 1, true)] {
        let mut run = ledger(1);
        add(
            &mut run,
            book("a", 0, 1),
            (1, 2),
            with_token("bkg_a", first),
        );
        add(
            &mut run,
            book("b", 1, 2),
            (3, 4),
            with_token("bkg_b", second),
        );
        assert_eq!(broken(&run).contains(&CLAIMED.to_owned()), is_broken);
        assert_eq!(condemned(&run), [0; 0], "it believes no claim");
    }
}

#[test]
fn revision_that_goes_back_or_shows_two_things_is_condemned() {
    let claimed = |first: (u64, u32), second: (u64, u32)| {
        let mut run = ledger(1);
        add(&mut run, book("a", 0, 1), (1, 9), sold("bkg_a"));
        add(&mut run, read(0, 1), (1, 3), free(first.0, &[(0, first.1)]));
        add(
            &mut run,
            read(0, 1),
            (4, 6),
            free(second.0, &[(0, second.1)]),
        );
        broken(&run).contains(&CLAIMED.to_owned())
    };
    assert!(!claimed((1, 1), (2, 0)));
    assert!(claimed((2, 1), (1, 0)), "it goes back");
    assert!(claimed((1, 1), (1, 0)), "it shows two things");
}

#[test]
fn clock_that_is_wrong_lets_no_hold_lapse_before_its_time() {
    let mut run = ledger(1);
    add(&mut run, hold("a", 0, 1), (10, 20), held("hld_a"));
    add(&mut run, book("b", 0, 1), (30, 40), sold("bkg_b"));
    assert_eq!(condemned(&run), [1, 2]);
    run.faults.push(crate::record::FaultEvent {
        at_us: 5,
        fault: "clock-jump".to_owned(),
        id: 1,
        phase: crate::record::Phase::Begun,
        target: "node 1".to_owned(),
        nodes: vec![1],
        confirmed: None,
    });
    assert_eq!(condemned(&run), [1, 2]);
}
