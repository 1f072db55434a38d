//! The ports that clients and operators see.
//!
//! They are bound once, for as long as the process lives: while a node begins anew inside it,
//! whoever comes waits in the system's queue, and is refused by nobody.

use std::net::{SocketAddr, TcpListener as Bound, UdpSocket};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// Longest that links of an earlier life may take to let go of their port.
const RELEASE_MAX: Duration = Duration::from_secs(3);
/// How often that is tried.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Waits until the links of an earlier life have let go of their UDP port; answers whether they
/// have in time.
pub(crate) async fn released(peer: SocketAddr) -> bool {
    let until = Instant::now() + RELEASE_MAX;
    loop {
        if Instant::now() >= until {
            return false;
        }
        if UdpSocket::bind(peer).is_ok() {
            return true;
        }
        sleep(TRY_EVERY).await;
    }
}

/// A port that is bound.
pub(crate) struct Port {
    key: &'static str,
    bound: Bound,
}

impl Port {
    /// Binds it; `key` is where the configuration says so.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(key: &'static str, address: SocketAddr) -> anyhow::Result<Self> {
        let bind = || -> std::io::Result<Bound> {
            let bound = Bound::bind(address)?;
            bound.set_nonblocking(true)?;
            Ok(bound)
        };
        let bound = bind().with_context(|| {
            format!("cannot listen on {address} ({key}): is another node running there?")
        })?;
        Ok(Self { key, bound })
    }

    /// What one life of the node takes connections from.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn listener(&self) -> anyhow::Result<TcpListener> {
        let listener = self.bound.try_clone().and_then(TcpListener::from_std);
        listener.with_context(|| format!("cannot listen on ({})", self.key))
    }
}
