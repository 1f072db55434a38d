//! The detector over made-up links: jitter and loss from a seed, time from a counter.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{PHI_MAX, PhiAccrual, TAUGHT_PERIODS_MAX, WINDOW};

const PERIOD: Duration = Duration::from_millis(250);

/// Numbers that look like chance, the same for the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    /// 0 to 1, 1 excluded.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        f64::from(u32::try_from(bits).expect("32 bits")) / f64::from(u32::MAX)
    }
}

/// A link that loses a part of the beats and delays the others by up to `jitter`.
struct Link {
    loss: f64,
    jitter: Duration,
}

/// What a node hears over it, one after the other, while `beats` are sent.
fn arrivals(link: &Link, beats: u32, seed: u64, start: Instant) -> Vec<Instant> {
    let mut chance = Chance(seed | 1);
    let mut heard: Vec<Instant> = (0..beats)
        .filter_map(|beat| {
            let (lost, late) = (chance.next() < link.loss, chance.next());
            (!lost).then(|| start + PERIOD * beat + link.jitter.mul_f64(late))
        })
        .collect();
    heard.sort();
    heard
}

/// Lets the detector hear all that; answers how often it came to suspect a node that lives.
fn suspicions(detector: &mut PhiAccrual, heard: &[Instant]) -> usize {
    let mut wrong = 0;
    for at in heard {
        let phi = detector.phi(*at);
        wrong += usize::from(phi.is_some_and(|phi| phi >= PhiAccrual::SUSPECTED));
        detector.heard(*at);
    }
    wrong
}

/// How long a silence is before it is suspected.
fn suspected_after(detector: &PhiAccrual, last: Instant) -> Duration {
    let mut silence = Duration::ZERO;
    while detector.phi(last + silence) < Some(PhiAccrual::SUSPECTED) {
        silence += Duration::from_millis(1);
    }
    silence
}

#[test]
fn node_that_was_never_heard_has_no_phi() {
    let start = Instant::now();
    let mut detector = PhiAccrual::new(PERIOD);
    assert_eq!(detector.phi(start), None);
    detector.heard(start);
    assert!(detector.phi(start).is_some());
}

#[test]
fn phi_is_what_the_normal_distribution_says() {
    // -log10 of the upper tail at so many deviations.
    for (deviations, expected) in [
        (0.0, std::f64::consts::LOG10_2),
        (1.0, 0.799_55),
        (2.0, 1.643_01),
        (3.0, 2.869_70),
    ] {
        let phi = super::phi_of(deviations);
        assert!(
            (phi - expected).abs() < 0.05 * expected,
            "{deviations}: {phi}"
        );
    }
    assert!((super::phi_of(1e9) - PHI_MAX).abs() < f64::EPSILON);
    assert!(super::phi_of(-1e9) >= 0.0);
}

#[test]
fn steady_node_is_suspected_after_six_lost_beats_and_not_after_five() {
    let start = Instant::now();
    let link = Link {
        loss: 0.0,
        jitter: Duration::from_millis(5),
    };
    let heard = arrivals(&link, 400, 1, start);
    let mut detector = PhiAccrual::new(PERIOD);
    assert_eq!(suspicions(&mut detector, &heard), 0);
    let last = *heard.last().expect("some");
    let silence = suspected_after(&detector, last);
    assert!((PERIOD * 6..PERIOD * 7).contains(&silence), "{silence:?}");
}

#[test]
fn jitter_and_loss_of_an_hour_are_not_taken_for_death_and_death_always_is() {
    let hour = 4 * 3_600;
    for (loss, jitter_ms, wrong_max) in [
        (0.0, 100, 0),
        (0.0, 400, 0),
        (0.001, 50, 0),
        (0.01, 50, 0),
        // One in ten: a link that an operator should look at.
        (0.1, 50, 2),
    ] {
        let link = Link {
            loss,
            jitter: Duration::from_millis(jitter_ms),
        };
        for seed in 1..=3 {
            let mut detector = PhiAccrual::new(PERIOD);
            let heard = arrivals(&link, hour, seed, Instant::now());
            let wrong = suspicions(&mut detector, &heard);
            assert!(wrong <= wrong_max, "loss {loss}, seed {seed}: {wrong}");
            let silence = suspected_after(&detector, *heard.last().expect("some"));
            assert!(
                silence < PERIOD * 8,
                "loss {loss}, seed {seed}: {silence:?}"
            );
        }
    }
}

