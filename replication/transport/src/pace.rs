//! How soon a peer that is not reached is dialled again, and how long a dial waits for its first
//! answer. Pure: times and randomness are handed in.
//!
//! What is sent into a link that is cut is lost, and QUIC repeats it at ever longer intervals. So
//! a peer is dialled anew, and at first before it is known that the last dial was lost: a link
//! that heals is found within 0.27 s and a round trip. A peer that stays away is
//! dialled more seldom from then on: a packet or two of 1,200 bytes about every second.

use std::time::Duration;

/// A peer that has been away for less is dialled in haste, at 15 KB a second. After a longer cut a
/// second more is little.
pub(crate) const HASTE_MAX: Duration = Duration::from_secs(120);
/// Between two dials in haste, at least: a little above the longest round trip that we plan for,
/// of 220 ms, so that a link that stands is dialled once (RFC 8305, section 5, has 250 ms for TCP).
const STAGGER: Duration = Duration::from_millis(225);
/// Between two dials of a peer that stays away, at least: the last one was lost by then.
const LEISURE: Duration = Duration::from_secs(1);
/// A dial to which nothing was answered for so long was lost: three round trips of the longest
/// link.
const ANSWER_SOON: Duration = Duration::from_millis(750);
/// Some dials of each address wait so long for the first answer: of a peer that is busy.
const ANSWER_LATE: Duration = Duration::from_secs(3);
/// Which ones: about every fourth second one begins.
const LATE_EVERY_IN_HASTE: usize = 16;
const LATE_EVERY: usize = 4;

/// By how much the times between two dials are spread, so that the peers of a healed link do not
/// dial in step.
const SPREAD: f64 = 0.2;

/// Dials of one peer at once: four that may be answered soon, and a late one.
pub(crate) const DIALS_MAX: usize = 5;

/// How long to wait from the beginning of a dial to that of the next one, of a peer that has been
/// away for so long. `random`, from 0 to 1, spreads it upwards.
pub(crate) fn next_after(away: Duration, random: f64) -> Duration {
    let shortest = if away < HASTE_MAX { STAGGER } else { LEISURE };
    shortest.mul_f64(1.0 + SPREAD * random.clamp(0.0, 1.0))
}

/// How long a dial waits for the peer's first packet: by rounds over its addresses, so that each
/// of them has its long wait.
pub(crate) fn answer_within(away: Duration, round: usize) -> Duration {
    let late_every = if away < HASTE_MAX {
        LATE_EVERY_IN_HASTE
    } else {
        LATE_EVERY
    };
    if round % late_every == late_every - 1 {
        ANSWER_LATE
    } else {
        ANSWER_SOON
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        ANSWER_LATE, DIALS_MAX, HASTE_MAX, LEISURE, SPREAD, STAGGER, answer_within, next_after,
    };

    /// The longest that we plan for.
    const ROUND_TRIP: Duration = Duration::from_millis(220);

    /// Begins and ends of the dials of a peer that never answers.
    fn dials(until: Duration) -> Vec<(Duration, Duration)> {
        let (mut at, mut dials) = (Duration::ZERO, Vec::<(Duration, Duration)>::new());
        let mut chances = [0.0, 0.7, 1.0, 0.1, 0.4].into_iter().cycle();
        while at < until {
            let under_way = dials.iter().filter(|(_, end)| *end > at);
            if under_way.count() < DIALS_MAX {
                dials.push((at, at + answer_within(at, dials.len())));
                at += next_after(at, chances.next().expect("without an end"));
            } else {
                at += Duration::from_millis(1);
            }
        }
        dials
    }

    fn begun_within(dials: &[(Duration, Duration)], from: Duration, until: Duration) -> usize {
        let begun = dials.iter().filter(|(at, _)| (from..until).contains(at));
        begun.count()
    }

    #[test]
    fn link_that_heals_soon_is_found_soon_and_one_that_stands_is_dialled_once() {
        let dials = dials(HASTE_MAX);
        for pair in dials.windows(2) {
            let pause = pair[1].0 - pair[0].0;
            assert!(pause <= Duration::from_millis(270), "{pair:?}");
            assert!(pause > ROUND_TRIP, "{pair:?}");
        }
        let late = dials.iter().filter(|(at, end)| *end - *at == ANSWER_LATE);
        assert!(late.count() > 20, "a busy peer is reached, too");
    }

    #[test]
    fn peer_that_stays_away_costs_a_packet_a_second() {
        let minutes = Duration::from_secs(600);
        let dials = dials(HASTE_MAX + minutes);
        let begun = begun_within(&dials, HASTE_MAX, HASTE_MAX + minutes);
        assert!(begun < 600 * 5 / 4, "{begun}");
        assert!(begun_within(&dials, Duration::ZERO, HASTE_MAX) < 120 * 5);
        let late = dials.iter().filter(|(at, end)| *end - *at == ANSWER_LATE);
        assert!(late.count() > 120, "a busy peer is reached, too");
    }

    #[test]
    fn pause_is_spread_upwards_and_never_longer_than_it_may_be() {
        let pauses = [0.0, 0.3, 1.0, 7.0].map(|random| next_after(Duration::ZERO, random));
        assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2]);
        assert_eq!(pauses[0], STAGGER);
        let longest = STAGGER.mul_f64(1.0 + SPREAD);
        assert_eq!(pauses[2..], [longest, longest]);
        assert_eq!(next_after(HASTE_MAX, 0.0), LEISURE);
    }
}
