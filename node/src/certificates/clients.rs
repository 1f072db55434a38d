//! What is shown to clients that speak TLS, and their handshakes.
//!
//! Invariant kept here: whoever does not come to the end of a handshake holds a bounded part of
//! this node for a bounded time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use meridian_transport::ServerMaterial;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake that takes longer is given up: some round trips of a phone far away.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Handshakes at once on all ports: each is a signature, half a millisecond of a core. Others
/// wait, for as long as a handshake may take.
const HANDSHAKES_MAX: usize = 256;

/// What is shown now. Whoever has shaken hands keeps what was shown to him.
pub(super) struct Shown {
    acceptor: watch::Sender<TlsAcceptor>,
    room: Arc<Semaphore>,
}

/// A port's view of it.
#[derive(Clone)]
pub(crate) struct ClientTls {
    acceptor: watch::Receiver<TlsAcceptor>,
    room: Arc<Semaphore>,
}

impl Shown {
    pub(super) fn new(material: &ServerMaterial) -> anyhow::Result<Self> {
        let acceptor = TlsAcceptor::from(material.server()?);
        Ok(Self {
            acceptor: watch::Sender::new(acceptor),
            room: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        })
    }

    pub(super) fn change(&self, material: &ServerMaterial) -> anyhow::Result<()> {
        let acceptor = TlsAcceptor::from(material.server()?);
        self.acceptor.send_replace(acceptor);
        Ok(())
    }

    pub(super) fn door(&self) -> ClientTls {
        ClientTls {
            acceptor: self.acceptor.subscribe(),
            room: Arc::clone(&self.room),
        }
    }
}

impl ClientTls {
    /// Shakes hands with a client, `within` a time that is no longer than [`HANDSHAKE_MAX`].
    ///
    /// # Errors
    /// What went wrong; also that it took too long.
    pub(crate) async fn shake_hands(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let shaken = async {
            let _room = self.room.acquire().await.map_err(io::Error::other)?;
            let acceptor = self.acceptor.borrow().clone();
            acceptor.accept(stream).await
        };
        let shaken = timeout(within.min(HANDSHAKE_MAX), shaken).await;
        shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
    }
}
