//! Dials of one peer: several at once, of which the first that is answered wins.
//!
//! When and how many: see [`crate::pace`]. An answer counts whatever it says; the other dials are
//! given up then, without a word to the peer but that. Some of them may have come through as
//! well: what is said to the peer, it is said on the winner alone, and the peer takes no
//! connection for one that counts before that ([`crate::served`]).
//!
//! Names are looked up at every dial: an address may change while a node is away.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use quinn::{Connecting, ConnectionError};
use rand::RngExt;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep_until, timeout};

use crate::dialler::Dialler;
use crate::pace::{DIALS_MAX, answer_within, next_after};
use crate::peers::Peer;

/// Look-up of a name; and what comes after the first answer, the rest of handshake and greeting:
/// many round trips of the longest link.
pub(crate) const DIAL_DEADLINE: Duration = Duration::from_secs(5);
/// A dial that was begun longer ago than this, when the peer comes through, may have been lost
/// before the link was there again.
const STALE_AFTER: Duration = Duration::from_millis(50);

/// Error codes of QUIC that carry an alert of TLS (RFC 9001, section 4.8).
const TLS_ALERTS: RangeInclusive<u64> = 0x100..=0x1ff;

/// Why a peer was not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreached {
    /// Nothing came back: the peer is away, busy, or behind a link that is cut.
    #[error("no answer in time")]
    Unanswered,
    /// It was not dialled.
    #[error("{0}")]
    Undialled(String),
    /// It was reached, and one of both ends said no.
    #[error("{0}")]
    Refused(String),
}

/// A peer that is not reached.
#[derive(Debug)]
pub(crate) struct Away {
    since: Instant,
    /// Dials begun.
    pub(crate) dials: usize,
    /// Why, as it was last told.
    pub(crate) told: Option<Unreached>,
}

impl Away {
    pub(crate) fn from_now() -> Self {
        Self {
            since: Instant::now(),
            dials: 0,
            told: None,
        }
    }
}

/// A dial that was answered.
pub(crate) struct Answered {
    pub(crate) connecting: Connecting,
    /// By which certificates it was dialled.
    pub(crate) generation: u64,
}

impl Dialler {
    /// Dials a peer until it answers, or cannot be dialled.
    pub(crate) async fn race(&self, peer: &Peer, away: &mut Away) -> Result<Answered, Unreached> {
        let mut dials = FuturesUnordered::new();
        let (mut last, mut next) = (None::<Instant>, Instant::now());
        let mut called = pin!(peer.called.notified());
        loop {
            tokio::select! {
                biased;
                Some(dialled) = dials.next() => match dialled {
                    Err(cause @ Unreached::Unanswered) => self.note_unreached(peer, away, cause),
                    // Others are under way, to where its name led before.
                    Err(Unreached::Undialled(_)) if !dials.is_empty() => {}
                    answered => return answered,
                },
                // One more than else: the peer is there now.
                () = &mut called, if dials.len() <= DIALS_MAX => {
                    called.set(peer.called.notified());
                    if last.is_some_and(|last| last.elapsed() >= STALE_AFTER) {
                        next = Instant::now();
                        dials.push(self.begin(peer, away, (&mut last, &mut next)));
                    }
                }
                () = sleep_until(next), if dials.len() < DIALS_MAX => {
                    dials.push(self.begin(peer, away, (&mut last, &mut next)));
                }
            }
        }
    }

    /// Begins another dial, and says when the next one is due.
    fn begin<'a>(
        &'a self,
        peer: &'a Peer,
        away: &mut Away,
        (last, next): (&mut Option<Instant>, &mut Instant),
    ) -> impl Future<Output = Result<Answered, Unreached>> + use<'a> {
        let (now, absence) = (Instant::now(), away.since.elapsed());
        *last = Some(now);
        *next = now + next_after(absence, rand::rng().random());
        let attempt = away.dials;
        away.dials += 1;
        self.dial(peer, attempt, absence)
    }

    /// Dials once, and waits for the first answer.
    pub(crate) async fn dial(
        &self,
        peer: &Peer,
        attempt: usize,
        away: Duration,
    ) -> Result<Answered, Unreached> {
        let address = timeout(DIAL_DEADLINE, self.address(peer, attempt));
        let (address, round) = address
            .await
            .map_err(|_elapsed| Unreached::Unanswered)?
            .map_err(Unreached::Undialled)?;
        let in_force = self.credentials.in_force();
        let client = in_force.client.clone();
        let mut connecting = self
            .endpoint
            .connect_with(client, address, &peer.identity.dns_name())
            .map_err(|cause| Unreached::Undialled(cause.to_string()))?;
        timeout(answer_within(away, round), connecting.handshake_data())
            .await
            .map_err(|_elapsed| Unreached::Unanswered)?
            .map_err(|cause| Unreached::Refused(explained(&cause)))?;
        Ok(Answered {
            connecting,
            generation: in_force.generation,
        })
    }

    /// One address of the peer, another at each attempt if its name has several; and how often all
    /// of them have been tried before.
    async fn address(&self, peer: &Peer, attempt: usize) -> Result<(SocketAddr, usize), String> {
        let failed = |cause: std::io::Error| format!("{}: {cause}", peer.address);
        let own = self.endpoint.local_addr().map_err(failed)?;
        // A socket of IPv6 reaches both kinds, one of IPv4 only its own.
        let addresses: Vec<_> = lookup_host(&peer.address)
            .await
            .map_err(failed)?
            .filter(|address| own.is_ipv6() || address.is_ipv4())
            .collect();
        let count = addresses.len().max(1);
        addresses
            .get(attempt % count)
            .map(|address| (*address, attempt / count))
            .ok_or_else(|| format!("{} has no address that {own} can reach", peer.address))
    }
}

/// What ended a connection, and what to do if it was about certificates.
pub(crate) fn explained(cause: &ConnectionError) -> String {
    let code = match cause {
        ConnectionError::TransportError(error) => u64::from(error.code),
        ConnectionError::ConnectionClosed(close) => u64::from(close.error_code),
        _ => return cause.to_string(),
    };
    if TLS_ALERTS.contains(&code) {
        format!(
            "{cause}; is the certificate at each end of this cluster's authority, still valid, \
             and for the node and region that the topology names?"
        )
    } else {
        cause.to_string()
    }
}
