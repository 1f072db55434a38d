//! Where a server of those who are compared stands: on our loopback, or in a region's network
//! namespace, from which it reaches the others over the emulated links alone.

use std::ffi::OsString;
use std::net::SocketAddr;

use meridian_chaos::Namespaces;
use tokio::process::Command;

use crate::etcd::free_ports;

/// The place of one server.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Where its clients reach it.
    pub(crate) clients: SocketAddr,
    /// Where the other servers do.
    pub(crate) peers: SocketAddr,
    entering: Vec<OsString>,
}

impl Place {
    /// Three on loopback, at ports that are free: one for clients, another for servers.
    pub(crate) fn on_loopback() -> anyhow::Result<Vec<Self>> {
        let pairs = free_ports()?.into_iter().zip(free_ports()?);
        let place = |(clients, peers)| Self {
            clients,
            peers,
            entering: Vec::new(),
        };
        Ok(pairs.map(place).collect())
    }

    /// One in each namespace, at these ports for clients and for servers.
    pub(crate) fn in_namespaces(
        namespaces: &Namespaces,
        nodes: &[u64],
        [clients, peers]: [u16; 2],
    ) -> Vec<Self> {
        let place = |node: &u64| {
            Some(Self {
                clients: SocketAddr::from((namespaces.control(*node)?, clients)),
                peers: SocketAddr::from((namespaces.wan(*node)?, peers)),
                entering: namespaces.entering(*node),
            })
        };
        nodes.iter().filter_map(place).collect()
    }

    /// A command that runs there, and ends with us even if we are killed: nothing is left behind.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.entering.iter().cloned().chain(["setpriv".into()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["--pdeathsig", "KILL"]);
        command
    }
}
