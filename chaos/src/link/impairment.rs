//! What can be laid over a direction, and how several together read: delays add up, shares
//! of independent chances join, of limits the tighter one holds.

use std::time::Duration;

use super::burst::Burst;
use super::{LinkModel, LinkState};

/// One thing that is wrong with a direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Impairment {
    /// Added to the one-way delay.
    Delay(Duration),
    /// Added to the most that is added to it by chance.
    Jitter(Duration),
    /// Share lost, each for itself.
    Loss(f64),
    /// Loss in bursts.
    Burst(Burst),
    /// Share that arrives twice.
    Duplicate(f64),
    /// Share held back, so that later datagrams overtake.
    Reorder(Reorder),
    /// Share of which a bit is flipped.
    Corrupt(f64),
    /// How fast datagrams go out.
    Bandwidth(Bandwidth),
    /// Longest datagram that passes, in bytes.
    Mtu(usize),
    /// Nothing passes.
    Cut,
}

/// Datagrams that are held back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reorder {
    /// Share of them, 0 to 1.
    pub share: f64,
    /// How long each is held back.
    pub by: Duration,
}

/// How fast datagrams go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes of UDP payload in a second; 0 counts as 1.
    pub bytes_per_s: u64,
    /// How long a datagram may wait for those before it. Beyond it, it is lost.
    pub queue: Duration,
}

impl LinkModel {
    /// This model with one more thing wrong.
    #[must_use]
    pub fn with(mut self, impairment: Impairment) -> Self {
        match impairment {
            Impairment::Delay(delay) => self.delay += delay,
            Impairment::Jitter(jitter) => self.jitter += jitter,
            Impairment::Loss(share) => self.loss = either(self.loss, share),
            Impairment::Burst(burst) => {
                let worse = self
                    .burst
                    .filter(|known| known.mean_loss() >= burst.mean_loss());
                self.burst = worse.or(Some(burst));
            }
            Impairment::Duplicate(share) => self.duplicate = either(self.duplicate, share),
            Impairment::Reorder(reorder) => {
                self.reorder = Some(self.reorder.map_or(reorder, |known| Reorder {
                    share: either(known.share, reorder.share),
                    by: known.by.max(reorder.by),
                }));
            }
            Impairment::Corrupt(share) => self.corrupt = either(self.corrupt, share),
            Impairment::Bandwidth(limit) => {
                let tighter = self
                    .bandwidth
                    .filter(|known| known.bytes_per_s <= limit.bytes_per_s);
                self.bandwidth = tighter.or(Some(limit));
            }
            Impairment::Mtu(bytes) => {
                self.mtu_bytes = Some(self.mtu_bytes.map_or(bytes, |known| known.min(bytes)));
            }
            Impairment::Cut => self.state = LinkState::Cut,
        }
        self
    }
}

/// The chance that one of two independent things happens.
fn either(one: f64, other: f64) -> f64 {
    1.0 - (1.0 - one) * (1.0 - other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bandwidth, Burst, Impairment, Reorder};
    use crate::link::{LinkModel, LinkState};

    fn healthy() -> LinkModel {
        LinkModel::of_round_trip(Duration::from_millis(80))
    }

    #[test]
    fn delays_add_up_and_chances_join() {
        let model = healthy()
            .with(Impairment::Delay(Duration::from_millis(60)))
            .with(Impairment::Delay(Duration::from_millis(100)))
            .with(Impairment::Jitter(Duration::from_millis(5)))
            .with(Impairment::Loss(0.5))
            .with(Impairment::Loss(0.5));
        assert_eq!(model.delay, Duration::from_millis(200));
        assert_eq!(model.jitter, Duration::from_millis(5));
        assert!((model.loss - 0.75).abs() < 1e-9);
    }

    #[test]
    fn tighter_limit_holds_whichever_came_first() {
        let limit = |bytes_per_s| {
            Impairment::Bandwidth(Bandwidth {
                bytes_per_s,
                queue: Duration::from_secs(1),
            })
        };
        for order in [[1_000, 9_000], [9_000, 1_000]] {
            let model = order
                .into_iter()
                .fold(healthy(), |model, rate| model.with(limit(rate)));
            assert_eq!(model.bandwidth.map(|limit| limit.bytes_per_s), Some(1_000));
        }
        let model = healthy()
            .with(Impairment::Mtu(1_300))
            .with(Impairment::Mtu(1_400));
        assert_eq!(model.mtu_bytes, Some(1_300));
    }

    #[test]
    fn worse_of_two_bursts_holds_and_what_is_held_back_joins() {
        let (rare, often) = (Burst::new(5.0, 500.0, 1.0), Burst::new(20.0, 20.0, 1.0));
        for order in [[rare, often], [often, rare]] {
            let model = order.into_iter().fold(healthy(), |model, burst| {
                model.with(Impairment::Burst(burst))
            });
            assert_eq!(model.burst, Some(often));
        }
        let held = |share, millis| {
            Impairment::Reorder(Reorder {
                share,
                by: Duration::from_millis(millis),
            })
        };
        let model = healthy().with(held(0.5, 9)).with(held(0.5, 3));
        let held = model.reorder.expect("laid");
        assert!((held.share - 0.75).abs() < 1e-9);
        assert_eq!(held.by, Duration::from_millis(9));
    }

    #[test]
    fn cut_stays_cut_whatever_comes_on_top() {
        let model = healthy()
            .with(Impairment::Cut)
            .with(Impairment::Delay(Duration::ZERO));
        assert_eq!(model.state, LinkState::Cut);
    }
}
