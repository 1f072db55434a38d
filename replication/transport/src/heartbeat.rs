//! What beats to one peer tell: how long the way is, and whether it is still there.
//!
//! A beat is a QUIC datagram that carries its sender's time; the peer sends it back as it
//! is. So a round trip is measured by one clock, and as often as there are beats: QUIC's own
//! measurement of a link that is used in one direction only, or not at all, is as old as the
//! last packet that had to be acknowledged. A datagram that is lost stays lost, so that no
//! repetition is taken for a long way.
//!
//! Pure: time comes as an argument. What it is not: it decides no vote and no lease
//! ([`meridian_regions::Pulse`] does, from all that is heard of a peer).

use std::time::{Duration, Instant};

use bytes::Bytes;
use meridian_regions::{PhiAccrual, RoundTrip};
use prost::Message;

/// How often a beat is sent: as often as a quiet connection was kept alive before there
/// were any, so that they take the place of that.
pub(crate) const BEAT_EVERY: Duration = Duration::from_millis(250);
/// Longest beat that is sent back, in bytes: a number today, and room for fields to come.
pub(crate) const BEAT_BYTES_MAX: usize = 64;
/// Appended to a beat that is sent back over a connection that is to be renewed: field 2 of it,
/// a varint of 1. Who does not know the field passes over it.
pub(crate) const RENEW: [u8; 2] = [0x10, 0x01];
/// An echo that is older tells nothing of the way as it is now.
const ECHO_AGE_MAX: Duration = Duration::from_secs(10);

/// The beats over the connection that this node dialled to a peer.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// What beats count their time from.
    epoch: Instant,
    /// When the beat that was answered last was sent.
    answered: Option<Duration>,
    round_trip: Option<RoundTrip>,
    detector: PhiAccrual,
}

#[derive(Clone, PartialEq, Message)]
struct Beat {
    /// Nanoseconds since the sender's epoch.
    #[prost(uint64, tag = "1")]
    sent_nanos: u64,
    /// Set by who sends it back: this connection is to be renewed.
    #[prost(bool, tag = "2")]
    renew: bool,
}

/// Whether an echo asks for the connection to be renewed.
pub(crate) fn asks_for_renewal(echo: &[u8]) -> bool {
    Beat::decode(echo).is_ok_and(|beat| beat.renew)
}

