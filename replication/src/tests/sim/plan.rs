//! What a seed decides beforehand: how hostile this world is, and in which way.
//!
//! Not every seed has every fault: what one fault brings about, another would hide.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use meridian_simulation::Rng;

/// Three regions; two of them may have a second node.
const REGIONS: [&str; 5] = ["us-east", "eu-west", "ap-southeast", "us-east", "eu-west"];

/// Fewer than a listing has after some seconds, and more than it begins anew with.
const RENEWS_PAST: u64 = 16;

/// Chances are per mille.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Where node 1, node 2 and so on stand.
    pub(super) regions: Vec<&'static str>,
    /// Listings that are there from the beginning, more or less.
    pub(super) listings: u64,
    pub(super) clients: u64,
    /// Pauses between two requests of a client, in milliseconds.
    pub(super) think_ms: (u64, u64),
    /// A client goes to another node.
    pub(super) roams: u64,
    /// A request waits for what its session has seen.
    pub(super) honours: u64,
    /// A request deletes its listing.
    pub(super) deletes: u64,
    pub(super) chaos_for: Duration,
    /// One way, in milliseconds.
    pub(super) delay_ms: (u64, u64),
    /// A packet is lost, and sent again later.
    pub(super) lost: u64,
    pub(super) twice: u64,
    /// A stream breaks.
    pub(super) breaks: u64,
    /// A frame lacks an entry, and its stream breaks.
    pub(super) holes: u64,
    /// A node crashes as a frame of it leaves.
    pub(super) crash_on_frame: u64,
    /// A node crashes once it has acknowledged a write.
    pub(super) crash_on_ack: u64,
    /// Part of crashes that lose what was not synced; the others are kills.
    pub(super) power_cut: u64,
    pub(super) down_ms: (u64, u64),
    pub(super) disk_ms: (u64, u64),
    pub(super) disk_stall: u64,
    /// A connection that carries nothing is given up after this: the cut was noticed, or
    /// the silence was.
    pub(super) notice_ms: u64,
    pub(super) idle_ms: u64,
    /// How long it takes to be connected.
    pub(super) dial_ms: u64,
    pub(super) silence_max: Duration,
    /// Pauses between two deeds of the nemesis.
    pub(super) calm_ms: (u64, u64),
    pub(super) hot_max: NonZeroUsize,
    /// Pauses between rounds of repair; without them, logs alone make all alike.
    pub(super) repair_every: Option<Duration>,
    /// The node whose clock is ill, if any.
    pub(super) ill_clock: Option<u64>,
    /// The node that is put back to what it was before, if any.
    pub(super) restored: Option<u64>,
    /// Changes past which documents begin anew; `None` for never.
    pub(super) renews_past: Option<NonZeroU64>,
}

impl Plan {
    pub(super) fn of(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, most: u64| {
            if rng.chance(500) {
                rng.within(1, most + 1)
            } else {
                0
            }
        };
        let nodes = *rng.pick(&[3, 3, 4, 5]);
        let anyone = 1..nodes as u64 + 1;
        let slowest = *rng.pick(&[3, 20, 60, 120]);
        Self {
            regions: REGIONS[..nodes].to_vec(),
            listings: rng.within(1, 5),
            clients: rng.within(2, 6),
            think_ms: *rng.pick(&[(20, 200), (50, 600), (200, 1_500)]),
            roams: *rng.pick(&[100, 400, 900]),
            honours: *rng.pick(&[700, 950, 1_000]),
            deletes: *rng.pick(&[0, 4, 15]),
            chaos_for: Duration::from_secs(rng.within(8, 25)),
            delay_ms: (1, slowest),
            lost: some(rng, 60),
            twice: some(rng, 100),
            breaks: some(rng, 10),
            holes: some(rng, 300),
            crash_on_frame: some(rng, 3),
            crash_on_ack: some(rng, 30),
            power_cut: *rng.pick(&[0, 500, 1_000, 1_000]),
            down_ms: *rng.pick(&[(20, 300), (20, 3_000), (1_000, 6_000)]),
            disk_ms: *rng.pick(&[(0, 2), (0, 8), (2, 40)]),
            disk_stall: some(rng, 8),
            notice_ms: rng.within(20, 800),
            idle_ms: rng.within(1_500, 8_000),
            dial_ms: rng.within(5, 400),
            silence_max: rng.millis(1_000, 5_000),
            calm_ms: *rng.pick(&[(50, 1_000), (500, 4_000), (2_000, 8_000)]),
            hot_max: NonZeroUsize::new(*rng.pick(&[1, 1_024])).expect("not zero"),
            repair_every: rng.chance(400).then(|| rng.millis(3_000, 20_000)),
            ill_clock: rng
                .chance(500)
                .then(|| rng.within(anyone.start, anyone.end)),
            restored: rng
                .chance(400)
                .then(|| rng.within(anyone.start, anyone.end)),
            renews_past: None,
        }
    }

    /// The same, where documents begin anew as often as they can.
    pub(super) fn renewing(self) -> Self {
        Self {
            renews_past: NonZeroU64::new(RENEWS_PAST),
            ..self
        }
    }

    /// Every node.
    pub(super) fn nodes(&self) -> impl Iterator<Item = u64> + use<> {
        1..self.regions.len() as u64 + 1
    }
}
