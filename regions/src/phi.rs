//! How much a silence speaks for a node's death: a phi-accrual failure detector.
//!
//! It learns at which intervals a node is heard, and says of a silence how unlikely it
//! would be of a node that lives: phi 1 is one in ten, phi 8 one in a hundred million, if
//! intervals were distributed normally. Source: Hayashibara et al., *The φ Accrual Failure
//! Detector*, SRDS 2004.
//!
//! What it is not: no [`crate::Pulse`]. That one has a fixed bound, which votes and leases
//! are tuned to; this one adapts to its link, and informs routing and operators only.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Intervals that are remembered: at four a second, the last half minute.
const WINDOW: usize = 128;
/// An interval teaches at most so many periods: one outage does not hide the next, and a
/// link that has become worse for good is learned.
const TAUGHT_PERIODS_MAX: u32 = 4;
/// Where phi ends: nothing beyond tells anybody more.
const PHI_MAX: f64 = 100.0;

/// The detector of one other node. Told when it was heard, it keeps no time itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PhiAccrual {
    period: Duration,
    last: Option<Instant>,
    /// Seconds, the latest last.
    intervals: VecDeque<f64>,
}

impl PhiAccrual {
    /// From so much on a node is suspected. Six beats lost one after the other on a quiet
    /// link are that much, five are not; a link that loses many needs more.
    pub const SUSPECTED: f64 = 8.0;

    /// The detector of a node that is to be heard every `period`, and has not been yet.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self {
            period,
            last: None,
            intervals: VecDeque::new(),
        }
    }

    /// Takes note of a sign of life.
    pub fn heard(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            if self.intervals.len() == WINDOW {
                self.intervals.pop_front();
            }
            let interval = now.saturating_duration_since(last);
            let taught = interval.min(self.period * TAUGHT_PERIODS_MAX);
            self.intervals.push_back(taught.as_secs_f64());
        }
    }

    /// Takes note that it was not listened for so long: who has not asked cannot have been
    /// answered. Moves the last sign of life, at most to `now`.
    pub fn not_listened(&mut self, pause: Duration, now: Instant) {
        self.last = self
            .last
            .map(|last| last.checked_add(pause).map_or(now, |moved| moved.min(now)));
    }

    /// How much the silence up to `now` speaks for death, 0 to 100; `None` if the node was
    /// never heard.
    #[must_use]
    pub fn phi(&self, now: Instant) -> Option<f64> {
        let silence = now.saturating_duration_since(self.last?).as_secs_f64();
        let (mean, deviation) = self.learned();
        Some(phi_of((silence - mean) / deviation))
    }

    /// Mean and deviation of the intervals, in seconds.
    fn learned(&self) -> (f64, f64) {
        let period = self.period.as_secs_f64();
        // At most `WINDOW` of them: exact.
        #[allow(clippy::cast_precision_loss)]
        let count = self.intervals.len() as f64;
        let mean = if self.intervals.is_empty() {
            period
        } else {
            self.intervals.iter().sum::<f64>() / count
        };
        let squares = self.intervals.iter().map(|taken| (taken - mean).powi(2));
        let variance = squares.sum::<f64>() / count.max(1.0);
        // A period at least. Between two machines beside each other it would be nearly none,
        // and a lost beat, or a busy processor, would be taken for a death.
        (mean.max(period), variance.sqrt().max(period))
    }
}

/// `-log10` of the probability that a normal variable is more than so many deviations above
/// its mean, by the logistic approximation of the normal distribution (Bowling et al.,
/// 2009): right to 0.00014 in the probability, a little high in the tail, and never falling.
fn phi_of(deviations: f64) -> f64 {
    let odds = deviations * (1.5976 + 0.070_566 * deviations * deviations);
    // log10(1 + e^odds), without overflow.
    let softplus = odds.max(0.0) + (-odds.abs()).exp().ln_1p();
    (softplus / std::f64::consts::LN_10).min(PHI_MAX)
}

#[cfg(test)]
mod tests;
