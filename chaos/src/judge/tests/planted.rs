//! Checkers under test: into histories of a world that keeps every promise one mistake is
//! planted, and somebody must find it.

mod documents;

use super::world::{Plan, run_of};
use super::{add, broken, fail, finding, told};
use crate::judge::{Verdict, judge};
use crate::record::{Answered, Call, FaultEvent, Final, FinalBooking, Outcome, Phase, Run};

const SEEDS: u64 = 6;

fn world(seed: u64) -> Run {
    run_of(Plan {
        seed,
        calls: 1_500,
        ..Plan::default()
    })
}

/// Plants in several worlds: each time one of these promises is found broken, and none is
/// without it.
fn caught(promises: &[&str], plant: impl Fn(&mut Run)) {
    for seed in 1..=SEEDS {
        let mut run = world(seed);
        plant(&mut run);
        let broken = broken(&run);
        let found = promises
            .iter()
            .all(|promise| broken.iter().any(|one| one.starts_with(promise)));
        assert!(found, "seed {seed}: {promises:?} in {broken:?}");
    }
}

/// A booking that a client was told of, and that nobody tried to cancel.
fn standing(run: &Run) -> (usize, String) {
    let cancelled: Vec<&str> = run
        .operations
        .iter()
        .filter_map(|one| match &one.invoked.what {
            Call::Cancel { booking, .. } => Some(booking.as_str()),
            _ => None,
        })
        .collect();
    let mut sold = run
        .operations
        .iter()
        .enumerate()
        .filter_map(|(place, one)| {
            let booking = one.answered()?.booking.clone()?;
            let is_book = matches!(one.invoked.what, Call::Book { .. });
            (is_book && !cancelled.contains(&booking.as_str())).then_some((place, booking))
        });
    sold.next().expect("a booking stands")
}

fn final_booking<'r>(run: &'r mut Run, region: &str, name: &str) -> &'r mut FinalBooking {
    let mut finals = run.finals.iter_mut();
    let found = finals.find_map(|one| match one {
        Final::Booking(one) if one.booking == name && one.region == region => Some(one),
        _ => None,
    });
    found.expect("it is shown")
}

/// What was asked once, by another key.
fn with_another_key(run: &Run, place: usize) -> Call {
    let mut what = run.operations[place].invoked.what.clone();
    if let Call::Book { key, .. } = &mut what {
        "key-new".clone_into(key);
    }
    what
}

/// Somebody books when all else is over, and is told that it is confirmed.
fn at_last(run: &mut Run, what: Call, booking: &str) {
    let end_us = run.operations.last().expect("calls").invoked.at_us + 100_000;
    let confirmed = told(booking, "confirmed");
    add(run, what, (end_us, end_us + 10), Some(confirmed));
}

#[test]
fn world_that_keeps_every_promise_passes() {
    for seed in 1..=40 {
        let units = 1 + (seed % 3) as u32;
        let run = run_of(Plan {
            seed,
            calls: 1_000,
            units,
            lost: 70,
            ..Plan::default()
        });
        let findings = judge(&run);
        assert!(
            findings.iter().all(|one| one.verdict == Verdict::Pass),
            "{seed}: {findings:#?}"
        );
        assert!(findings.len() == 14, "{findings:#?}");
    }
}

#[test]
fn refusal_that_was_a_sale_is_caught() {
    caught(&["no acknowledged booking"], |run| {
        let mut places = 0..run.operations.len();
        let place = places.rfind(|place| {
            let one = &run.operations[*place];
            matches!(one.invoked.what, Call::Book { .. })
                && one
                    .completed
                    .as_ref()
                    .is_some_and(|completed| completed.outcome == fail("slot-taken"))
        });
        let one = &mut run.operations[place.expect("refused")];
        one.completed.as_mut().expect("told").outcome = told("bkg_new", "confirmed");
    });
}

