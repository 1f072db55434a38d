//! Whether a node is alive, judged by when it was last heard.
//!
//! One pulse for each pair of nodes, whatever runs on them: a group of a listing asks
//! it instead of keeping timers and heartbeats of its own. What it is not: it hears
//! nothing itself, and it proves nothing. A node that is silent may live, cut off; so
//! a pulse only ever says when it is worth asking somebody else, never what is decided.

use std::time::{Duration, Instant};

/// The pulse of one other node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    silence_max: Duration,
    beat: Option<Beat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beat {
    /// Since when no silence was too long.
    since: Instant,
    last: Instant,
}

impl Pulse {
    /// A node that has not been heard yet; a silence of more than `silence_max` counts
    /// as death.
    #[must_use]
    pub const fn new(silence_max: Duration) -> Self {
        Self {
            silence_max,
            beat: None,
        }
    }

    /// Takes note of a sign of life.
    pub fn heard(&mut self, now: Instant) {
        let since = self.alive_since(now).unwrap_or(now);
        self.beat = Some(Beat { since, last: now });
    }

    /// Takes note that the node surely cannot be reached.
    pub const fn lost(&mut self) {
        self.beat = None;
    }

    /// How long the node has been alive without a silence that was too long; `None` if
    /// it is silent now.
    #[must_use]
    pub fn alive_for(&self, now: Instant) -> Option<Duration> {
        self.alive_since(now)
            .map(|since| now.saturating_duration_since(since))
    }

    /// Whether half of the silence that counts as death has passed: enough to believe
    /// another who takes the node for dead.
    #[must_use]
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.beat
            .is_none_or(|beat| now.saturating_duration_since(beat.last) > self.silence_max / 2)
    }

    fn alive_since(&self, now: Instant) -> Option<Instant> {
        self.beat
            .filter(|beat| now.saturating_duration_since(beat.last) <= self.silence_max)
            .map(|beat| beat.since)
    }
}

/// Deaths so soon after a node was trusted again count as flapping.
const FLAPS_WITHIN: Duration = Duration::from_secs(600);
/// Longest life that is asked of a node that flaps.
const STEADY_MAX: Duration = Duration::from_secs(300);

/// How long a node has to live before it is trusted again: twice as long each time that
/// it dies soon after it was, so that what follows its life does not jump with it.
#[derive(Debug, Clone, Copy)]
pub struct Probation {
    least: Duration,
    steady: Duration,
    trusted_at: Option<Instant>,
}

impl Probation {
    /// A node that has to live for `least`, as long as it does not flap.
    #[must_use]
    pub const fn new(least: Duration) -> Self {
        Self {
            least,
            steady: least,
            trusted_at: None,
        }
    }

    /// Whether a node that has been alive for `alive_for` by `now` may be trusted.
    pub fn is_over(&mut self, alive_for: Duration, now: Instant) -> bool {
        let alive_since = now.checked_sub(alive_for);
        if let (Some(trusted_at), Some(alive_since)) = (self.trusted_at, alive_since)
            && alive_since > trusted_at
        {
            // It has died meanwhile.
            let flaps = alive_since.duration_since(trusted_at) < FLAPS_WITHIN;
            let longer = self.steady.saturating_mul(2).min(STEADY_MAX);
            self.steady = if flaps { longer } else { self.least };
            self.trusted_at = None;
        }
        alive_for >= self.steady
    }

    /// Takes note that the node has been trusted.
    pub const fn trust(&mut self, now: Instant) {
        self.trusted_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FLAPS_WITHIN, Probation, Pulse, STEADY_MAX};

    const SILENCE_MAX: Duration = Duration::from_millis(1_200);

    #[test]
    fn silence_is_forgiven_up_to_the_bound_and_then_is_death() {
        let start = Instant::now();
        let mut pulse = Pulse::new(SILENCE_MAX);
        assert_eq!(pulse.alive_for(start), None);
        pulse.heard(start);
        assert_eq!(pulse.alive_for(start + SILENCE_MAX), Some(SILENCE_MAX));
        let late = start + SILENCE_MAX + Duration::from_millis(1);
        assert_eq!(pulse.alive_for(late), None);
        assert!(pulse.is_quiet(late));
    }

    #[test]
    fn quiet_comes_before_death() {
        let start = Instant::now();
        let mut pulse = Pulse::new(SILENCE_MAX);
        assert!(pulse.is_quiet(start), "never heard");
        pulse.heard(start);
        let half = start + SILENCE_MAX / 2;
        assert!(!pulse.is_quiet(half));
        let later = half + Duration::from_millis(1);
        assert!(pulse.is_quiet(later));
        assert!(pulse.alive_for(later).is_some());
    }

    #[test]
    fn life_is_counted_from_the_first_beat_after_a_death() {
        let start = Instant::now();
        let mut pulse = Pulse::new(SILENCE_MAX);
        pulse.heard(start);
        let back = start + 3 * SILENCE_MAX;
        pulse.heard(back);
        assert_eq!(pulse.alive_for(back), Some(Duration::ZERO));
        pulse.heard(back + SILENCE_MAX);
        assert_eq!(pulse.alive_for(back + SILENCE_MAX), Some(SILENCE_MAX));
        pulse.lost();
        assert_eq!(pulse.alive_for(back + SILENCE_MAX), None);
    }
    #[test]
    fn node_that_flaps_is_trusted_later_each_time_and_one_that_does_not_as_soon_as_ever() {
        let least = Duration::from_secs(10);
        let mut probation = Probation::new(least);
        let mut now = Instant::now() + STEADY_MAX;
        let mut asked = least;
        for _ in 0..8 {
            now += asked;
            let almost = asked - Duration::from_millis(1);
            assert!(!probation.is_over(almost, now), "{asked:?}");
            assert!(probation.is_over(asked, now), "{asked:?}");
            probation.trust(now);
            // It dies at once, and lives again.
            now += Duration::from_secs(1);
            asked = (asked * 2).min(STEADY_MAX);
        }
        assert!(!probation.is_over(Duration::ZERO, now));
        assert!(probation.is_over(STEADY_MAX, now + STEADY_MAX));
        probation.trust(now);
        let back = now + FLAPS_WITHIN + least;
        assert!(probation.is_over(least, back + least));
    }
}
