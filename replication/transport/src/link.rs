//! The state of the connection to one peer: whether one stands, since when, and what is heard on it.
//!
//! What it is not: the connection itself is a [`Line`], and who is told of its changes is of
//! [`crate::peer`] and [`crate::peers`]. Invariant kept here: a connection that has ended is never
//! handed out.

use std::time::{Duration, Instant};

use meridian_regions::{Dialect, Pulse};
use quinn::Connection;

use crate::heartbeat::Heartbeat;
use crate::line::{Line, UnderWay};

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    state: LinkState,
    changed_at: Instant,
    pulse: Pulse,
    /// Datagrams received on the connection when it was last looked at.
    datagrams: u64,
    /// What the peer has said that it speaks.
    pub(crate) dialect: Option<Dialect>,
}

#[derive(Debug)]
pub(crate) enum LinkState {
    /// It has come up; it may have ended since.
    Up(Line, Heartbeat),
    /// There is none, and why, in words for an operator.
    Down { error: Option<String> },
}

impl Link {
    /// A link without a connection yet; silent is a peer of which nothing is heard for so long.
    pub(crate) fn new(silence_max: Duration) -> Self {
        Self {
            state: LinkState::Down { error: None },
            changed_at: Instant::now(),
            pulse: Pulse::new(silence_max),
            datagrams: 0,
            dialect: None,
        }
    }

    /// The connection, as long as it stands.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.standing().map(|(line, _)| line.connection.clone())
    }

    /// The connection to send on, as long as it stands, and that something is under way on it.
    pub(crate) fn line(&self) -> Option<(Connection, UnderWay)> {
        let (line, _) = self.standing()?;
        Some((line.connection.clone(), line.use_it()))
    }

    /// The line that stands, and its beats.
    pub(crate) fn standing(&self) -> Option<(&Line, &Heartbeat)> {
        match &self.state {
            LinkState::Up(line, heartbeat) if line.connection.close_reason().is_none() => {
                Some((line, heartbeat))
            }
            LinkState::Up(..) | LinkState::Down { .. } => None,
        }
    }

    /// Goes over into a state. Answers whether that is news: it is none if a peer stays away for the
    /// same reason.
    pub(crate) fn change(&mut self, state: LinkState, now: Instant) -> bool {
        let is_news = match (&self.state, &state) {
            (LinkState::Down { error: before }, LinkState::Down { error }) => before != error,
            (LinkState::Up(..), _) | (_, LinkState::Up(..)) => {
                self.changed_at = now;
                true
            }
        };
        match &state {
            // It has just proven who it is.
            LinkState::Up(..) => self.pulse.heard(now),
            LinkState::Down { .. } => self.pulse.lost(),
        }
        self.datagrams = 0;
        self.state = state;
        is_news
    }

    /// Another connection stands from now on in the place of the one that stood.
    pub(crate) fn renew(&mut self, line: Line, now: Instant) {
        self.pulse.heard(now);
        self.datagrams = 0;
        self.state = LinkState::Up(line, Heartbeat::new(now));
    }

    /// Answers whether the connection stands and has been silent for too long.
    pub(crate) fn feel_pulse(&mut self, now: Instant) -> bool {
        let LinkState::Up(line, _) = &self.state else {
            return false;
        };
        let datagrams = line.connection.stats().udp_rx.datagrams;
        if datagrams > self.datagrams {
            self.datagrams = datagrams;
            self.pulse.heard(now);
        }
        self.pulse.alive_for(now).is_none()
    }

    /// Sends a beat, if there is a connection; `late` is how much later than it should have been.
    pub(crate) fn beat(&mut self, late: Duration, now: Instant) {
        let LinkState::Up(line, heartbeat) = &mut self.state else {
            return;
        };
        if !late.is_zero() {
            heartbeat.paused(late, now);
        }
        // Whoever takes no datagrams is of an earlier version: the connection stands
        // without beats. If there is no room, the next one tells as much.
        let _ = line.connection.send_datagram(heartbeat.beat(now));
    }

    /// Takes in a beat that has come back. Answers whether there is a connection.
    pub(crate) fn echoed(&mut self, echo: &[u8], now: Instant) -> bool {
        let LinkState::Up(_, heartbeat) = &mut self.state else {
            return false;
        };
        heartbeat.echoed(echo, now);
        true
    }

    /// How long the peer has been alive; `None` if it is silent.
    pub(crate) fn alive_for(&self, now: Instant) -> Option<Duration> {
        self.pulse.alive_for(now)
    }

    /// Whether the peer has been silent for half of what counts as death.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        self.pulse.is_quiet(now)
    }

    /// How long it has been so.
    pub(crate) fn since(&self) -> Duration {
        self.changed_at.elapsed()
    }

    /// Whether the connection stands by earlier certificates than those of `in_force`.
    pub(crate) fn is_outdated(&self, in_force: u64) -> bool {
        match &self.state {
            LinkState::Up(line, _) => line.is_outdated(in_force),
            LinkState::Down { .. } => false,
        }
    }

    /// Why there is no connection, in words for an operator.
    pub(crate) fn error(&self) -> Option<String> {
        match &self.state {
            LinkState::Up(line, _) => line.connection.close_reason().map(|why| why.to_string()),
            LinkState::Down { error } => error.clone(),
        }
    }
}
