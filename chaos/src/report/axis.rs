//! The time axis that everything in a report shares.

use serde::Serialize;

use crate::record::Run;

/// Steps at most: a screen shows no more, and a table of more is read by nobody.
const STEPS_MAX: u64 = 900;

/// Microseconds in a second.
pub(super) const SECOND_US: u64 = 1_000_000;

/// Lengths of steps, in seconds, that people can read off an axis.
const LADDER: [u64; 14] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200,
];

/// A run's time, cut into steps of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Axis {
    /// When the last thing happened.
    pub(super) took_us: u64,
    /// Length of a step: a second, or more where a run was long.
    pub(super) step_us: u64,
    /// How many there are, one at least.
    pub(super) steps: usize,
}

impl Axis {
    pub(super) fn of(run: &Run) -> Self {
        let asked = run.operations.iter().map(|call| call.invoked.at_us);
        let told = run.operations.iter().filter_map(|call| {
            let completed = call.completed.as_ref()?;
            Some(completed.at_us)
        });
        let broken = run.faults.iter().map(|fault| fault.at_us);
        let seen = run.samples.iter().map(|sample| sample.at_us);
        let took_us = asked.chain(told).chain(broken).chain(seen).max();
        Self::over(took_us.unwrap_or(0))
    }

    /// The axis of a run that took so long.
    pub(super) fn over(took_us: u64) -> Self {
        let least = took_us.div_ceil(STEPS_MAX).div_ceil(SECOND_US).max(1);
        let step_s = LADDER.into_iter().find(|step| *step >= least);
        let step_us = step_s.unwrap_or(least).saturating_mul(SECOND_US);
        Self {
            took_us,
            step_us,
            steps: index(took_us.div_ceil(step_us).max(1)),
        }
    }

    /// The step in which a moment lies.
    pub(super) fn step(&self, at_us: u64) -> usize {
        index(at_us / self.step_us).min(self.steps - 1)
    }

    /// When a step begins.
    pub(super) const fn begin_us(&self, step: usize) -> u64 {
        self.step_us.saturating_mul(step as u64)
    }

    /// Where a moment lies on the axis, from 0 to 1.
    pub(super) fn share(&self, at_us: u64) -> f64 {
        let whole = self.step_us as f64 * self.steps as f64;
        (at_us as f64 / whole).min(1.0)
    }

    /// Moments to write at the axis: at most `most`, at round times.
    pub(super) fn ticks(&self, most: u64) -> Vec<u64> {
        let least = (self.took_us / most.max(1)).div_ceil(SECOND_US).max(1);
        let apart_s = LADDER.into_iter().find(|step| *step >= least);
        let apart_us = apart_s.unwrap_or(least).saturating_mul(SECOND_US);
        (0..=self.took_us / apart_us)
            .map(|tick| tick * apart_us)
            .collect()
    }
}

fn index(steps: u64) -> usize {
    usize::try_from(steps).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Axis, SECOND_US};

    #[test]
    fn steps_are_seconds_until_there_are_too_many() {
        let minute = Axis::over(60 * SECOND_US);
        assert_eq!((minute.step_us, minute.steps), (SECOND_US, 60));
        let hour = Axis::over(3_600 * SECOND_US);
        assert_eq!((hour.step_us, hour.steps), (5 * SECOND_US, 720));
    }

    #[test]
    fn any_time_has_its_place() {
        for took_us in [0, 1, SECOND_US, 86_400 * SECOND_US, u64::MAX] {
            let axis = Axis::over(took_us);
            assert!((1..=900).contains(&axis.steps), "{axis:?}");
            assert!(axis.step(took_us) < axis.steps, "{axis:?}");
            assert!((0.0..=1.0).contains(&axis.share(took_us)), "{axis:?}");
            assert!(axis.ticks(8).len() <= 9, "{axis:?}");
        }
    }
}
