//! One direction of a link: its model, what is laid over it, and a pure lane that decides
//! about each datagram. Sockets are the relay's business.

mod burst;
mod impairment;
mod lane;
mod lateness;
mod traffic;

use std::time::Duration;

pub use burst::Burst;
pub use impairment::{Bandwidth, Impairment, Reorder};
pub(crate) use lane::{Lane, seed_of};
pub use lateness::Lateness;
pub(crate) use traffic::Meter;
pub use traffic::Traffic;

/// Whether datagrams pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// They do.
    Up,
    /// All of them are lost, without a word to anybody.
    Cut,
}

/// What one direction does to datagrams. They are met in the order of the fields from
/// below: cut, too long, lost, queued for the bandwidth, damaged, doubled, delayed, held
/// back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkModel {
    /// One-way delay.
    pub delay: Duration,
    /// Most that is added to it, evenly. By itself it lets no datagram overtake another.
    pub jitter: Duration,
    /// Datagrams that are held back, so that later ones overtake them.
    pub reorder: Option<Reorder>,
    /// Share of datagrams that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Share of datagrams of which one bit is flipped, 0 to 1.
    pub corrupt: f64,
    /// How fast they go out, and how long they may wait for it. `None`: at once.
    pub bandwidth: Option<Bandwidth>,
    /// Loss in bursts.
    pub burst: Option<Burst>,
    /// Share of datagrams lost, each for itself, 0 to 1.
    pub loss: f64,
    /// Longest datagram that passes, in bytes of UDP payload; longer ones are lost without
    /// a word. `None`: any.
    pub mtu_bytes: Option<usize>,
    /// Whether anything passes.
    pub state: LinkState,
}

impl LinkModel {
    /// A healthy direction of half a round trip.
    #[must_use]
    pub fn of_round_trip(round_trip: Duration) -> Self {
        Self {
            delay: round_trip / 2,
            jitter: Duration::ZERO,
            reorder: None,
            duplicate: 0.0,
            corrupt: 0.0,
            bandwidth: None,
            burst: None,
            loss: 0.0,
            mtu_bytes: None,
            state: LinkState::Up,
        }
    }
}