#[test]
fn link_that_loses_more_is_given_more_time() {
    let after = |loss| {
        let link = Link {
            loss,
            jitter: Duration::from_millis(5),
        };
        let heard = arrivals(&link, 400, 7, Instant::now());
        let mut detector = PhiAccrual::new(PERIOD);
        suspicions(&mut detector, &heard);
        suspected_after(&detector, *heard.last().expect("some"))
    };
    assert!(after(0.5) > after(0.0) + PERIOD / 2);
}

#[test]
fn outage_of_an_hour_is_forgotten_after_a_window() {
    let mut now = Instant::now();
    let mut detector = PhiAccrual::new(PERIOD);
    for _ in 0..WINDOW {
        detector.heard(now);
        now += PERIOD;
    }
    let before = suspected_after(&detector, now - PERIOD);
    now += Duration::from_secs(3_600);
    detector.heard(now);
    let after = suspected_after(&detector, now);
    assert!(after < before + PERIOD * TAUGHT_PERIODS_MAX, "{after:?}");
    for _ in 0..WINDOW {
        now += PERIOD;
        detector.heard(now);
    }
    assert_eq!(suspected_after(&detector, now), before);
}

#[test]
fn what_was_not_listened_to_is_no_silence() {
    let start = Instant::now();
    let mut detector = PhiAccrual::new(PERIOD);
    for beat in 0..20 {
        detector.heard(start + PERIOD * beat);
    }
    let last = start + PERIOD * 19;
    let pause = Duration::from_secs(30);
    let now = last + pause + PERIOD;
    assert_eq!(detector.phi(now), Some(PHI_MAX));
    detector.not_listened(pause, now);
    assert!(detector.phi(now) < Some(1.0));
    detector.not_listened(Duration::MAX, now);
    assert!(detector.phi(now) < Some(1.0), "never in the future");
}

proptest! {
    #[test]
    fn phi_never_falls_while_nothing_is_heard(
        intervals in vec(0_u64..5_000, 0..300),
        silences in vec(0_u64..100_000, 2..20),
    ) {
        let mut now = Instant::now();
        let mut detector = PhiAccrual::new(PERIOD);
        detector.heard(now);
        for interval in intervals {
            now += Duration::from_millis(interval);
            detector.heard(now);
        }
        let mut silences = silences;
        silences.sort_unstable();
        let mut before = 0.0;
        for silence in silences {
            let phi = detector.phi(now + Duration::from_millis(silence)).expect("heard");
            prop_assert!((0.0..=PHI_MAX).contains(&phi));
            prop_assert!(phi >= before);
            before = phi;
        }
    }

    #[test]
    fn whoever_is_silent_is_suspected_whatever_was_learned(intervals in vec(0_u64..60_000, 0..300)) {
        let mut now = Instant::now();
        let mut detector = PhiAccrual::new(PERIOD);
        detector.heard(now);
        for interval in intervals {
            now += Duration::from_millis(interval);
            detector.heard(now);
        }
        // The mean is at most four periods, the deviation two.
        prop_assert!(detector.phi(now + PERIOD * 15) >= Some(PhiAccrual::SUSPECTED));
        prop_assert!(detector.intervals.len() <= WINDOW);
    }

    #[test]
    fn whoever_is_heard_in_time_is_never_suspected(intervals in vec(0_u64..=500, 1..300)) {
        let mut now = Instant::now();
        let mut detector = PhiAccrual::new(PERIOD);
        detector.heard(now);
        for interval in intervals {
            now += Duration::from_millis(interval);
            prop_assert!(detector.phi(now) < Some(PhiAccrual::SUSPECTED));
            detector.heard(now);
        }
    }
}
