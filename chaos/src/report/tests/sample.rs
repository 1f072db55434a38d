//! A run that is made up: three regions, nine nodes, faults that overlap, every verdict.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::judge::{Finding, Verdict, Violated};
use crate::record::{
    Answered, Bounds, Call, Completion, FORMAT, FaultEvent, Final, Header, Invocation, Operation,
    Outcome, Phase, Run, Sample,
};

const SECOND_US: u64 = 1_000_000;
const REGIONS: [&str; 3] = ["ap-southeast", "eu-west", "us-east"];

/// A run of so many calls in so many seconds; calls 1 to 3 race for a night, and 4 to 6 are a
/// session that goes back in time.
pub(crate) fn run(calls: u64, seconds: u64) -> Run {
    let mut chance = StdRng::seed_from_u64(7);
    let mut run = Run::new(header());
    run.faults = faults(seconds);
    run.operations = (1..=calls)
        .map(|call| {
            let at_us = (call - 1) * seconds * SECOND_US / calls;
            operation(&mut chance, call, at_us, seconds)
        })
        .collect();
    for (staged, operation) in staged().into_iter().zip(&mut run.operations) {
        *operation = staged;
    }
    run.samples = samples(&mut chance, seconds);
    run.finals = vec![
        Final::Converged {
            after_ms: Some(3_240),
        },
        Final::Unread {
            what: "ledger of lst_4 in us-east".to_owned(),
            cause: "no-quorum".to_owned(),
        },
    ];
    run
}

fn header() -> Header {
    let regions = REGIONS.iter().zip(0..).map(|(region, place)| {
        let nodes = (1..=3).map(|node| 3 * place + node).collect();
        ((*region).to_owned(), nodes)
    });
    Header {
        format: FORMAT,
        scenario: "region-loss-under-load".to_owned(),
        seed: 4_711,
        build: "0.1.0 (3f9c2ab)".to_owned(),
        started: "2027-06-01T09:30:00Z".to_owned(),
        regions: regions.collect::<BTreeMap<_, _>>(),
        rerun: "meridian chaos run region-loss-under-load --seed 4711".to_owned(),
        required: vec!["kill".to_owned(), "slow-fsync".to_owned()],
        left_out: Vec::new(),
        bounds: Bounds::default(),
    }
}

/// Whether something is broken that is felt: in the second third of the run.
fn is_rough(at_us: u64, seconds: u64) -> bool {
    let whole = seconds * SECOND_US;
    (whole * 3 / 10..whole * 6 / 10).contains(&at_us)
}

fn operation(chance: &mut StdRng, call: u64, at_us: u64, seconds: u64) -> Operation {
    let place = chance.random_range(0..3_usize);
    let listing = format!("lst_{}", chance.random_range(1..9_u32));
    let what = match chance.random_range(0..10_u32) {
        0..4 => Call::Book {
            listing,
            check_in: "2027-08-01".to_owned(),
            check_out: "2027-08-03".to_owned(),
            key: format!("key-{call}"),
            card: "card_ok".to_owned(),
        },
        4..6 => Call::ReadNights {
            listing,
            from: "2027-08-01".to_owned(),
            to: "2027-09-01".to_owned(),
        },
        6..8 => Call::ReadListing {
            listing,
            session: Some(call % 7),
        },
        _ => Call::AddAmenity {
            listing,
            amenity: format!("amenity-{call}"),
            session: None,
        },
    };
    let is_slow = what.needs_quorum();
    let is_rough = is_rough(at_us, seconds);
    let base = if is_slow { 82_000.0 } else { 1_900.0 };
    let spread: f64 = chance.random_range(0.7..1.6);
    let tail = if chance.random_bool(0.02) { 6.0 } else { 1.0 };
    let weight = if is_rough && is_slow { 4.0 } else { 1.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "made up"
    )]
    let took_us = (base * spread * tail * weight) as u64;
    let node = 3 * place as u64 + 1 + call % 3;
    let outcome = match chance.random_range(0..100_u32) {
        0..22 if is_rough && is_slow => fail("no-quorum"),
        22..30 if is_rough && is_slow => Outcome::Unknown {
            code: "outcome-unknown".to_owned(),
        },
        0..9 if is_slow => fail("slot-taken"),
        _ => sold(call),
    };
    let is_lost = is_rough && call.is_multiple_of(97);
    Operation {
        invoked: Invocation {
            at_us,
            call,
            client: 1 + call % 24,
            region: REGIONS[place].to_owned(),
            node,
            what,
        },
        completed: (!is_lost).then(|| Completion {
            at_us: at_us + took_us,
            call,
            outcome,
            served_by: Some(format!("{}/{node}", REGIONS[place])),
        }),
    }
}