impl Heartbeat {
    /// A connection that stands since `now`.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            answered: None,
            round_trip: None,
            detector: PhiAccrual::new(BEAT_EVERY),
        }
    }

    /// The beat to send at `now`.
    pub(crate) fn beat(&self, now: Instant) -> Bytes {
        let sent = now.saturating_duration_since(self.epoch);
        let sent_nanos = u64::try_from(sent.as_nanos()).unwrap_or(u64::MAX);
        let renew = false;
        Beat { sent_nanos, renew }.encode_to_vec().into()
    }

    /// Takes in what the peer has sent back. An echo that comes twice, late or after a later
    /// one, or that no beat can have caused, tells nothing.
    pub(crate) fn echoed(&mut self, echo: &[u8], now: Instant) {
        let Ok(Beat { sent_nanos, .. }) = Beat::decode(echo) else {
            return;
        };
        let sent = Duration::from_nanos(sent_nanos);
        let Some(took) = now.saturating_duration_since(self.epoch).checked_sub(sent) else {
            return;
        };
        if took > ECHO_AGE_MAX || self.answered.is_some_and(|answered| answered >= sent) {
            return;
        }
        self.answered = Some(sent);
        self.detector.heard(now);
        self.round_trip = Some(match self.round_trip {
            None => RoundTrip::first(took),
            Some(known) => known.and(took),
        });
    }

    /// Takes note that this node did not beat for so long beyond the usual.
    pub(crate) fn paused(&mut self, pause: Duration, now: Instant) {
        self.detector.not_listened(pause, now);
    }

    /// The round trip; `None` before the first beat was answered.
    pub(crate) const fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
    }

    /// How much the silence of the peer speaks for its death; `None` before the first beat
    /// was answered, as by a peer of a version that answers none.
    pub(crate) fn phi(&self, now: Instant) -> Option<f64> {
        self.detector.phi(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use meridian_regions::PhiAccrual;
    use proptest::prelude::*;

    use super::{BEAT_BYTES_MAX, BEAT_EVERY, ECHO_AGE_MAX, Heartbeat, RENEW, asks_for_renewal};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn round_trip_is_what_an_echo_took_by_the_sender_s_clock() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start);
        assert_eq!((heartbeat.round_trip(), heartbeat.phi(start)), (None, None));
        for beat in 0..40 {
            let sent = start + BEAT_EVERY * beat;
            heartbeat.echoed(&heartbeat.beat(sent), sent + ms(80));
        }
        let round_trip = heartbeat.round_trip().expect("measured");
        assert_eq!(round_trip.mean, ms(80));
        assert!(round_trip.deviation < ms(1), "{round_trip:?}");
        let now = start + BEAT_EVERY * 40;
        assert!(heartbeat.phi(now).is_some_and(|phi| phi < 1.0));
        let later = heartbeat.phi(now + BEAT_EVERY * 6);
        assert!(later.is_some_and(|phi| phi > PhiAccrual::SUSPECTED));
    }

    #[test]
    fn echo_that_asks_for_a_renewal_tells_the_way_as_any_other() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start);
        let beat = heartbeat.beat(start + BEAT_EVERY);
        assert!(!asks_for_renewal(&beat));
        let asking = [&beat[..], &RENEW].concat();
        assert!(asks_for_renewal(&asking));
        heartbeat.echoed(&asking, start + BEAT_EVERY + ms(20));
        let round_trip = heartbeat.round_trip().expect("measured");
        assert_eq!(round_trip.mean, ms(20));
    }

    #[test]
    fn echo_that_comes_twice_late_or_from_nowhere_tells_nothing() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start);
        let (first, second) = (heartbeat.beat(start), heartbeat.beat(start + BEAT_EVERY));
        heartbeat.echoed(&second, start + BEAT_EVERY + ms(20));
        let known = heartbeat.round_trip();
        assert!(known.is_some());
        let late = start + BEAT_EVERY + ms(900);
        heartbeat.echoed(&second, late);
        heartbeat.echoed(&first, late);
        heartbeat.echoed(&heartbeat.beat(late + ms(1)), late);
        heartbeat.echoed(&[0xff; BEAT_BYTES_MAX], late);
        let old = heartbeat.beat(late);
        heartbeat.echoed(&old, late + ECHO_AGE_MAX + ms(1));
        assert_eq!(heartbeat.round_trip(), known);
    }

    #[test]
    fn node_that_was_held_up_itself_suspects_nobody() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start);
        heartbeat.echoed(&heartbeat.beat(start), start + ms(20));
        let (pause, now) = (ms(30_000), start + ms(30_250));
        assert!(heartbeat.phi(now) >= Some(PhiAccrual::SUSPECTED));
        heartbeat.paused(pause, now);
        assert!(heartbeat.phi(now) < Some(1.0));
    }

    #[test]
    fn beat_of_a_connection_that_has_stood_for_a_century_is_short_enough() {
        let start = Instant::now();
        let heartbeat = Heartbeat::new(start);
        let beat = heartbeat.beat(start + Duration::from_secs(100 * 365 * 86_400));
        assert!(beat.len() <= BEAT_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..BEAT_BYTES_MAX),
            after in 0_u64..100_000,
        ) {
            let start = Instant::now();
            let mut heartbeat = Heartbeat::new(start);
            heartbeat.echoed(&bytes, start + ms(after));
            if let Some(round_trip) = heartbeat.round_trip() {
                prop_assert!(round_trip.mean <= ms(after));
            }
        }
    }
}
