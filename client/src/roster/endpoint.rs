//! One endpoint: whether it can be used, and whether it is to be asked how it is.
//!
//! It goes down at once and comes up slowly: three good answers, a second apart at least,
//! after a rest that doubles with every failure. So a client neither waits for the dead
//! nor jumps back and forth with one that flaps.

use std::time::{Duration, Instant};

use super::Ranking;
use super::round_trip::RoundTrip;

/// Answers that broke off in a row until an endpoint counts as down: one is what a
/// connection that grew old looks like.
const BROKEN_MAX: u32 = 2;
/// Good answers until an endpoint that was down is trusted.
const GOOD_MIN: u32 = 3;
/// Time between two of them, and between two probes, at least.
const GOOD_GAP: Duration = Duration::from_secs(1);
/// Rest after the first failure; it doubles up to the greatest.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);
/// A life of this length pays for earlier failures.
const STEADY: Duration = Duration::from_secs(60);
/// How often an endpoint that is well is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// A probe that has said nothing for so long has been given up.
const PROBE_LOST: Duration = Duration::from_secs(10);

/// How an endpoint failed to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It takes no connection.
    Refused,
    /// It has said nothing for as long as an answer may take.
    Silent,
    /// It hung up, or the caller's own time was over.
    Broken,
}

/// How willingly an endpoint is used, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Up,
    /// It has asked to be left alone.
    Busy,
    /// It was down, and has answered again.
    Recovering,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Up {
        /// When it came up again; `None` if it was never down.
        since: Option<Instant>,
        broken: u32,
    },
    Down {
        rests_until: Instant,
        good: u32,
        good_at: Option<Instant>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Never,
    Asked(Instant),
    Done(Instant),
}

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) region: Option<String>,
    pub(super) is_seed: bool,
    pub(super) round_trip: RoundTrip,
    pub(super) busy_until: Option<Instant>,
    standing: Standing,
    /// Failures that no steady life has paid for.
    falls: u32,
    probe: Probe,
}

impl Endpoint {
    pub(super) fn seed(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            region: None,
            is_seed: true,
            round_trip: RoundTrip::default(),
            busy_until: None,
            standing: Standing::Up {
                since: None,
                broken: 0,
            },
            falls: 0,
            probe: Probe::Never,
        }
    }

    pub(super) fn found(url: &str, region: &str) -> Self {
        Self {
            region: Some(region.to_owned()),
            is_seed: false,
            ..Self::seed(url)
        }
    }

    pub(super) fn tier(&self, now: Instant) -> Tier {
        match self.standing {
            Standing::Up { .. } if self.busy_until.is_some_and(|until| now < until) => Tier::Busy,
            Standing::Up { .. } => Tier::Up,
            Standing::Down { good: 0, .. } => Tier::Down,
            Standing::Down { .. } => Tier::Recovering,
        }
    }

    pub(super) fn answered(&mut self, now: Instant) {
        match &mut self.standing {
            Standing::Up { since, broken } => {
                *broken = 0;
                if since.is_none_or(|since| now.saturating_duration_since(since) >= STEADY) {
                    self.falls = 0;
                }
            }
            Standing::Down { good, good_at, .. } => {
                if good_at.is_none_or(|last| now.saturating_duration_since(last) >= GOOD_GAP) {
                    *good += 1;
                    *good_at = Some(now);
                }
                if *good >= GOOD_MIN {
                    self.standing = Standing::Up {
                        since: Some(now),
                        broken: 0,
                    };
                }
            }
        }
    }

    pub(super) fn failed(&mut self, failure: Failure, now: Instant) {
        match &mut self.standing {
            Standing::Up { broken, .. }
                if failure == Failure::Broken && *broken + 1 < BROKEN_MAX =>
            {
                *broken += 1;
                return;
            }
            // Nothing new: it is asked while it rests where nothing else is up.
            Standing::Down { rests_until, .. } if now < *rests_until => return,
            Standing::Up { .. } | Standing::Down { .. } => {}
        }
        self.falls = self.falls.saturating_add(1);
        let doubled = 2_u32.saturating_pow(self.falls - 1);
        self.standing = Standing::Down {
            rests_until: now + REST_MIN.saturating_mul(doubled).min(REST_MAX),
            good: 0,
            good_at: None,
        };
    }

    /// Whether a probe is under way.
    pub(super) fn is_asked(&self, now: Instant) -> bool {
        matches!(self.probe, Probe::Asked(at) if now.saturating_duration_since(at) < PROBE_LOST)
    }

    /// Whether a probe would be worth its while.
    pub(super) fn is_due(&self, ranking: Ranking, now: Instant) -> bool {
        if self.is_asked(now) {
            return false;
        }
        let asked_at = match self.probe {
            Probe::Never => None,
            Probe::Asked(at) | Probe::Done(at) => Some(at),
        };
        let passed = |gap| asked_at.is_none_or(|at| now.saturating_duration_since(at) >= gap);
        match self.standing {
            Standing::Down { rests_until, .. } => now >= rests_until && passed(GOOD_GAP),
            Standing::Up { .. } if ranking == Ranking::AsGiven => false,
            Standing::Up { .. } => !self.round_trip.is_settled() || passed(MEASURE_EVERY),
        }
    }

    pub(super) const fn ask(&mut self, now: Instant) {
        self.probe = Probe::Asked(now);
    }

    pub(super) const fn probed(&mut self) {
        if let Probe::Asked(at) = self.probe {
            self.probe = Probe::Done(at);
        }
    }
}
