//! A port behind which TLS is spoken.

use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use meridian_transport::ServerMaterial;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client_tls::Files;

/// One handshake after the other.
pub(super) struct TlsPort {
    port: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsPort {
    /// Shows what has been signed.
    pub(super) fn new(port: TcpListener, files: &Files) -> Self {
        let shown = ServerMaterial::load(&files.path("api.pem"), &files.path("api.key"));
        let shown = shown.expect("signed before").server().expect("they fit");
        Self {
            port,
            acceptor: shown.into(),
        }
    }
}

impl Listener for TlsPort {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (tcp, from) = self.port.accept().await.expect("a listening port");
            // Who does not believe us hangs up.
            if let Ok(tls) = self.acceptor.accept(tcp).await {
                return (tls, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.port.local_addr()
    }
}
