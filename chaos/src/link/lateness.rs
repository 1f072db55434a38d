//! How late the emulator itself was: a run in which it could not keep its delays says
//! nothing about the cluster.

use std::time::Duration;

/// Classes of lateness: the n-th holds what was late by less than 2ⁿ µs, the last one all
/// else, from half a minute on.
const CLASSES: usize = 26;

/// How late datagrams were let out, beside what the model said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    classes: [u64; CLASSES],
    worst: Duration,
}

impl Lateness {
    /// One more datagram.
    pub(crate) fn add(&mut self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let class = (u64::BITS - micros.leading_zeros()) as usize;
        self.classes[class.min(CLASSES - 1)] += 1;
        self.worst = self.worst.max(late);
    }

    /// All datagrams of both.
    pub(crate) fn join(&mut self, other: &Self) {
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
        self.worst = self.worst.max(other.worst);
    }

    /// What has come on top of an earlier count. The worst is that of all, if anything has come:
    /// of some alone it is not known.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut more = *self;
        for (class, before) in more.classes.iter_mut().zip(earlier.classes) {
            *class -= before;
        }
        if more.datagrams() == 0 {
            return Self::default();
        }
        more
    }

    /// Datagrams let out.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The worst.
    #[must_use]
    pub const fn worst(&self) -> Duration {
        self.worst
    }

    /// What a share of datagrams was not later than, to the next power of two of
    /// microseconds: `quantile(0.99)`.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let all = self.datagrams();
        let mut below = 0;
        for (class, count) in self.classes.iter().enumerate() {
            below += count;
            if below > 0 && below as f64 >= share * all as f64 {
                return Duration::from_micros(1 << class).min(self.worst);
            }
        }
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lateness;

    #[test]
    fn quantiles_are_right_to_a_power_of_two() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.quantile(0.99), Duration::ZERO);
        for micros in 1..=1_000 {
            lateness.add(Duration::from_micros(micros));
        }
        lateness.add(Duration::from_secs(90));
        assert_eq!(lateness.datagrams(), 1_001);
        assert_eq!(lateness.quantile(0.5), Duration::from_micros(512));
        assert_eq!(lateness.quantile(0.99), Duration::from_micros(1_024));
        assert_eq!(lateness.worst(), Duration::from_secs(90));
        assert_eq!(lateness.quantile(1.0), Duration::from_micros(1 << 25));
    }

    #[test]
    fn what_came_later_is_told_apart() {
        let mut lateness = Lateness::default();
        for _ in 0..100 {
            lateness.add(Duration::from_millis(200));
        }
        let before = lateness;
        lateness.add(Duration::from_millis(1));
        let later = lateness.since(&before);
        assert_eq!(later.datagrams(), 1);
        assert_eq!(later.quantile(0.99), Duration::from_micros(1_024));
        assert_eq!(lateness.since(&lateness), Lateness::default());
    }

    #[test]
    fn joined_counts_are_those_of_both() {
        let (mut one, mut other) = (Lateness::default(), Lateness::default());
        one.add(Duration::from_millis(1));
        other.add(Duration::from_millis(3));
        one.join(&other);
        assert_eq!(
            (one.datagrams(), one.worst()),
            (2, Duration::from_millis(3))
        );
    }
}
