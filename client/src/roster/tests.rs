//! Which endpoint is asked, as time passes and answers come or do not.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Failure, Found, PER_REGION_MAX, PROBES_MAX, Ranking, Roster};

const NEAR: &str = "http://near";
const FAR: &str = "http://far";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Two endpoints whose round trips are known.
fn measured(near: u64, far: u64, now: Instant) -> Roster {
    let seeds = [FAR.to_owned(), NEAR.to_owned()];
    let mut roster = Roster::new(&seeds, Ranking::ByRoundTrip);
    for (url, took) in [(NEAR, near), (FAR, far)] {
        for _ in 0..3 {
            roster.measured(url, ms(took), url, now);
        }
    }
    roster
}

fn first(roster: &mut Roster, now: Instant) -> String {
    roster.order(now).first().cloned().expect("an endpoint")
}

/// Answers the probes of the next seconds, one look a second.
fn probed(roster: &mut Roster, mut now: Instant, seconds: u32, took: Duration) -> Instant {
    for _ in 0..seconds {
        now += ms(1_000);
        for url in roster.take_due(now) {
            roster.measured(&url, took, "there", now);
        }
    }
    now
}

#[test]
fn nearest_is_used_once_it_is_known_and_seeds_in_their_order_before() {
    let now = Instant::now();
    let seeds = [FAR.to_owned(), NEAR.to_owned(), format!("{FAR}/")];
    let mut unknown = Roster::new(&seeds, Ranking::ByRoundTrip);
    assert_eq!(unknown.order(now), [FAR, NEAR]);
    let mut known = measured(20, 200, now);
    assert_eq!(known.order(now), [NEAR, FAR]);
}

#[test]
fn whoever_comes_from_an_endpoint_goes_on_at_another_one_if_that_is_up() {
    let now = Instant::now();
    let mut roster = measured(20, 200, now);
    assert_eq!(roster.order_from(NEAR, now), [FAR, NEAR]);
    assert_eq!(roster.order_from(FAR, now), [NEAR, FAR]);
    assert_eq!(roster.order(now), [NEAR, FAR], "that changes nothing");
    roster.failed(FAR, Failure::Refused, now);
    assert_eq!(roster.order_from(NEAR, now), [NEAR, FAR]);
}

#[test]
fn endpoint_that_refuses_is_left_at_once_and_comes_back_after_a_rest_and_good_answers() {
    let start = Instant::now();
    let mut roster = measured(20, 200, start);
    assert_eq!(first(&mut roster, start), NEAR);
    roster.failed(NEAR, Failure::Refused, start);
    assert_eq!(roster.order(start), [FAR, NEAR], "still there, behind");
    let due = roster.take_due(start);
    assert!(!due.contains(&NEAR.to_owned()), "it rests");

    let now = probed(&mut roster, start, 2, ms(20));
    assert_eq!(first(&mut roster, now), FAR, "not trusted yet");
    let now = probed(&mut roster, now, 3, ms(20));
    assert_eq!(first(&mut roster, now), NEAR);
}

#[test]
fn one_answer_that_broke_off_is_forgiven_and_two_in_a_row_are_not() {
    let now = Instant::now();
    let mut roster = measured(20, 200, now);
    roster.failed(NEAR, Failure::Broken, now);
    roster.answered(NEAR, now);
    roster.failed(NEAR, Failure::Broken, now);
    assert_eq!(first(&mut roster, now), NEAR);
    roster.failed(NEAR, Failure::Broken, now);
    assert_eq!(first(&mut roster, now), FAR);
}

#[test]
fn endpoint_that_flaps_rests_longer_each_time() {
    let mut now = Instant::now();
    let mut roster = measured(20, 200, now);
    let mut rests = Vec::new();
    for _ in 0..4 {
        roster.failed(NEAR, Failure::Silent, now);
        let failed_at = now;
        while roster.take_due(now).iter().all(|url| url != NEAR) {
            now += ms(100);
        }
        rests.push(now - failed_at);
        roster.measured(NEAR, ms(20), "there", now);
        while first(&mut roster, now) != NEAR {
            now = probed(&mut roster, now, 1, ms(20));
        }
    }
    assert!(rests.windows(2).all(|pair| pair[0] < pair[1]), "{rests:?}");
}

#[test]
fn endpoint_that_is_a_little_nearer_is_no_reason_to_move_and_one_that_is_much_nearer_is() {
    let now = Instant::now();
    let mut roster = measured(100, 200, now);
    assert_eq!(first(&mut roster, now), NEAR);
    let far_is = |roster: &mut Roster, took: u64| {
        for _ in 0..100 {
            roster.measured(FAR, ms(took), "there", now);
        }
    };
    far_is(&mut roster, 90);
    assert_eq!(first(&mut roster, now), NEAR);
    far_is(&mut roster, 50);
    assert_eq!(first(&mut roster, now), FAR);
}