/// Three guests who race for a night, and a session that goes back in time.
fn staged() -> Vec<Operation> {
    let race = |call: u64, key: &str, outcome| {
        let what = Call::Book {
            listing: "lst_1".to_owned(),
            check_in: "2027-07-01".to_owned(),
            check_out: "2027-07-04".to_owned(),
            key: key.to_owned(),
            card: "card_ok".to_owned(),
        };
        act(
            call,
            call,
            what,
            (1_200 * call, 4_000 + 170 * call),
            outcome,
        )
    };
    let add = Call::AddAmenity {
        listing: "lst_2".to_owned(),
        amenity: "sauna".to_owned(),
        session: Some(3),
    };
    let read = || Call::ReadListing {
        listing: "lst_2".to_owned(),
        session: Some(3),
    };
    let amenities = |all: &[&str]| {
        Outcome::Ok(Answered {
            amenities: Some(all.iter().map(|&one| one.to_owned()).collect()),
            staleness_ms: Some(40),
            ..Answered::default()
        })
    };
    let unknown = Outcome::Unknown {
        code: "outcome-unknown".to_owned(),
    };
    vec![
        race(1, "race-a", sold(1)),
        race(2, "race-b", unknown),
        race(3, "race-c", sold(3)),
        act(4, 9, add, (5_000, 5_004), Outcome::Ok(Answered::default())),
        act(5, 9, read(), (5_010, 5_012), amenities(&["wifi", "sauna"])),
        act(6, 9, read(), (5_014, 5_017), amenities(&["wifi"])),
    ]
}

fn act(call: u64, client: u64, what: Call, ms: (u64, u64), outcome: Outcome) -> Operation {
    let place = usize::try_from(call % 3).expect("three regions");
    Operation {
        invoked: Invocation {
            at_us: ms.0 * 1_000,
            call,
            client,
            region: REGIONS[place].to_owned(),
            node: 1 + 3 * (call % 3),
            what,
        },
        completed: Some(Completion {
            at_us: ms.1 * 1_000 + 137,
            call,
            outcome,
            served_by: Some(format!("{}/{}", REGIONS[place], 1 + 3 * (call % 3))),
        }),
    }
}

fn sold(call: u64) -> Outcome {
    Outcome::Ok(Answered {
        booking: Some(format!("bkg_{call}")),
        state: Some("confirmed".to_owned()),
        fencing_token: Some(call),
        ..Answered::default()
    })
}

fn fail(code: &str) -> Outcome {
    Outcome::Fail {
        code: code.to_owned(),
    }
}

