//! What a seed decides beforehand: how hostile this world is, and in which way.
//!
//! Not every seed has every fault: what one fault brings about, another would hide.

use std::time::Duration;

use meridian_simulation::Rng;

/// A kind of world. One in which everything may go wrong rarely does the three things in a
/// row that a certain mistake needs; a world with a focus does them over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// A bit of every fault.
    Everything,
    /// One node meets the other two in turn, and loses power over each vote.
    Ballots,
    /// Leaders sleep between two requests, and lose power as they send the next entry.
    Naps,
    /// Many groups share few places, over slow disks: whoever has gone to sleep is woken
    /// while the last that it has written waits.
    Crowd,
}

impl Focus {
    pub(super) const ALL: [Self; 4] = [Self::Everything, Self::Ballots, Self::Naps, Self::Crowd];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Ballots => "ballots",
            Self::Naps => "naps",
            Self::Crowd => "crowd",
        }
    }
}

/// Chances are per mille.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) focus: Focus,
    pub(super) listings: u64,
    pub(super) units: u32,
    pub(super) clients: u64,
    /// Pauses between two requests of a client, in milliseconds.
    pub(super) think_ms: (u64, u64),
    pub(super) chaos_for: Duration,
    pub(super) idle: Duration,
    pub(super) awake_max: usize,
    /// One way, in milliseconds.
    pub(super) delay_ms: (u64, u64),
    pub(super) late: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
    /// A node crashes as its answer to a vote or an append leaves.
    pub(super) crash_on_answer: u64,
    /// A leader crashes as an append leaves.
    pub(super) crash_on_append: u64,
    /// Part of crashes that lose what was not synced; the others are kills.
    pub(super) power_cut: u64,
    pub(super) down_ms: (u64, u64),
    pub(super) disk_ms: (u64, u64),
    pub(super) disk_stall: u64,
    /// Pulses follow the links by this much.
    pub(super) pulse_lag_ms: u64,
    /// Pauses between two deeds of the nemesis.
    pub(super) calm_ms: (u64, u64),
    /// The node whose clock is ill, if any.
    pub(super) ill_clock: Option<u64>,
}

impl Plan {
    pub(super) fn of(rng: &mut Rng, focus: Focus) -> Self {
        let everything = Self::everything(rng);
        match focus {
            Focus::Everything => everything,
            Focus::Ballots => Self {
                think_ms: (20, 120),
                idle: Duration::from_millis(1_000),
                awake_max: 6,
                power_cut: 1_000,
                down_ms: (5, 60),
                pulse_lag_ms: 100,
                ..everything.quiet(focus)
            },
            Focus::Naps => Self {
                clients: 2,
                think_ms: (150, 600),
                idle: Duration::from_millis(100),
                awake_max: 6,
                crash_on_append: 150,
                power_cut: 1_000,
                down_ms: (5, 40),
                disk_ms: (2, 20),
                // Nobody misses a node that is back so soon.
                pulse_lag_ms: 1_500,
                ..everything.quiet(focus)
            },
            Focus::Crowd => Self {
                listings: 4,
                clients: 6,
                think_ms: (1, 40),
                awake_max: 2,
                disk_ms: (10, 80),
                ..everything.quiet(focus)
            },
        }
    }

    /// The same world without faults of its own.
    fn quiet(self, focus: Focus) -> Self {
        Self {
            focus,
            chaos_for: Duration::from_secs(15),
            delay_ms: (1, 10),
            late: 0,
            lost: 0,
            twice: 0,
            crash_on_answer: 0,
            crash_on_append: 0,
            power_cut: 0,
            disk_ms: (0, 3),
            disk_stall: 0,
            calm_ms: (50, 300),
            ill_clock: None,
            ..self
        }
    }

    fn everything(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, most: u64| {
            if rng.chance(500) {
                rng.within(1, most + 1)
            } else {
                0
            }
        };
        let slowest = *rng.pick(&[3, 20, 60, 120]);
        Self {
            focus: Focus::Everything,
            listings: rng.within(1, 4),
            units: u32::try_from(rng.within(1, 3)).expect("small"),
            clients: rng.within(2, 6),
            think_ms: *rng.pick(&[(20, 200), (50, 600), (200, 2_500)]),
            chaos_for: Duration::from_secs(rng.within(12, 45)),
            idle: rng.millis(100, 1_500),
            awake_max: usize::try_from(rng.within(2, 6)).expect("small"),
            delay_ms: (1, slowest),
            late: some(rng, 60),
            lost: some(rng, 100),
            twice: some(rng, 100),
            crash_on_answer: some(rng, 12),
            crash_on_append: some(rng, 8),
            power_cut: *rng.pick(&[0, 500, 1_000, 1_000]),
            down_ms: *rng.pick(&[(20, 300), (20, 3_000), (1_000, 8_000)]),
            disk_ms: *rng.pick(&[(0, 2), (0, 8), (2, 40)]),
            disk_stall: some(rng, 8),
            pulse_lag_ms: rng.within(100, 1_500),
            calm_ms: *rng.pick(&[(50, 1_000), (500, 4_000), (2_000, 12_000)]),
            ill_clock: rng.chance(500).then(|| rng.within(1, 4)),
        }
    }
}
