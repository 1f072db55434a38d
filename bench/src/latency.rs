//! Latencies of many requests, and medians of a few rounds.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest time that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Latencies, to three digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order"))
    }

    pub(crate) fn record(&mut self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// The latency that this share of requests does not exceed, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most a minute in microseconds"
        )]
        let micros = self.0.value_at_quantile(share) as f64;
        micros / 1e3
    }
}

/// The middle one; of an even number the lower of the two in the middle. Zero of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}

/// Between which values the median of what these are a sample of lies, 19 times of 20: by how
/// many of them are smaller, whatever they are distributed like. All of them where they are few.
pub(crate) fn middle_interval(values: &[f64]) -> (f64, f64) {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred rounds at most, and not less than none"
    )]
    let outside = {
        let count = values.len() as f64;
        // How many lie below the median is binomial: 1.96 standard deviations off the middle.
        ((count - 1.96 * count.sqrt()) / 2.0).max(0.0) as usize
    };
    let from = values.get(outside).copied().unwrap_or(0.0);
    let to = values.iter().rev().nth(outside).copied().unwrap_or(0.0);
    (from, to)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, median, middle_interval};

    #[test]
    fn interval_of_the_median_narrows_as_there_are_more_rounds() {
        let of = |count: u32| {
            let values: Vec<f64> = (0..=count)
                .map(|at| f64::from(at) / f64::from(count))
                .collect();
            middle_interval(&values)
        };
        assert_eq!(middle_interval(&[]), (0.0, 0.0));
        assert_eq!(middle_interval(&[2.0, 1.0]), (1.0, 2.0));
        let (from, to) = of(100);
        assert!(
            (0.38..0.42).contains(&from) && (0.58..0.62).contains(&to),
            "{from} {to}"
        );
        let (nearer, until) = of(10_000);
        assert!(nearer > 0.48 && until < 0.52, "{nearer} {until}");
    }

    #[test]
    fn median_is_one_of_the_values() {
        assert_eq!(median([3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median([4.0, 1.0]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(median([]).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut latencies = Latencies::new();
        for micros in 1..=1_000 {
            latencies.record(Duration::from_micros(micros));
        }
        assert!((latencies.quantile_ms(0.5) - 0.5).abs() < 0.002);
        assert!((latencies.quantile_ms(0.99) - 0.99).abs() < 0.002);
    }
}
