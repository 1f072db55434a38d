//! Instants as values: wall time handed in, and hybrid time made from it.

use std::fmt;
use std::time::Duration;

use uhlc::NTP64;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A wall-clock instant in nanoseconds since 1970, as the caller read it.
/// Good until the year 2554.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(u64);

impl UnixNanos {
    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / NANOS_PER_MILLI
    }

    /// Later by `duration`, at most the last instant.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// Time since `earlier`; zero if that is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A hybrid timestamp: wall time in NTP's 64-bit format (seconds and fraction,
/// about 0.23 ns a step) whose last steps count events of one instant.
///
/// Ordered like the events that it stamps, as far as messages connected them.
/// Source: Kulkarni et al., *Logical Physical Clocks*, 2014.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(u64);

impl Hlc {
    /// From its 64 bits.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// Its 64 bits; they order like the timestamps.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The timestamp of a wall-clock instant.
    #[must_use]
    pub fn from_unix_nanos(at: UnixNanos) -> Self {
        Self(NTP64::from(Duration::from_nanos(at.get())).as_u64())
    }

    /// The wall-clock instant that it stands for.
    #[must_use]
    pub fn to_unix_nanos(self) -> UnixNanos {
        let since = NTP64(self.0).to_duration();
        UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