#[test]
fn booking_sold_over_one_that_stands_is_caught_in_every_way() {
    let promises = [
        "ledgers are linearizable, whatever",
        "ledgers are linearizable, as",
        "a night is sold once",
    ];
    caught(&promises, |run| {
        let (place, _) = standing(run);
        let what = with_another_key(run, place);
        at_last(run, what, "bkg_new");
    });
}

#[test]
fn stale_read_is_caught() {
    caught(&["ledgers are linearizable, whatever"], |run| {
        let (place, _) = standing(run);
        let booked = &run.operations[place];
        let listing = booked.invoked.what.listing().to_owned();
        let (from, to) = booked.invoked.what.stay().expect("a stay");
        let (from, to) = (from.to_owned(), to.to_owned());
        let after_us = booked.completed.as_ref().expect("told").at_us + 1;
        let free = Outcome::Ok(Answered {
            free: vec![(from.clone(), 1)],
            ..Answered::default()
        });
        add(
            run,
            Call::ReadNights { listing, from, to },
            (after_us, after_us + 10),
            Some(free),
        );
    });
}

#[test]
fn lost_booking_is_caught_in_one_region_alone() {
    caught(&["no acknowledged booking"], |run| {
        let (_, name) = standing(run);
        run.finals.retain(|one| {
            !matches!(one, Final::Booking(one) if one.booking == name && one.region == "us-east")
        });
    });
    caught(&["no acknowledged booking"], |run| {
        let (_, name) = standing(run);
        "expired".clone_into(&mut final_booking(run, "eu-west", &name).state);
    });
}

#[test]
fn booking_of_a_client_who_was_refused_is_caught() {
    caught(&["no booking that nobody asked for"], |run| {
        let (place, _) = standing(run);
        let key = run.operations[place].invoked.what.key().map(str::to_owned);
        // Others may have wanted the same nights, and not know.
        let nights = run.operations[place]
            .invoked
            .what
            .stay()
            .map(|(from, until)| (from.to_owned(), until.to_owned()));
        let listing = run.operations[place].invoked.what.listing().to_owned();
        for one in &mut run.operations {
            let what = &one.invoked.what;
            let same = what.listing() == listing
                && what
                    .stay()
                    .map(|(from, until)| (from.to_owned(), until.to_owned()))
                    == nights;
            let is_unknown = matches!(
                one.completed.as_ref().map(|completed| &completed.outcome),
                Some(Outcome::Unknown { .. })
            );
            let is_key = what.key() == key.as_deref();
            if let Some(completed) = &mut one.completed
                && (is_key || same && is_unknown)
            {
                completed.outcome = fail("no-quorum");
            }
        }
    });
}

#[test]
fn booking_twice_in_a_ledger_is_caught() {
    caught(
        &["a night is sold once", "no booking that nobody asked for"],
        |run| {
            let (_, name) = standing(run);
            let mut again = final_booking(run, "us-east", &name).clone();
            again.booking.push_str("-again");
            run.finals
                .extend(std::iter::repeat_n(Final::Booking(again), 40));
        },
    );
}

#[test]
fn key_that_made_two_bookings_is_caught() {
    caught(&["one key does its work once"], |run| {
        let (place, _) = standing(run);
        let what = run.operations[place].invoked.what.clone();
        at_last(run, what, "bkg_new");
    });
}

#[test]
fn two_keys_with_one_booking_are_caught() {
    caught(&["one key does its work once"], |run| {
        let (place, name) = standing(run);
        let what = with_another_key(run, place);
        at_last(run, what, &name);
    });
}

