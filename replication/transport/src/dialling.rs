//! One dial of a peer: the look-up of its name, and the wait for the first answer.
//!
//! Names are looked up at every dial: an address may change while a node is away. A dial that
//! begins while the look-up of another one is under way shares it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::FutureExt;
use quinn::{Connecting, ConnectionError};
use tokio::time::timeout;

use crate::away::Unreached;
use crate::dialler::Dialler;
use crate::pace::answer_within;
use crate::peer::Peer;
use crate::racing::{Dial, Place};
use crate::turn::Turn;

/// Look-up of a name; and what comes after the first answer, the rest of handshake and greeting:
/// many round trips of the longest link.
pub(crate) const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// Error codes of QUIC that carry an alert of TLS (RFC 9001, section 4.8).
const TLS_ALERTS: RangeInclusive<u64> = 0x100..=0x1ff;

/// A dial that was answered.
pub(crate) struct Answered {
    pub(crate) connecting: Connecting,
    /// By which certificates it was dialled.
    pub(crate) generation: u64,
}

impl Dialler {
    /// Begins to dial, for the first answer.
    pub(crate) fn dial<'a>(&'a self, peer: &'a Peer, turn: Turn) -> Dial<'a, Answered> {
        let to = Place::default();
        let answer = self.answer(peer, turn, to.clone()).boxed();
        Dial { to, answer }
    }

    async fn answer(&self, peer: &Peer, turn: Turn, to: Place) -> Result<Answered, Unreached> {
        let address = timeout(DIAL_DEADLINE, self.address(peer, &turn));
        let (address, round) = address
            .await
            .map_err(|_elapsed| Unreached::Unanswered)?
            .map_err(Unreached::Undialled)?;
        to.is(address);
        let in_force = self.credentials.in_force();
        let client = in_force.client.clone();
        let mut connecting = self
            .endpoint
            .connect_with(client, address, &peer.identity.dns_name())
            .map_err(|cause| Unreached::Undialled(cause.to_string()))?;
        timeout(answer_within(turn.away, round), connecting.handshake_data())
            .await
            .map_err(|_elapsed| Unreached::Unanswered)?
            .map_err(|cause| Unreached::Refused(explained(&cause)))?;
        Ok(Answered {
            connecting,
            generation: in_force.generation,
        })
    }

    /// The address whose turn it is; and how often all of them have been tried before.
    async fn address(&self, peer: &Peer, turn: &Turn) -> Result<(SocketAddr, usize), String> {
        let failed = |cause: std::io::Error| format!("{}: {cause}", peer.address);
        let own = self.endpoint.local_addr().map_err(failed)?;
        let name = peer.address.clone();
        let looked_up = self.lookup.join(move || match name.to_socket_addrs() {
            Ok(found) => Ok(found.collect()),
            Err(cause) => Err(format!("{name}: {cause}")),
        });
        let mut addresses = looked_up.await?;
        // A socket of IPv6 reaches both kinds, one of IPv4 only its own.
        addresses.retain(|address| own.is_ipv6() || address.is_ipv4());
        turn.of(&addresses)
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