fn faults(seconds: u64) -> Vec<FaultEvent> {
    let at = |percent: u64| seconds * SECOND_US * percent / 100;
    let event = |at_us, id, fault: &str, phase, target: &str, confirmed: Option<&str>| FaultEvent {
        at_us,
        fault: fault.to_owned(),
        id,
        phase,
        target: target.to_owned(),
        nodes: vec![id],
        confirmed: confirmed.map(str::to_owned),
    };
    let (begun, ended) = (Phase::Begun, Phase::Ended);
    let link = "eu-west → us-east";
    vec![
        event(
            at(2),
            1,
            "delay",
            begun,
            link,
            Some("round trip 212 ms, asked 200 ms"),
        ),
        event(at(14), 2, "clock-jump", begun, "node 5", None),
        event(at(18), 2, "clock-jump", ended, "node 5", None),
        event(
            at(30),
            3,
            "kill",
            begun,
            "node 4",
            Some("exited by signal 9"),
        ),
        event(
            at(31),
            4,
            "kill",
            begun,
            "node 5",
            Some("exited by signal 9"),
        ),
        event(at(34), 5, "slow-fsync", Phase::Failed, "node 7", None),
        event(
            at(38),
            6,
            "cut",
            begun,
            "us-east → ap-southeast",
            Some("no datagram in 1 s"),
        ),
        event(at(44), 1, "delay", ended, link, None),
        event(at(52), 6, "cut", ended, "us-east → ap-southeast", None),
        event(at(55), 4, "kill", ended, "node 5", None),
        event(at(60), 3, "kill", ended, "node 4", None),
        event(
            at(78),
            7,
            "loss",
            begun,
            link,
            Some("11.8 % lost, asked 12 %"),
        ),
    ]
}

fn samples(chance: &mut StdRng, seconds: u64) -> Vec<Sample> {
    let mut samples = Vec::new();
    for second in 0..seconds {
        let at_us = second * SECOND_US + 400_000;
        let is_rough = is_rough(at_us, seconds);
        for (place, region) in (0_u64..).zip(REGIONS) {
            for node in 1..=3 {
                let up = !(is_rough && place == 1 && node < 3);
                let lag_ms = chance.random_range(40..90) * if is_rough { 30 } else { 1 };
                let leads = match (is_rough, place) {
                    (true, 1) => 3,
                    (true, _) => 18,
                    (false, _) => 13,
                };
                samples.push(Sample {
                    at_us,
                    node: 3 * place + node,
                    region: region.to_owned(),
                    up,
                    lag_ms: up.then_some(lag_ms),
                    leads: up.then_some(leads),
                    clocks: None,
                });
            }
        }
    }
    samples
}

/// One finding of each verdict at least; the broken promises have histories.
pub(crate) fn findings() -> Vec<Finding> {
    let finding = |promise: &str, verdict, looked_at: &str, violations| Finding {
        promise: promise.to_owned(),
        verdict,
        looked_at: looked_at.to_owned(),
        violations,
    };
    let seen = |what: &str, calls: &[u64]| Violated {
        what: what.to_owned(),
        calls: calls.to_vec(),
    };
    let twice = "lst_1 has one unit; its nights from 2027-07-01 were sold to race-a and race-c";
    vec![
        finding(
            "No night is sold twice",
            Verdict::Fail,
            "812 sales on 8 listings, 24 ledgers",
            vec![
                seen(twice, &[1, 2, 3, 999_999_999]),
                seen("bkg_9 stands in eu-west and not in us-east", &[]),
            ],
        ),
        finding(
            "No acknowledged booking is lost",
            Verdict::Pass,
            "731 acknowledged bookings",
            vec![],
        ),
        finding(
            "Each listing's ledger is linearizable",
            Verdict::Undecided,
            "8 listings, 1,204 calls",
            vec![seen(
                "lst_3: the search was given 60 s and 4,000,000 states",
                &[],
            )],
        ),
        finding(
            "All replicas converge",
            Verdict::Pass,
            "72 documents on 9 nodes",
            vec![],
        ),
        finding(
            "A session never goes back in time",
            Verdict::Fail,
            "7 sessions, 388 reads",
            vec![seen(
                "session 3 added sauna to lst_2, read it, and then read lst_2 without it",
                &[4, 5, 6],
            )],
        ),
        finding("Money is conserved", Verdict::Pass, "731 payments", vec![]),
        finding(
            "The run was what it was meant to be",
            Verdict::Invalid,
            "6 of 7 faults, 1,931 calls",
            vec![seen("slow-fsync was required and never in effect", &[])],
        ),
    ]
}