#[test]
fn money_that_is_taken_twice_kept_or_set_aside_for_ever_is_caught() {
    let with = |run: &mut Run, is_refunded: bool, change: fn(&mut crate::record::FinalPayment)| {
        let payment = run.finals.iter_mut().find_map(|one| match one {
            Final::Payment(payment) if (payment.refunded > 0) == is_refunded => Some(payment),
            _ => None,
        });
        change(payment.expect("a payment"));
    };
    let money = ["money is conserved"];
    caught(&money, |run| {
        with(run, false, |payment| payment.captured *= 2)
    });
    caught(&money, |run| {
        with(run, false, |payment| payment.captured = 0)
    });
    caught(&money, |run| {
        with(run, false, |payment| payment.authorized = true)
    });
    caught(&money, |run| {
        with(run, true, |payment| payment.refunded = 0)
    });
    caught(&money, |run| {
        with(run, true, |payment| payment.refunded *= 2)
    });
    caught(&money, |run| {
        with(run, false, |payment| {
            "bkg_x".clone_into(&mut payment.booking)
        })
    });
}

#[test]
fn silence_slowness_and_divergence_for_long_are_caught() {
    let liveness = ["calls are answered in time"];
    caught(&liveness, |run| {
        for one in run.operations.iter_mut().step_by(3) {
            one.completed.as_mut().expect("told").outcome = fail("overloaded");
        }
    });
    caught(&liveness, |run| {
        let late_us = run.operations[0].invoked.at_us + 100_000_000;
        let what = run.operations[0].invoked.what.clone();
        let read = Call::ReadNights {
            listing: what.listing().to_owned(),
            from: String::new(),
            to: String::new(),
        };
        add(run, read, (1, late_us), Some(fail("no-quorum")));
    });
    caught(&liveness, |run| {
        let late_us = run.operations[0].invoked.at_us + 100_000_000;
        let what = run.operations[0].invoked.what.clone();
        run.operations[1].completed = None;
        add(run, what, (late_us, late_us + 1), Some(fail("no-quorum")));
    });
    for after_ms in [None, Some(1_000_000)] {
        caught(&liveness, |run| {
            run.finals.push(Final::Converged { after_ms })
        });
    }
}

fn fault(phase: Phase, confirmed: Option<&str>) -> FaultEvent {
    FaultEvent {
        at_us: if phase == Phase::Ended { 900 } else { 100 },
        fault: "kill".to_owned(),
        id: 7,
        phase,
        target: "node 2".to_owned(),
        nodes: vec![2],
        confirmed: confirmed.map(str::to_owned),
    }
}

#[test]
fn run_that_shows_nothing_is_invalid() {
    let verdict = |change: &dyn Fn(&mut Run)| {
        let mut run = world(1);
        change(&mut run);
        let findings = judge(&run);
        finding(&findings, "the run is valid").verdict
    };
    let needs = |events: Vec<FaultEvent>| {
        verdict(&|run| {
            run.header.required = vec!["kill".to_owned()];
            run.faults.clone_from(&events);
        })
    };
    let (begun, seen) = (
        fault(Phase::Begun, None),
        fault(Phase::Begun, Some("it is gone")),
    );
    let ended = fault(Phase::Ended, None);
    assert_eq!(needs(vec![seen.clone(), ended.clone()]), Verdict::Pass);
    for events in [
        vec![],
        vec![begun, ended],
        vec![seen],
        vec![fault(Phase::Failed, None)],
    ] {
        assert_eq!(needs(events.clone()), Verdict::Invalid, "{events:?}");
    }
    let flaws: [&dyn Fn(&mut Run); 6] = [
        &|run| run.is_torn = true,
        &|run| run.header.bounds.calls = 1_000_000,
        &|run| run.header.bounds.success = 1.0,
        &|run| {
            run.finals
                .retain(|one| !matches!(one, Final::Ledger { region, .. } if region == "us-east"))
        },
        &|run| {
            run.finals
                .retain(|one| !matches!(one, Final::Document(one) if one.node == 2))
        },
        &|run| {
            run.finals.push(Final::Unread {
                what: "the book".to_owned(),
                cause: "it is gone".to_owned(),
            })
        },
    ];
    for (number, flaw) in flaws.into_iter().enumerate() {
        assert_eq!(verdict(flaw), Verdict::Invalid, "flaw {number}");
    }
}
