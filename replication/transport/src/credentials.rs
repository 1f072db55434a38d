//! What this node shows and whom it trusts, and how both change while it runs.
//!
//! Invariant kept here: what does not fit together never comes into force. A certificate, its
//! key and the authorities are taken together or not at all, and what was in force before stays.
//! What stands by earlier ones is renewed in [`crate::renewal`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{ClientConfig, Connection, Endpoint, TransportConfig};
use rustls::client::danger::ServerCertVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::sync::{Semaphore, watch};

use crate::endpoint::{client_config, server_config};
use crate::{MeshOptions, NodeIdentity, TlsError, TlsMaterial};

/// Connections that are renewed at once, over all peers. One after the other: a change of
/// certificates costs a handshake now and then, and never all links together.
const RENEWALS_MAX: usize = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Credentials {
    identity: NodeIdentity,
    transport: Arc<TransportConfig>,
    in_force: watch::Sender<Arc<InForce>>,
    pub(crate) renewals: Semaphore,
    /// See [`MeshOptions::distrusted_max`].
    pub(crate) distrusted_max: Duration,
}

/// What is shown and trusted at one time.
#[derive(Debug)]
pub(crate) struct InForce {
    /// Counts the changes since start.
    pub(crate) generation: u64,
    pub(crate) since: Instant,
    pub(crate) client: ClientConfig,
    of_servers: Arc<dyn ServerCertVerifier>,
    of_clients: Arc<dyn ClientCertVerifier>,
}

impl InForce {
    fn new(
        tls: &TlsMaterial,
        transport: &Arc<TransportConfig>,
        generation: u64,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            generation,
            since: Instant::now(),
            client: client_config(tls, transport)?,
            of_servers: tls.judge_of_servers()?,
            of_clients: tls.judge_of_clients()?,
        })
    }

    /// Whether the certificate that a dialled node has shown would be believed today.
    pub(crate) fn trusts_server(&self, connection: &Connection, peer: &NodeIdentity) -> bool {
        let Ok(name) = ServerName::try_from(peer.dns_name()) else {
            return false;
        };
        shown(connection).is_some_and(|chain| {
            let (first, rest) = (&chain[0], &chain[1..]);
            let judged =
                self.of_servers
                    .verify_server_cert(first, rest, &name, &[], UnixTime::now());
            judged.is_ok()
        })
    }

    /// Whether the certificate that a node has knocked with would be believed today.
    pub(crate) fn trusts_client(&self, connection: &Connection) -> bool {
        shown(connection).is_some_and(|chain| {
            let (first, rest) = (&chain[0], &chain[1..]);
            let judged = self
                .of_clients
                .verify_client_cert(first, rest, UnixTime::now());
            judged.is_ok()
        })
    }
}

impl Credentials {
    pub(crate) fn new(
        options: &MeshOptions,
        transport: Arc<TransportConfig>,
    ) -> Result<Self, TlsError> {
        let first = InForce::new(&options.tls, &transport, 0)?;
        Ok(Self {
            identity: options.identity.clone(),
            distrusted_max: options.distrusted_max,
            transport,
            in_force: watch::Sender::new(Arc::new(first)),
            renewals: Semaphore::new(RENEWALS_MAX),
        })
    }

    /// Puts others into force; answers which change since start that is. Handshakes from now on
    /// show and trust them.
    pub(crate) fn change(&self, tls: &TlsMaterial, endpoint: &Endpoint) -> Result<u64, TlsError> {
        tls.check(&self.identity)?;
        let server = server_config(tls, &self.transport)?;
        let next = InForce::new(tls, &self.transport, 0)?;
        // Before it is told: a connection that is renewed because of it is renewed to it.
        endpoint.set_server_config(Some(server));
        let mut generation = 0;
        self.in_force.send_modify(|in_force| {
            generation = in_force.generation + 1;
            *in_force = Arc::new(InForce { generation, ..next });
        });
        Ok(generation)
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.borrow())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.in_force.borrow().generation
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<InForce>> {
        self.in_force.subscribe()
    }
}

/// The chain that the other end has shown, at least one certificate.
pub(crate) fn shown(connection: &Connection) -> Option<Vec<CertificateDer<'static>>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    (!chain.is_empty()).then_some(*chain)
}
