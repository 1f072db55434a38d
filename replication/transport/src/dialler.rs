//! Keeps a connection to every peer, dialling again with jittered back-off.

use std::time::Duration;

use meridian_regions::NodeId;
use quinn::Connection;
use rand::RngExt;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::NodeIdentity;
use crate::mesh::Mesh;

/// First pause after a failed dial.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// A healed link is found within this time, whatever happened before.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Look-up and handshake together: a few round trips of the longest link.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// Starts one task for each peer.
pub(crate) fn start(
    mesh: &Mesh,
    identity: &NodeIdentity,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    for peer in mesh.peer_ids() {
        let dialler = Dialler {
            mesh: mesh.clone(),
            identity: identity.clone(),
            peer,
        };
        let cancel = cancel.clone();
        tracker.spawn(async move {
            // Cancelled by the supervisor; a failed dial is retried, never fatal.
            cancel.run_until_cancelled(dialler.keep_connected()).await;
        });
    }
}

struct Dialler {
    mesh: Mesh,
    identity: NodeIdentity,
    peer: NodeId,
}

impl Dialler {
    async fn keep_connected(self) {
        let mut backoff = BACKOFF_MIN;
        let mut told = false;
        loop {
            match self.dial().await {
                Ok(connection) => {
                    tracing::info!(peer = %self.peer, "connected to peer");
                    backoff = BACKOFF_MIN;
                    told = false;
                    self.hold(connection).await;
                }
                Err(cause) if !told => {
                    tracing::warn!(peer = %self.peer, cause, "cannot reach peer: dialling on");
                    told = true;
                }
                Err(cause) => tracing::debug!(peer = %self.peer, cause, "still cannot reach peer"),
            }
            // Jitter: peers of a healed link do not dial in step.
            let pause = rand::rng().random_range(backoff / 2..=backoff);
            sleep(pause).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn dial(&self) -> Result<Connection, String> {
        let Some(peer) = self.mesh.peer(self.peer) else {
            return Err("the peer is not in the topology".to_owned());
        };
        let name = NodeIdentity {
            cluster: self.identity.cluster.clone(),
            region: peer.address.region.clone(),
            node: self.peer,
        }
        .dns_name();
        let dialled = async {
            let address = lookup_host(&peer.address.address)
                .await
                .map_err(|cause| format!("{}: {cause}", peer.address.address))?
                .next()
                .ok_or_else(|| format!("{} has no address", peer.address.address))?;
            let connecting = self
                .mesh
                .endpoint()
                .connect(address, &name)
                .map_err(|cause| cause.to_string())?;
            connecting.await.map_err(|cause| cause.to_string())
        };
        timeout(DIAL_DEADLINE, dialled)
            .await
            .unwrap_or_else(|_elapsed| Err("no answer in time".to_owned()))
    }

    /// Offers the connection to callers until it is lost.
    async fn hold(&self, connection: Connection) {
        let Some(peer) = self.mesh.peer(self.peer) else {
            return;
        };
        self.mesh.set_connection(peer, Some(connection.clone()));
        let reason = connection.closed().await;
        self.mesh.set_connection(peer, None);
        tracing::warn!(peer = %self.peer, %reason, "lost the connection to peer");
    }
}