#[test]
fn endpoint_that_is_busy_is_left_alone_for_as_long_as_it_asked() {
    let now = Instant::now();
    let mut roster = measured(20, 200, now);
    roster.busy(NEAR, now + ms(1_000));
    assert_eq!(roster.order(now), [FAR, NEAR]);
    assert_eq!(first(&mut roster, now + ms(1_000)), NEAR);
}

#[test]
fn endpoints_as_given_are_only_probed_when_they_are_down() {
    let now = Instant::now();
    let one = [NEAR.to_owned()];
    let mut alone = Roster::new(&one, Ranking::AsGiven);
    alone.failed(NEAR, Failure::Refused, now);
    assert!(alone.take_due(now + ms(60_000)).is_empty());
    assert_eq!(alone.order(now), [NEAR], "there is no other");

    let two = [NEAR.to_owned(), FAR.to_owned()];
    let mut roster = Roster::new(&two, Ranking::AsGiven);
    assert!(roster.take_due(now + ms(60_000)).is_empty());
    roster.failed(NEAR, Failure::Refused, now);
    assert_eq!(first(&mut roster, now), FAR);
    let now = probed(&mut roster, now, 6, ms(500));
    assert_eq!(first(&mut roster, now), NEAR, "however far it is");
}

#[test]
fn endpoints_are_learnt_from_the_cluster_and_forgotten_with_it() {
    let now = Instant::now();
    let mut roster = Roster::new(&["http://seed".to_owned()], Ranking::ByRoundTrip);
    let region = |region: &str, count: usize| Found {
        region: region.to_owned(),
        endpoints: (0..count)
            .map(|node| format!("http://{region}-{node}/"))
            .collect(),
    };
    roster.learn(&[region("a", 9), region("b", 1)], 8);
    let order = roster.order(now);
    assert_eq!(order.len(), 1 + PER_REGION_MAX + 1, "{order:?}");
    assert!(order.contains(&"http://a-8".to_owned()), "{order:?}");
    assert_eq!(roster.region("http://b-0"), Some("b"));
    roster.learn(&[region("b", 1)], 3);
    assert_eq!(roster.order(now), ["http://seed", "http://b-0"]);
    // A region without nodes is nothing to ask.
    roster.learn(&[region("c", 0)], 3);
    assert_eq!(roster.order(now), ["http://seed"]);
}

#[test]
fn so_many_probes_run_at_once_and_no_more() {
    let now = Instant::now();
    let seeds: Vec<String> = (0..16).map(|seed| format!("http://{seed}")).collect();
    let mut roster = Roster::new(&seeds, Ranking::ByRoundTrip);
    assert_eq!(roster.take_due(now).len(), PROBES_MAX);
    assert!(roster.take_due(now).is_empty(), "those are under way");
    // Their tasks may have died with a runtime.
    assert_eq!(roster.take_due(now + ms(60_000)).len(), PROBES_MAX);
}

#[derive(Debug, Clone)]
enum Event {
    Answered(usize),
    Failed(usize, Failure),
    Busy(usize, u64),
    Probes(u64, bool),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let failure = prop_oneof![
        Just(Failure::Refused),
        Just(Failure::Silent),
        Just(Failure::Broken)
    ];
    prop_oneof![
        (0..4_usize).prop_map(Event::Answered),
        (0..4_usize, failure).prop_map(|(at, failure)| Event::Failed(at, failure)),
        (0..4_usize, 0..5_000_u64).prop_map(|(at, ms)| Event::Busy(at, ms)),
        (1..500_u64, any::<bool>()).prop_map(|(took, good)| Event::Probes(took, good)),
        (0..20_000_u64).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_endpoint_stays_in_the_order_and_a_quiet_hour_heals_all(
        events in prop::collection::vec(event(), 0..60)
    ) {
        let seeds: Vec<String> = (0..4).map(|seed| format!("http://{seed}")).collect();
        let mut roster = Roster::new(&seeds, Ranking::ByRoundTrip);
        let mut now = Instant::now();
        for event in events {
            match event {
                Event::Answered(at) => roster.answered(&seeds[at], now),
                Event::Failed(at, failure) => roster.failed(&seeds[at], failure, now),
                Event::Busy(at, wait) => roster.busy(&seeds[at], now + ms(wait)),
                Event::Probes(took, good) => for url in roster.take_due(now) {
                    if good {
                        roster.measured(&url, ms(took), "there", now);
                    } else {
                        roster.unmeasured(&url, Failure::Silent, now);
                    }
                },
                Event::Pass(wait) => now += ms(wait),
            }
            let order = roster.order(now);
            prop_assert_eq!(roster.order(now), order.clone(), "asking twice changes nothing");
            let mut sorted = order;
            sorted.sort();
            prop_assert_eq!(&sorted, &seeds);
        }
        now = probed(&mut roster, now, 3_600, ms(40));
        for url in &seeds {
            roster.failed(url, Failure::Broken, now);
            roster.answered(url, now);
        }
        // All are up: whoever is called nearest wins.
        for _ in 0..100 {
            roster.measured(&seeds[3], ms(1), "there", now);
        }
        prop_assert_eq!(first(&mut roster, now), seeds[3].clone());
    }
}
