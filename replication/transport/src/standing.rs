//! A line that stands: offered to callers until it is lost, and replaced when certificates change or
//! when it is silent.
//!
//! Another line is dialled beside a silent one. What was sent into a cut is repeated at ever longer
//! intervals, so that a line may stay dumb for seconds after the link is whole again. Whichever is
//! heard first is used.
//!
//! Invariant kept here: a peer has two lines at most that callers may have something under way on, the
//! one in use and the one before it.

use std::pin::pin;
use std::time::Duration;

use quinn::ConnectionError;
use rand::RngExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::away::{Away, Heard, Unreached};
use crate::credentials::InForce;
use crate::dialler::{Dialled, Dialler};
use crate::dialling::Answered;
use crate::heartbeat::asks_for_renewal;
use crate::line::Line;
use crate::pace::HASTE_MAX;
use crate::peer::Peer;
use crate::racing::{Dials, GREETING_SOON, reach};
use crate::renewal::{RENEW_PAUSE, close_distrusted, distrusted, outdated, retire};
use crate::turn::Turn;

/// What is left of lines that were offered.
pub(crate) struct Stood {
    /// How long there was one.
    pub(crate) time: Duration,
    /// The next one, if the peer was being greeted on it when the last one was lost.
    pub(crate) next: Option<Line>,
}

impl Dialler {
    /// Offers the line to callers until it is lost, and others in its place when certificates
    /// change or it is silent.
    pub(crate) async fn offer<'a>(
        &self,
        target: &'a Dialled<'_>,
        mut line: Line,
        (dials, cut_off): (&mut Dials<'a, Answered>, &mut CancellationToken),
    ) -> Stood {
        let (peer, since) = (target.peer, Instant::now());
        tracing::info!(peer = %self.node, rtt = ?line.connection.rtt(), "connected to peer");
        self.peers.connected(peer, line.clone());
        loop {
            let fresh = {
                let mut instead = pin!(self.instead_of_silent(target, dials));
                tokio::select! {
                    biased;
                    reason = hear(peer, &line) => {
                        self.peers.disconnected(peer, reason.to_string());
                        tracing::warn!(peer = %self.node, %reason, "lost the connection to peer");
                        // It may be answered any moment. Without one nobody goes on here: the dials
                        // do, without a line.
                        let next = tokio::select! {
                            biased;
                            () = target.is_greeted() => None,
                            fresh = &mut instead => Some(fresh),
                            () = sleep(GREETING_SOON) => None,
                        };
                        return Stood { time: since.elapsed(), next };
                    }
                    fresh = self.replacement(peer, &line) => fresh,
                    fresh = &mut instead => fresh,
                }
            };
            dials.clear();
            // Whatever waits for an answer on the line before the last one has waited long enough.
            cut_off.cancel();
            peer.retired().await;
            tracing::info!(peer = %self.node, "renewed the connection to peer");
            self.peers.renewed(peer, fresh.clone());
            let replaced = std::mem::replace(&mut line, fresh);
            *cut_off = CancellationToken::new();
            let ends = [self.closed.clone(), cut_off.clone()];
            let retired = retire(replaced, ends, peer.retiring.token());
            // Bounded by RETIRED_MAX, and one at a time for each peer.
            self.tracker.spawn(retired);
        }
    }

    /// Waits until a line is to be replaced, and answers the next one. A line that is not
    /// believed any more is closed in time, whether there is a next one or not.
    async fn replacement(&self, peer: &Peer, line: &Line) -> Line {
        let next = async {
            outdated(&self.credentials, line).await;
            // A silent one is replaced for that.
            peer.is_silent(false).await;
            self.next_line(peer).await
        };
        let believes = |now: &InForce| now.trusts_server(&line.connection, &peer.identity);
        tokio::select! {
            biased;
            next = next => next,
            () = distrusted(&self.credentials, line.generation, believes) => {
                close_distrusted(&line.connection);
                // Whoever hears the line hears its end.
                std::future::pending().await
            }
        }
    }

    /// Dials until there is another line, while the last one goes on.
    async fn next_line(&self, peer: &Peer) -> Line {
        // Two at most for each peer: the one in use, and the one before.
        peer.retired().await;
        let mut reasons = Away::from(Instant::now());
        for attempt in 0.. {
            let renewal = self.credentials.renewals.acquire().await;
            // One after the other, with pauses: as of a peer that stays away.
            let turn = Turn {
                attempt,
                away: HASTE_MAX,
                resting: Vec::new(),
            };
            let (place, dialled) = self.dial(peer, turn).await;
            let dialled = match dialled {
                Ok(answered) => self.greet(peer, answered).await,
                Err(cause) => Err(cause),
            };
            drop(renewal);
            let cause = match dialled {
                Ok(line) => return line,
                Err(cause) => cause,
            };
            let why = (place.known(), cause.clone());
            match reasons.note(why, Instant::now(), rand::rng().random()) {
                Heard::Again => {
                    tracing::debug!(peer = %self.node, %cause, "still cannot renew the connection");
                }
                Heard::News => tracing::warn!(
                    peer = %self.node, %cause,
                    "cannot renew the connection to peer: it stays as long as it is believed"
                ),
            }
            sleep(renew_pause()).await;
        }
        unreachable!("attempts do not end")
    }

    /// Dials while a line is silent, and answers the next one. One that is heard again, and goes on to
    /// be, stays.
    async fn instead_of_silent<'a>(
        &self,
        target: &'a Dialled<'_>,
        dials: &mut Dials<'a, Answered>,
    ) -> Line {
        let (peer, silence) = (target.peer, target.peer.silence());
        loop {
            peer.is_silent(true).await;
            let mut away = Away::from(Instant::now());
            while *silence.borrow() {
                match reach(target, &mut away, dials).await {
                    Ok(line) => {
                        peer.silent_is_replaced();
                        tracing::warn!(peer = %self.node, "another connection takes a silent one's place");
                        return line;
                    }
                    Err(Unreached::Needless) => {}
                    Err(_told) => sleep(renew_pause()).await,
                }
            }
        }
    }
}

/// How long to wait before a line that stands is to be replaced again.
fn renew_pause() -> Duration {
    RENEW_PAUSE.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// Takes beats that come back until the connection ends. A peer sends nothing else.
async fn hear(peer: &Peer, line: &Line) -> ConnectionError {
    loop {
        match line.connection.read_datagram().await {
            Ok(echo) => {
                peer.echoed(&echo);
                if asks_for_renewal(&echo) {
                    line.asked.cancel();
                }
            }
            Err(reason) => return reason,
        }
    }
}
