//! Loss in bursts: the two-state chain of Gilbert (1960) and Elliott (1963). A direction is
//! good or bad, and changes with a chance before each datagram.

use rand::{Rng, RngExt};

/// How often a direction turns bad, how long it stays so, and what is lost meanwhile.
/// Lengths are counted in datagrams: a direction that is quiet does not change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Mean length of a bad stretch; at least 1.
    pub bad_datagrams: f64,
    /// Mean length of a good one; at least 1.
    pub good_datagrams: f64,
    /// Share lost in a bad one, 0 to 1. In a good one none is.
    pub loss: f64,
}

impl Burst {
    /// A chain by the mean lengths of its stretches. Less than one counts as one.
    #[must_use]
    pub const fn new(bad_datagrams: f64, good_datagrams: f64, loss: f64) -> Self {
        Self {
            bad_datagrams: bad_datagrams.max(1.0),
            good_datagrams: good_datagrams.max(1.0),
            loss: loss.clamp(0.0, 1.0),
        }
    }

    /// Share lost in the long run.
    #[must_use]
    pub fn mean_loss(&self) -> f64 {
        self.loss * self.bad_datagrams / (self.bad_datagrams + self.good_datagrams)
    }

    /// Moves the chain on by one datagram, and says whether that is lost.
    pub(super) fn loses(&self, bad: &mut bool, random: &mut impl Rng) -> bool {
        let mean = if *bad {
            self.bad_datagrams
        } else {
            self.good_datagrams
        };
        if random.random_bool(1.0 / mean) {
            *bad = !*bad;
        }
        *bad && random.random_bool(self.loss)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::Burst;

    #[test]
    fn share_and_length_of_losses_are_those_of_the_chain() {
        let burst = Burst::new(20.0, 180.0, 1.0);
        let (mut bad, mut random) = (false, StdRng::seed_from_u64(7));
        let lost: Vec<bool> = (0..200_000)
            .map(|_| burst.loses(&mut bad, &mut random))
            .collect();
        let losses = lost.iter().filter(|lost| **lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let (share, length) = (losses as f64 / 200_000.0, losses as f64 / bursts as f64);
        assert!((share - burst.mean_loss()).abs() < 0.02, "{share}");
        assert!((length - 20.0).abs() < 2.0, "{length}");
    }

    #[test]
    fn absurd_lengths_are_brought_into_range() {
        let burst = Burst::new(0.0, -3.0, 9.0);
        assert_eq!(burst, Burst::new(1.0, 1.0, 1.0));
    }
}
