//! One direction of a link, as a decision about each datagram.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// Datagrams under way in one direction. Beyond it the newest is dropped, as a full
/// router's queue does.
const UNDER_WAY_MAX: usize = 8_192;

/// Whether datagrams pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// They do.
    Up,
    /// All of them are lost, without a word to anybody.
    Cut,
}

/// Delay, jitter and loss of one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkModel {
    /// One-way delay.
    pub delay: Duration,
    /// Most that is added to it, evenly. Datagrams never overtake one another.
    pub jitter: Duration,
    /// Share of datagrams lost, 0 to 1.
    pub loss: f64,
    /// Whether anything passes.
    pub state: LinkState,
}

impl LinkModel {
    /// A healthy direction of half a round trip.
    #[must_use]
    pub fn of_round_trip(round_trip: Duration) -> Self {
        Self {
            delay: round_trip / 2,
            jitter: Duration::ZERO,
            loss: 0.0,
            state: LinkState::Up,
        }
    }

    /// When a datagram that comes `now` is delivered; `None` if it is lost.
    /// `last` is when the one before it is, and `under_way` how many are in between.
    #[must_use]
    pub fn deliver_at(
        &self,
        now: Instant,
        last: Option<Instant>,
        under_way: usize,
        random: &mut impl Rng,
    ) -> Option<Instant> {
        if self.state == LinkState::Cut || under_way >= UNDER_WAY_MAX {
            return None;
        }
        if self.loss > 0.0 && random.random_bool(self.loss.clamp(0.0, 1.0)) {
            return None;
        }
        let jitter = if self.jitter.is_zero() {
            Duration::ZERO
        } else {
            random.random_range(Duration::ZERO..=self.jitter)
        };
        let at = now + self.delay + jitter;
        Some(last.map_or(at, |last| at.max(last)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{LinkModel, LinkState, UNDER_WAY_MAX};

    fn random() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn datagram_takes_half_a_round_trip() {
        let link = LinkModel::of_round_trip(Duration::from_millis(80));
        let now = Instant::now();
        let at = link.deliver_at(now, None, 0, &mut random());
        assert_eq!(at, Some(now + Duration::from_millis(40)));
    }

    #[test]
    fn jitter_never_lets_one_overtake_another() {
        let mut link = LinkModel::of_round_trip(Duration::from_millis(10));
        link.jitter = Duration::from_millis(50);
        let (now, mut last, mut random) = (Instant::now(), None, random());
        for sent in 0..200_u32 {
            let at = link.deliver_at(now + Duration::from_micros(10) * sent, last, 0, &mut random);
            assert!(at >= last && at.is_some());
            last = at;
        }
    }

    #[test]
    fn cut_full_and_lossy_links_lose() {
        let mut link = LinkModel::of_round_trip(Duration::from_millis(10));
        let (now, mut random) = (Instant::now(), random());
        assert!(
            link.deliver_at(now, None, UNDER_WAY_MAX, &mut random)
                .is_none()
        );
        link.loss = 1.0;
        assert!(link.deliver_at(now, None, 0, &mut random).is_none());
        link.loss = 0.0;
        link.state = LinkState::Cut;
        assert!(link.deliver_at(now, None, 0, &mut random).is_none());
    }
}
